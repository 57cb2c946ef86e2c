"""Izhikevich's neurons: the numbers of the paper's program, the firing patterns of its types."""

from math import sqrt

import numpy as np
import pytest
from networks import neurons
from pulses import pulsed_graph, run_pulsed, spike_ticks
from running import Setting
from scipy.integrate import solve_ivp

from thresher import Result, simulate
from thresher.ir import Graph

# Izhikevich 2003, Fig. 2: what differs from regular spiking, a = 0.02, b = 0.2, c = -65, d = 8.
TYPES = {
    "regular spiking": {},
    "intrinsically bursting": {"c": -55.0, "d": 4.0},
    "chattering": {"c": -50.0, "d": 2.0},
    "fast spiking": {"a": 0.1, "d": 2.0},
    "low-threshold spiking": {"b": 0.25, "d": 2.0},
}
REGULAR = {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0}
FINE = {"schedule": "async", "ticks_per_step": 16}
every_type = pytest.mark.parametrize("kind", list(TYPES))


def cells(currents: list[float], **parameters: float) -> Graph:
    weight = [[1.0] * len(currents)]
    return neurons(currents, weight, 30.0, neuron="izhikevich", parameters=parameters)


def simulated(graph: Graph, steps: int, **options: object) -> Result:
    options = {"precision": "float64", "record": "spikes"} | options
    return simulate(graph, np.zeros((1, 1), np.float32), steps=steps, **options)


def intervals(kind: str, milliseconds: int = 300, **options: object) -> np.ndarray:
    """Return the times between spikes in ms, under the paper's current of 10, in fine ticks."""
    result = simulated(cells([10.0], **TYPES[kind]), milliseconds, **FINE, **options)
    return np.diff(result.trace.spike_train("if", 0)) / FINE["ticks_per_step"]


def papers_program(kind: str, current: float, milliseconds: int) -> tuple[list[int], list[float]]:
    """Run the loop of the paper's program for one neuron: spikes in ms, and v after each ms."""
    a, b, c, d = (REGULAR | TYPES[kind]).values()
    v, spikes, potentials = -65.0, [], []
    u = b * v
    for t in range(1, milliseconds + 1):
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        v = v + 0.5 * (0.04 * v**2 + 5 * v + 140 - u + current)
        u = u + a * (b * v - u)
        if v >= 30:
            spikes.append(t)
            v, u = c, u + d
        potentials.append(v)
    return spikes, potentials


@every_type
def test_a_step_of_1_ms_gives_the_numbers_of_the_papers_program(kind: str) -> None:
    result = simulated(cells([10.0], **TYPES[kind]), 300, membranes={"if": [0]})
    spikes, potentials = papers_program(kind, 10.0, 300)
    assert result.trace.spike_train("if", 0).tolist() == spikes
    np.testing.assert_allclose(result.trace.membranes["if"][0, :, 0], potentials, rtol=1e-9)


def first_spikes(current: float, milliseconds: float) -> list[float]:
    """Solve the equations of regular spiking to a tight tolerance, reset by reset."""
    a, b, c, d = REGULAR.values()

    def slope(_: float, y: np.ndarray) -> list[float]:
        return [0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + current, a * (b * y[0] - y[1])]

    def reaches(_: float, y: np.ndarray) -> float:
        return y[0] - 30

    reaches.terminal = True
    time, y, spikes = 0.0, [-65.0, -65.0 * b], []
    while time < milliseconds:
        run = solve_ivp(slope, (time, milliseconds), y, events=reaches, rtol=1e-9, atol=1e-9)
        time = run.t[-1]
        if run.status == 1:
            spikes.append(time)
            y = [c, run.y[1, -1] + d]
    return spikes


def test_finer_ticks_come_closer_to_the_solution_of_the_equations() -> None:
    exact = np.array(first_spikes(10.0, 100.0))
    errors = []
    for ticks in (16, 64, 256):
        options = {"schedule": "async", "ticks_per_step": ticks}
        train = simulated(cells([10.0]), 100, **options).trace.spike_train("if", 0) / ticks
        assert len(train) == len(exact)
        errors.append(np.abs(train - exact).max())
    # of first order: four times as many ticks leave about a quarter
    assert errors[2] < errors[1] / 3 < errors[0] / 9
    assert errors[1] < 0.3


