"""Predictions, latency and confidence, worked out by hand."""

import numpy as np
import pytest
from networks import chain, fires, linear, neurons
from running import every_engine

from thresher import Result, simulate
from thresher.ir import Graph
from thresher.ir.ops import Slice

NOTHING = np.zeros((1, 1), np.float32)


def simulated(graph: Graph, engine: str, **options: object) -> Result:
    return simulate(graph, NOTHING, engine=engine, **options)


def taking_turns(**annotation: object) -> Graph:
    """Two neurons fire at every step and at every other one; class 1 gets three for its spike.

    The output's potentials are (1, 0), (2, 3), (3, 3), (4, 6).
    """
    return neurons([1.0, 0.5], [[1.0, 0.0], [0.0, 3.0]], **annotation)


@every_engine
def test_the_larger_potential_decides_and_ties_go_to_the_lower_class(engine: str) -> None:
    result = simulated(taking_turns(), engine, steps=4)
    np.testing.assert_array_equal(result.predictions, [[0, 1, 0, 1]])


@every_engine
def test_a_decision_settles_when_it_changes_last(engine: str) -> None:
    for steps, settled in ((1, 1), (2, 2), (3, 3), (4, 4), (8, 4)):
        result = simulated(taking_turns(), engine, steps=steps)
        np.testing.assert_array_equal(result.latency.settled, [settled])


