"""Resonate-and-fire neurons: the closed form, doublets, rebound, reset, what is left at the end."""

from math import exp, pi, sin

import numpy as np
import pytest
from networks import neurons
from pulses import pulsed_graph, run_pulsed, spike_ticks
from running import Setting

from thresher import SimulationError, simulate
from thresher.ir import Graph

PERIOD = 8.0
B, OMEGA = -0.05, 2 * pi / PERIOD
R = 8
FREE = Setting("async", 40, R, refractory=0, precision="float64")


def resonator(pulse: float, threshold: float = 1.0, **parameters: float) -> Graph:
    parameters = {"b": B, "omega": OMEGA, "y_reset": 0.0} | parameters
    return pulsed_graph(pulse, "resonate_and_fire", threshold, parameters=parameters)


def after_pulse(t: np.ndarray, pulse: float) -> np.ndarray:
    """Return y at times t in ms since a pulse on x of a neuron at rest."""
    return np.where(t > 0, pulse * np.exp(B * t) * np.sin(OMEGA * t), 0.0)


def test_a_pulse_starts_the_damped_oscillation_of_the_formula() -> None:
    sample = run_pulsed(resonator(0.875), [5], FREE)
    time = (np.arange(1, FREE.ticks + 1) - 5) / R
    np.testing.assert_allclose(sample.watched[:, 1], after_pulse(time, 0.875), rtol=0, atol=1e-12)
    assert spike_ticks(sample) == []


@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_a_constant_current_oscillates_towards_its_equilibrium(schedule: str) -> None:
    graph = neurons(
        [0.25, -2.0], [[1, 1]], 9.0, neuron="resonate_and_fire", v_init=0.5,
        parameters={"b": B, "omega": OMEGA},
    )  # fmt: skip
    ticks = {"ticks_per_step": 4} if schedule == "async" else {}
    result = simulate(
        graph, np.zeros((1, 1), np.float32), steps=30, schedule=schedule, precision="float64",
        membranes={"if": [0, 1]}, **ticks,
    )  # fmt: skip
    rate, per_step = complex(B, OMEGA), ticks.get("ticks_per_step", 1)
    time = np.arange(1, 30 * per_step + 1)[:, None] / per_step
    z_inf = -np.array([0.25, -2.0]) / rate
    expected = (z_inf + (0.5j - z_inf) * np.exp(rate * time)).imag
    np.testing.assert_allclose(result.trace.membranes["if"][0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("interval", "fires"),
    [
        (PERIOD, True),
        (2 * PERIOD, True),
        (PERIOD / 2, False),
        (1.5 * PERIOD, False),
        (0.375 * PERIOD, False),
    ],
)
def test_a_doublet_fires_it_where_its_interval_is_the_period(interval: float, fires: bool) -> None:
    sample = run_pulsed(resonator(0.8125), [1, 1 + int(interval * R)], FREE)
    assert bool(spike_ticks(sample)) == fires


def test_two_spikes_of_alternating_sign_fire_it_at_half_the_period() -> None:
    ticks = [1, 1 + int(PERIOD / 2 * R)]
    assert spike_ticks(run_pulsed(resonator(0.8125), ticks, FREE, [-1, 1]))
    assert not spike_ticks(run_pulsed(resonator(0.8125), ticks, FREE, [1, 1]))


@pytest.mark.parametrize("pulse", [-1.6, 1.2])
def test_a_pulse_of_either_sign_fires_it_at_the_tick_of_the_formula(pulse: float) -> None:
    graph = resonator(pulse, x_reset=0.0)
    sample = run_pulsed(graph, [3], FREE)
    time = np.arange(1, FREE.ticks) / R
    first = 3 + 1 + int(np.argmax(after_pulse(time, pulse) >= 1))
    assert spike_ticks(sample) == [first]
    quarter = (first - 3) / R / PERIOD
    assert (0.6 < quarter < 0.8) if pulse < 0 else (0.1 < quarter < 0.3)


def test_a_spike_leaves_the_state_that_the_parameters_say() -> None:
    sample = run_pulsed(resonator(2.0, x_reset=0.25, y_reset=-0.5), [1], FREE)
    spike = spike_ticks(sample)[0]
    time = (np.arange(spike, FREE.ticks + 1) - spike) / R
    expected = ((0.25 - 0.5j) * np.exp(complex(B, OMEGA) * time)).imag
    np.testing.assert_allclose(sample.watched[spike - 1 :, 1], expected, rtol=0, atol=1e-12)


def test_by_default_a_spike_leaves_z_at_i_theta() -> None:
    graph = pulsed_graph(2.0, "resonate_and_fire", 0.5)
    sample = run_pulsed(graph, [1], FREE)
    spike = spike_ticks(sample)[0]
    time = (np.arange(spike, FREE.ticks + 1) - spike) / R
    expected = 0.5 * np.exp(-0.1 * time) * np.cos(time)
    np.testing.assert_allclose(sample.watched[spike - 1 :, 1], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("schedule", "ticks"), [("lockstep", 1), ("async", 1), ("async", 8)])
def test_a_run_settles_when_the_last_oscillation_is_too_small(schedule: str, ticks: int) -> None:
    setting = Setting(schedule, 2, ticks, precision="float64", settle_limit=200)
    sample = run_pulsed(resonator(-1.8), [2 * ticks], setting)
    time = np.arange(1, 200 * ticks) / ticks
    first = int(np.argmax(after_pulse(time, -1.8) >= 1)) + 1
    assert spike_ticks(sample) == [2 * ticks + first]  # long after the input has ended
    assert sample.quiescent == 2 * ticks + first


def test_a_run_whose_oscillation_outlasts_the_limit_has_not_settled() -> None:
    setting = Setting("async", 2, 8, precision="float64", settle_limit=3)
    assert run_pulsed(resonator(-1.8), [16], setting).quiescent == -1


def test_it_is_found_to_have_settled_under_a_current_that_never_fires_it() -> None:
    graph = neurons([0.3], [[1.0]], neuron="resonate_and_fire", parameters={"b": B, "omega": OMEGA})
    result = simulate(graph, np.zeros((1, 1), np.float32), steps=50, settle=True, schedule="async")
    reached = 2 * 0.3 / abs(complex(B, OMEGA))  # twice the equilibrium's distance, undamped
    assert reached < 1
    assert result.latency.quiescent.tolist() == [50]


def test_a_reset_over_the_threshold_is_refused() -> None:
    graph = resonator(1.0, y_reset=1.5)
    message = "'y_reset', the potential after a spike in theta, is 1.5; expected .* at most 1"
    with pytest.raises(SimulationError, match=message):
        run_pulsed(graph, [1], FREE)


def test_the_peak_after_a_pulse_is_a_quarter_of_a_period_later() -> None:
    sample = run_pulsed(resonator(0.5, threshold=9.0), [1], FREE)
    peak = exp(B * PERIOD / 4) * sin(pi / 2) * 0.5
    assert abs(sample.watched[:, 1].max() - peak) < 0.005
