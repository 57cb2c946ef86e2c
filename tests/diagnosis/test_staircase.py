"""The staircase, and how far from the line it lies: Deng and Gu's area, measured."""

import numpy as np
import pytest
from networks import neurons

from thresher import simulate
from thresher.diagnosis import Staircase
from thresher.diagnosis.staircase import staircase_of
from thresher.ir import Spiking

THETA, STEPS = 1.5, 8
GRID = (np.arange(80_000) + 0.5) / 80_000
"""Evenly spread parts of the threshold."""


def staircase(start: float) -> Staircase:
    return Staircase(np.array([THETA]), np.array([start]), STEPS, STEPS)


def distances(stairs: Staircase) -> np.ndarray:
    z = THETA * GRID[:, None]
    return np.abs(stairs(z) - z)


def test_the_area_of_half_a_step_is_the_bound_of_deng_and_gu() -> None:
    area = THETA * distances(staircase(THETA / 2)).mean()
    assert area == pytest.approx(THETA**2 / (4 * STEPS), rel=1e-6)


def test_the_area_without_a_start_is_twice_the_bound() -> None:
    area = THETA * distances(staircase(0.0)).mean()
    assert area == pytest.approx(THETA**2 / (2 * STEPS), rel=1e-3)


@pytest.mark.parametrize("part", [0.0, 0.125, 0.5, 0.75, 0.99])
def test_the_uniform_error_is_what_uniform_inputs_give(part: float) -> None:
    stairs = staircase(part * THETA)
    assert stairs.uniform_error == pytest.approx([distances(stairs).mean()], rel=1e-3)


def test_no_input_is_further_off_than_half_a_step() -> None:
    assert distances(staircase(THETA / 2)).max() == pytest.approx(THETA / (2 * STEPS), rel=1e-3)


@pytest.mark.parametrize("start", [-0.1, THETA])
def test_a_start_that_is_no_part_of_the_threshold_has_no_uniform_error(start: float) -> None:
    assert np.isnan(staircase(start).uniform_error).all()


@pytest.mark.parametrize("levels", [3, 8, 20])
def test_levels_are_the_ceiling(levels: int) -> None:
    stairs = Staircase(np.array([THETA]), np.array([0.0]), STEPS, levels)
    assert stairs(np.array([[-1.0], [100.0]])).tolist() == [[0.0], [THETA * levels / STEPS]]
    assert stairs.top == [THETA * levels / STEPS]


def test_the_staircase_is_the_count_under_constant_current() -> None:
    currents = np.arange(-4, 14) / 8
    snn = neurons(currents, np.ones((1, len(currents))), 1.0, v_init=0.25, shift=0.0625)
    run = simulate(snn, np.zeros((1, 1), np.float32), steps=STEPS, record="spikes")
    stairs = staircase_of(snn["if"].spiking, (len(currents),), STEPS, STEPS, np.float32)
    np.testing.assert_array_equal(stairs(currents), run.trace.counts("if") / STEPS)


def test_thresholds_are_rounded_as_the_engine_rounds_them() -> None:
    stairs = staircase_of(Spiking(threshold=0.1), (1,), STEPS, STEPS, np.float32)
    assert stairs.theta.tolist() == [float(np.float32(0.1))]