@every_engine
def test_before_the_first_evidence_there_is_no_class_and_it_counts_as_wrong(engine: str) -> None:
    graph = neurons([0.25], [[2.0], [1.0]])
    result = simulate(graph, NOTHING, np.array([0]), engine=engine, steps=6)
    np.testing.assert_array_equal(result.predictions, [[-1, -1, -1, 0, 0, 0]])
    np.testing.assert_array_equal(result.accuracy_by_step, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(result.latency.first_evidence, [4])


@every_engine
def test_a_silent_network_never_decides(engine: str) -> None:
    result = simulated(neurons([0.0], [[1.0], [2.0]]), engine, steps=3)
    np.testing.assert_array_equal(result.predictions, [[-1, -1, -1]])
    for times in (result.latency.first_evidence, result.latency.settled, result.latency.confident):
        np.testing.assert_array_equal(times, [np.nan])
    assert result.metrics()["undecided"] == 1
    assert result.metrics()["latency_steps"] == {"mean": None, "median": None, "p95": None}


@every_engine
@pytest.mark.parametrize("readout", ["membrane", "spikes"])
def test_a_silent_network_never_decides_layer_by_layer_either(engine: str, readout: str) -> None:
    graph = chain(
        (1,),
        ("if", *fires()),
        ("fc", linear("fc", [[1.0], [1.0]])),
        ("out", *fires()),
        readout=readout,
    )
    result = simulated(graph, engine, steps=3, schedule="layered")
    np.testing.assert_array_equal(result.predictions, [[-1]])
    np.testing.assert_array_equal(result.latency.first_evidence, [np.nan])
    np.testing.assert_array_equal(result.latency.settled, [np.nan])
    driven = simulate(
        graph, np.ones((1, 1), np.float32), engine=engine, steps=3, schedule="layered"
    )
    np.testing.assert_array_equal(driven.predictions, [[0]])
    np.testing.assert_array_equal(driven.latency.settled, [3.0 if readout == "membrane" else 6.0])


@every_engine
def test_an_analog_input_at_the_output_is_evidence_at_once(engine: str) -> None:
    graph = chain((1,), ("out", linear("out", [[0.0], [0.0]], [0.0, 1.0])))
    for t_start, predictions in ((0, [1, 1, 1]), (1, [-1, 1, 1])):
        result = simulated(graph, engine, steps=3, t_start=t_start)
        np.testing.assert_array_equal(result.predictions, [predictions])
        np.testing.assert_array_equal(result.latency.first_evidence, [t_start + 1])


@every_engine
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_a_spike_that_reaches_no_output_is_no_evidence(engine: str, schedule: str) -> None:
    cut_off = chain(
        (2,), ("if", *fires()), ("slice", Slice(start=(1,))), ("out", linear("out", [[1.0], [1.0]]))
    )
    image = np.array([[1, 0]], np.float32)
    result = simulate(cut_off, image, steps=3, engine=engine, schedule=schedule)
    np.testing.assert_array_equal(result.predictions, [[-1, -1, -1]])
    np.testing.assert_array_equal(result.latency.first_evidence, [np.nan])
    np.testing.assert_array_equal(result.synaptic_operations, [0])


@every_engine
def test_a_delayed_window_counts_from_t_start(engine: str) -> None:
    result = simulated(taking_turns(), engine, steps=4, t_start=2)
    # potentials since step 2: (1, 0), (2, 3)
    np.testing.assert_array_equal(result.predictions, [[-1, -1, 0, 1]])
    np.testing.assert_array_equal(result.latency.first_evidence, [3])


@every_engine
def test_evidence_before_the_window_is_none(engine: str) -> None:
    graph = neurons([0.5], [[1.0], [2.0]])  # fires at steps 2, 4
    result = simulated(graph, engine, steps=5, t_start=2)
    np.testing.assert_array_equal(result.predictions, [[-1, -1, -1, 1, 1]])


@every_engine
def test_logits_are_the_potential_over_time(engine: str) -> None:
    # fires at steps 2, 3, 4 and 6: potential / t is 0, 2, 8/3, 3, 12/5, 8/3 against 0
    graph = neurons([0.75], [[4.0], [0.0]])
    margins = np.tanh(np.array([0, 2, 8 / 3, 3, 12 / 5, 8 / 3]) / 2)
    for confidence in (0.7, 0.8, 0.9, 0.95):
        reached = np.flatnonzero(margins >= confidence)
        expected = reached[0] + 1 if len(reached) else np.nan
        result = simulated(graph, engine, steps=6, confidence=confidence)
        np.testing.assert_array_equal(result.latency.confident, [expected])


@every_engine
def test_logits_of_a_delayed_window_divide_by_the_windows_time(engine: str) -> None:
    # since step 2: nothing, then potential / (t - 2) is 4, 4, 8/3, 3
    graph = neurons([0.75], [[4.0], [0.0]])
    assert np.tanh(4 / 2) > 0.95 > np.tanh(3 / 2)
    result = simulated(graph, engine, steps=6, confidence=0.95, t_start=2)
    np.testing.assert_array_equal(result.latency.confident, [3])


@every_engine
def test_one_class_is_certain_at_its_first_evidence(engine: str) -> None:
    result = simulated(neurons([0.5], [[1.0]]), engine, steps=3, confidence=1.0)
    np.testing.assert_array_equal(result.latency.confident, [2])


def spiking_output(v_init: float = 0.0) -> Graph:
    return chain(
        (1,),
        ("out", linear("out", [[0.0], [0.0]], [0.5, 0.75])),
        ("if", *fires(v_init=v_init)),
        readout="spikes",
    )


@every_engine
def test_spikes_of_the_output_decide_by_their_count(engine: str) -> None:
    # class 0 fires at 2, 4, 6, 8; class 1 at 2, 3, 4, 6, 7, 8: counts tie until step 3
    result = simulated(spiking_output(), engine, steps=5)
    np.testing.assert_array_equal(result.predictions, [[-1, 0, 1, 1, 1]])
    np.testing.assert_array_equal(result.latency.first_evidence, [2])
    np.testing.assert_array_equal(result.latency.settled, [3])
    np.testing.assert_array_equal(result.spike_counts["if"], [5])


@every_engine
def test_counts_in_a_delayed_window_start_at_nothing(engine: str) -> None:
    result = simulated(spiking_output(), engine, steps=8, t_start=3)
    # since step 3, class 0 has 1 1 2 2 3 and class 1 has 1 1 2 3 4
    np.testing.assert_array_equal(result.predictions, [[-1, -1, -1, 0, 0, 0, 1, 1]])


@every_engine
def test_logits_of_a_spikes_readout_are_the_rates_in_units_of_theta(engine: str) -> None:
    # theta 8: one class fires at steps 2, 4, ..: theta * count / t is 0, 4, 8/3, 4 against 0
    graph = chain(
        (1,),
        ("out", linear("out", [[0.0], [0.0]], [4.0, 0.0])),
        ("if", *fires(8.0)),
        readout="spikes",
    )
    for confidence, step in ((0.96, 2), (0.97, np.nan)):
        assert (np.tanh(4 / 2) >= confidence) == (step == 2)
        result = simulated(graph, engine, steps=4, confidence=confidence)
        np.testing.assert_array_equal(result.latency.confident, [step])


@every_engine
def test_an_output_with_a_threshold_may_be_read_by_its_membrane(engine: str) -> None:
    options = {"steps": 3, "readout": "membrane", "membranes": {"if": [0, 1]}}
    result = simulated(spiking_output(0.5), engine, **options)
    assert list(result.spike_counts) == []
    np.testing.assert_array_equal(result.predictions, [[1, 1, 1]])
    np.testing.assert_array_equal(
        result.trace.membranes["if"][0], [[0.5, 0.75], [1.0, 1.5], [1.5, 2.25]]
    )


@every_engine
@pytest.mark.parametrize(("delay", "ticks"), [(0, 2), (1, 3), (5, 7)])
def test_latency_in_async_is_in_steps_to_the_tick(engine: str, delay: int, ticks: int) -> None:
    graph = neurons([1.0], [[0.0], [1.0]], threshold=0.5)  # fires at tick 2
    options = {"schedule": "async", "steps": 2, "ticks_per_step": 4, "delay": delay}
    result = simulated(graph, engine, **options)
    np.testing.assert_array_equal(result.latency.first_evidence, [ticks / 4])
    np.testing.assert_array_equal(result.latency.settled, [ticks / 4])


@every_engine
def test_predictions_in_async_are_taken_at_the_end_of_each_step(engine: str) -> None:
    # class 0 fires at ticks 3, 7, 11 and class 1, whose spike counts 3, at ticks 5 and 10
    graph = neurons([1.5, 0.875], [[1.0, 0.0], [0.0, 3.0]])
    options = {"schedule": "async", "steps": 3, "ticks_per_step": 4, "membranes": {"out": [0, 1]}}
    result = simulated(graph, engine, **options)
    np.testing.assert_array_equal(
        result.trace.membranes["out"][0, 1:5], [[0, 0], [1, 0], [1, 0], [1, 3]]
    )
    np.testing.assert_array_equal(result.predictions, [[0, 1, 1]])
    np.testing.assert_array_equal(result.latency.settled, [5 / 4])


@every_engine
def test_layered_decides_once_after_all_layers(engine: str) -> None:
    graph = chain(
        (1,),
        ("in", linear("in", [[0.0], [0.0]], [0.75, 1.0])),
        ("if1", *fires()),
        ("fc", linear("fc", np.eye(2))),
        ("if2", *fires()),
        ("out", linear("out", np.eye(2))),
    )
    result = simulated(graph, engine, schedule="layered", steps=4, record="spikes")
    np.testing.assert_array_equal(result.predictions, [[1]])
    np.testing.assert_array_equal(result.latency.settled, [8])
    # 3 and 4 spikes: the j-th of n at d T + ceil(j T / n)
    pairs = [(name, neuron) for name in ("if1", "if2") for neuron in (0, 1)]
    trains = [result.trace.spike_train(*pair).tolist() for pair in pairs]
    assert trains == [[2, 3, 4], [1, 2, 3, 4], [6, 7, 8], [5, 6, 7, 8]]
    assert result.trace.steps == 8