def test_regular_spiking_adapts() -> None:
    gaps = intervals("regular spiking")
    assert gaps[0] < 0.6 * gaps[1:].min()
    assert np.ptp(gaps[1:]) < 0.01 * gaps[-1]


def test_fast_spiking_is_fast_and_hardly_adapts() -> None:
    gaps = intervals("fast spiking")
    assert gaps.max() < 10
    assert gaps.max() < 0.25 * intervals("regular spiking").max()
    assert np.ptp(gaps[2:]) < 0.05 * gaps[-1]


def test_chattering_fires_bursts() -> None:
    gaps = intervals("chattering")
    within, between = gaps[gaps < 10], gaps[gaps > 40]
    assert len(within) + len(between) == len(gaps)
    assert len(between) >= 4
    assert len(within) >= 3 * len(between)


def test_intrinsically_bursting_fires_one_burst_and_then_single_spikes() -> None:
    gaps = intervals("intrinsically bursting")
    burst = int(np.argmax(gaps > 10))
    assert burst >= 2
    assert (gaps[burst:] > 25).all()


def test_low_threshold_spiking_adapts_at_a_high_rate() -> None:
    gaps = intervals("low-threshold spiking")
    assert (np.diff(gaps[:5]) > 0).all()
    assert gaps.max() < 0.5 * intervals("regular spiking").max()


@pytest.mark.parametrize("kind", ["regular spiking", "low-threshold spiking"])
def test_firing_begins_where_the_state_of_rest_is_lost(kind: str) -> None:
    a, b, *_ = (REGULAR | TYPES[kind]).values()
    # Below the first current rest is stable (its slope 0.08 v + 5 is less than a), over the second
    # there is none: 0.04 v^2 + (5 - b) v + 140 + i has no root.
    v = (a - 5) / 0.08
    stable, none = -(0.04 * v**2 + (5 - b) * v + 140), (5 - b) ** 2 / 0.16 - 140
    result = simulated(cells([stable - 0.5, none + 0.5], **TYPES[kind]), 400)
    silent, firing = (result.trace.spike_train("if", n) for n in (0, 1))
    assert len(silent) == 0
    assert len(firing) > 2


def test_without_input_it_falls_to_its_state_of_rest() -> None:
    result = simulated(cells([0.0]), 400, membranes={"if": [0]})
    rest = (-4.8 - sqrt(4.8**2 - 4 * 0.04 * 140)) / 0.08  # 0.04 v^2 + (5 - b) v + 140 = 0
    assert abs(result.trace.membranes["if"][0, -1, 0] - rest) < 0.05


def test_an_arrival_adds_its_weight_in_millivolts() -> None:
    graph = pulsed_graph(12.0, "izhikevich", 30.0)
    still, moved = (
        run_pulsed(graph, ticks, Setting("async", 2, 4, refractory=3)) for ticks in ([], [5])
    )
    difference = moved.watched[:, 1] - still.watched[:, 1]
    np.testing.assert_allclose(difference[:5], [0, 0, 0, 0, 12], atol=1e-12)


def test_a_neuron_that_may_not_fire_yet_is_held_at_theta() -> None:
    graph = pulsed_graph(40.0, "izhikevich", 30.0)
    sample = run_pulsed(graph, [*range(1, 65)], Setting("async", 8, 8, refractory=39))
    gaps = np.diff(spike_ticks(sample))
    assert (gaps == 40).all()
    assert np.abs(sample.watched[:, 1]).max() < 200


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_half_the_milliseconds_in_twice_the_steps_are_the_same_ticks(precision: str) -> None:
    options = {"schedule": "async", "refractory": 0, "precision": precision}
    whole = simulated(cells([10.0]), 40, ticks_per_step=16, **options)
    half = simulated(cells([10.0], milliseconds_per_step=0.5), 80, ticks_per_step=8, **options)
    trains = [result.trace.spike_train("if", 0) for result in (whole, half)]
    np.testing.assert_array_equal(*trains)
    assert len(trains[0]) > 1
