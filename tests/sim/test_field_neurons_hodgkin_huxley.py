"""Hodgkin-Huxley neurons: rest, action potential, threshold, refractoriness, rate, equations."""

import numpy as np
import pytest
from networks import neurons
from pulses import pulsed_graph, run_pulsed, spike_ticks
from running import Setting
from scipy.integrate import solve_ivp

from thresher import Result, simulate

THETA = 20.0
FINE = Setting("async", 30, 64, refractory=63, precision="float64")


def simulated(currents: list[float], milliseconds: int, **options: object) -> Result:
    graph = neurons(currents, [[1.0] * len(currents)], THETA, neuron="hodgkin_huxley")
    options = {"precision": "float64", "record": "spikes"} | options
    return simulate(graph, np.zeros((1, 1), np.float32), steps=milliseconds, **options)


def ratio(x: float) -> float:
    return 1.0 if x == 0 else x / (1 - np.exp(-x))


def slope(_: float, y: np.ndarray, current: float) -> list[float]:
    """Write the equations of 1952 in the modern sign, rest at -65 mV, as the textbooks do."""
    v, m, h, n = y
    a_m, b_m = ratio((v + 40) / 10), 4 * np.exp(-(v + 65) / 18)
    a_h, b_h = 0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))
    a_n, b_n = 0.1 * ratio((v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80)
    ionic = 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v + 54.387)
    return [
        current - ionic, a_m * (1 - m) - b_m * m, a_h * (1 - h) - b_h * h, a_n * (1 - n) - b_n * n
    ]  # fmt: skip


def solved(current: float, milliseconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Solve them to a tight tolerance: the times of spikes, and v at every 1/64 ms."""
    gates = [4 * np.exp(0), 1 / (1 + np.exp(3)), 0.125 * np.exp(0)]  # beta of m, h and n at rest
    rises = [ratio(-2.5), 0.07, 0.1 * ratio(-1.0)]
    start = [-65.0, *(a / (a + b) for a, b in zip(rises, gates, strict=True))]

    def crosses(_: float, y: np.ndarray, current: float) -> float:
        return y[0] - THETA

    crosses.direction = 1
    at = np.arange(1, int(milliseconds * 64) + 1) / 64
    run = solve_ivp(
        slope, (0, milliseconds), start, "DOP853", at, events=crosses, args=(current,),
        rtol=1e-10, atol=1e-12,
    )  # fmt: skip
    return run.t_events[0], run.y[0]


def test_spikes_and_potentials_follow_the_equations() -> None:
    times, potentials = solved(10.0, 60.0)
    result = simulated([10.0], 60, schedule="async", membranes={"if": [0]})
    train = result.trace.spike_train("if", 0) / 64
    late = train - times
    assert len(times) == 4
    assert (late > -0.002).all()
    assert (late < 1 / 64 + 0.002).all()
    np.testing.assert_allclose(result.trace.membranes["if"][0, :, 0], potentials, atol=0.25)
    calm = potentials < -50
    np.testing.assert_allclose(
        result.trace.membranes["if"][0, calm, 0], potentials[calm], atol=0.01
    )


def test_without_a_current_it_stays_at_rest() -> None:
    result = simulated([0.0], 60, membranes={"if": [0]})
    assert np.abs(result.trace.membranes["if"] + 65).max() < 0.05
    assert not result.trace.counts("if").any()


def test_an_action_potential_overshoots_and_undershoots() -> None:
    result = simulated([10.0], 15, schedule="async", ticks_per_step=16, membranes={"if": [0]})
    v = result.trace.membranes["if"][0, :, 0]
    assert 35 < v.max() < 45
    assert -77 < v[np.argmax(v) :].min() < -70


def test_a_current_step_fires_once_over_the_first_rheobase_and_repeatedly_over_the_second() -> None:
    result = simulated([2.0, 2.5, 6.0, 6.5], 120)
    none, once, few, sustained = (result.trace.spike_train("if", n) for n in range(4))
    assert len(none) == 0
    assert len(once) == 1
    assert len(few) < 4
    assert sustained[-1] > 100
    # type II: firing sets in at once at 50 Hz or more
    assert np.diff(sustained).max() <= 20


def test_the_rate_grows_slowly_with_the_current() -> None:
    result = simulated([7.0, 12.0, 24.0], 100)
    rates = 1000 / np.array([np.diff(result.trace.spike_train("if", n)).mean() for n in range(3)])
    assert (np.diff(rates) > 0).all()
    assert rates[2] < 2 * rates[0]


@pytest.mark.parametrize(("displaced", "spikes"), [(6.0, 0), (7.0, 1), (15.0, 1), (90.0, 1)])
def test_a_displacement_of_7_millivolts_fires_and_one_of_6_does_not(
    displaced: float, spikes: int
) -> None:
    """Hodgkin and Huxley 1952, Fig. 12: the membrane, displaced at once by so many mV."""
    graph = neurons([0.0], [[1.0]], THETA, neuron="hodgkin_huxley", v_init=displaced)
    image = np.zeros((1, 1), np.float32)
    result = simulate(graph, image, steps=12, record="spikes", precision="float64")
    assert result.trace.counts("if").tolist() == [spikes]


@pytest.mark.parametrize(("interval", "spikes"), [(4, 1), (20, 2)])
def test_soon_after_a_spike_the_same_pulse_fires_no_other(interval: int, spikes: int) -> None:
    graph = pulsed_graph(15.0, "hodgkin_huxley", THETA)
    sample = run_pulsed(graph, [64, 64 * (1 + interval)], FINE)
    assert len(spike_ticks(sample)) == spikes


def test_a_spike_within_a_step_is_not_missed() -> None:
    # over 20 mV for less than the ms that a step lasts, so that few steps end there
    coarse = simulated([10.0, 30.0], 60, membranes={"if": [0]})
    fine = simulated([10.0, 30.0], 60, schedule="async", ticks_per_step=16)
    np.testing.assert_array_equal(coarse.trace.counts("if"), fine.trace.counts("if"))
    ends_over = (coarse.trace.membranes["if"][0, :, 0] >= THETA).sum()
    assert ends_over < coarse.trace.counts("if")[0]


def test_an_arrival_adds_its_weight_in_millivolts() -> None:
    sample = run_pulsed(
        pulsed_graph(5.0, "hodgkin_huxley", THETA), [3], Setting("async", 1, 4, precision="float64")
    )
    v = sample.watched[:, 1]
    assert abs(v[2] - v[1] - 5) < 0.01


def test_where_a_potential_is_beyond_all_measure_the_state_stays_finite() -> None:
    graph = pulsed_graph(-400.0, "hodgkin_huxley", THETA)
    sample = run_pulsed(graph, [1, 2, 3], Setting("async", 20, 4, precision="float64"))
    assert np.isfinite(sample.watched).all()
    assert abs(sample.watched[-1, 1] + 65) < 15


def test_parameters_reach_the_equations() -> None:
    parameters = {"g_na": 0.0, "g_k": 0.0, "g_l": 0.5, "e_l": -60.0, "capacitance": 2.0}
    graph = neurons([1.0], [[1.0]], THETA, neuron="hodgkin_huxley", parameters=parameters)
    image = np.zeros((1, 1), np.float32)
    result = simulate(graph, image, steps=10, precision="float64", membranes={"if": [0]})
    # C v' = i - g_l (v - e_l): towards e_l + i / g_l = -58 with C / g_l = 4 ms
    expected = -58 + (-65 + 58) * np.exp(-np.arange(1, 11) / 4)
    np.testing.assert_allclose(result.trace.membranes["if"][0, :, 0], expected, atol=1e-7)
