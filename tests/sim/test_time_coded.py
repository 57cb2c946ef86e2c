"""Neurons that say a value by when they fire: spike trains by hand, costs, pools, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from networks import chain, linear, neurons
from time_codes import CODES, STANDS_FOR

from thresher import Result, SimulationError, simulate
from thresher.ir import Graph, Input, Node, Readout, Spiking
from thresher.ir.ops import Concat, Flatten, MaxPool2d, Pad, Relu
from thresher.ir.time_codes import time_levels
from thresher.sim import NEURONS
from thresher.sim.neurons import TimeCoded

NOTHING = np.zeros((1, 1), np.float32)
every_code = pytest.mark.parametrize("code", CODES)


def simulated(graph: Graph, steps: int, x: object = NOTHING, **options: object) -> Result:
    settings = {"schedule": "layered", "record": "spikes", "precision": "float64"} | options
    return simulate(graph, np.asarray(x, np.float32), steps=steps, **settings)


def five(code: str, **annotation: object) -> Graph:
    """Values of 5/8, 1/4, 0, -1 and 2 at threshold 1, summed by the output."""
    currents = [0.625, 0.25, 0.0, -1.0, 2.0]
    return neurons(currents, [[1, 1, 1, 1, 1]], neuron=code, **annotation)


def trains(result: Result, population: str = "if", n: int = 5) -> list[list[int]]:
    return [result.trace.spike_train(population, neuron).tolist() for neuron in range(n)]


def test_few_spikes_are_the_bits_of_the_value_the_largest_first() -> None:
    # 5/8 = 0.101, 1/4 = 0.010 and, for all above it, 0.111 in binary
    assert trains(simulated(five("few_spikes"), 3)) == [[1, 3], [2], [], [], [1, 2, 3]]


def test_the_first_spike_is_the_earlier_the_larger_the_value() -> None:
    # of 8 levels: 5, 2, 0, 0 and 8, at step 9 - n
    assert trains(simulated(five("ttfs"), 8)) == [[4], [7], [], [], [1]]


def test_two_spikes_are_as_many_steps_apart_as_the_value_has_levels() -> None:
    # of T - 1 = 8 levels: 5, 2, 0, 0 and 8, from the first step of the window on
    assert trains(simulated(five("two_spike"), 9)) == [[1, 6], [1, 3], [], [], [1, 9]]


def test_the_second_of_two_spikes_switches_off() -> None:
    result = simulated(five("two_spike"), 9)
    chosen = result.trace.neuron == 0
    assert result.trace.sign[chosen].tolist() == [1, -1]
    np.testing.assert_array_equal(result.spike_counts["if"], [6])


def test_a_layer_fires_in_the_window_after_that_of_the_one_before() -> None:
    """5/8 in both layers, at steps 1 and 3 of windows of 3 steps."""
    graph = chain(
        (1,),
        ("in", linear("in", [[0.0]], [0.625])),
        ("one", Relu(), Spiking(1.0, "few_spikes")),
        ("fc", linear("fc", [[1.0]])),
        ("two", Relu(), Spiking(1.0, "few_spikes")),
        ("out", linear("out", [[1.0]])),
    )
    result = simulated(graph, 3)
    assert trains(result, "one", 1) + trains(result, "two", 1) == [[1, 3], [4, 6]]
    np.testing.assert_array_equal(result.latency.settled, [6])
    assert result.trace.steps == 6


@pytest.mark.parametrize(("code", "most"), [("few_spikes", 9), ("ttfs", 1), ("two_spike", 2)])
def test_a_synapse_is_used_so_many_times_at_most(code: str, most: int) -> None:
    """The largest value has every bit set; each spike reaches the output's 4 neurons."""
    graph = neurons([9.0, 9.0], np.ones((4, 2)), neuron=code)
    np.testing.assert_array_equal(simulated(graph, 9).synaptic_operations, [most * 2 * 4])


@every_code
def test_a_start_of_half_a_level_rounds_to_the_nearest(code: str) -> None:
    """Of a window of 5 steps: values of n, n + 3/8 and n + 5/8 levels, n = 2."""
    levels = time_levels(code, 5)
    values = [2 / levels, 2.375 / levels, 2.625 / levels]
    graph = neurons(values, [[1, 1, 1]], neuron=code, v_init=5 / levels / 2)
    trace = simulated(graph, 5).trace
    worth = trace.sign * STANDS_FOR[code](trace.tick, 5) * levels / 5
    np.testing.assert_allclose(np.bincount(trace.neuron, worth), [2, 2, 3], rtol=1e-12)


@every_code
def test_a_readout_that_fires_decides_by_its_values(code: str) -> None:
    graph = chain(
        (1,),
        ("in", linear("in", [[0.0], [0.0]], [0.5, 0.75])),
        ("out", Relu(), Spiking(1.0, code)),
        readout="spikes",
    )
    assert simulated(graph, 5).predictions.tolist() == [[1]]


@every_code
def test_a_max_pool_says_the_largest_value_at_the_cost_of_one(code: str) -> None:
    """Values of 3/4 and 1/2 (and two that are 0) as one neuron of the larger would say them."""
    graph = chain(
        (1, 2, 2),
        ("in", Pad()),
        ("four", Relu(), Spiking(1.0, code)),
        ("pool", MaxPool2d(2)),
        ("flat", Flatten()),
        ("out", linear("out", [[1.0]])),
    )
    result = simulated(graph, 5, x=[[[[0.5, 0.75], [0.25, -1.0]]]])
    assert trains(result, "pool", 1) == [result.trace.spike_train("four", 1).tolist()]
    assert result.latency.settled.tolist() == [5]  # no window of its own


def test_a_max_pool_of_two_codes_is_refused() -> None:
    graph = Graph(
        "joined",
        (Input("image", (1, 1, 2)),),
        (
            Node("in", Pad(), ("image",)),
            Node("a", Relu(), ("in",), spiking=Spiking(1.0, "ttfs")),
            Node("b", Relu(), ("in",), spiking=Spiking(1.0, "few_spikes")),
            Node("both", Concat(axis=2), ("a", "b")),
            Node("pool", MaxPool2d((1, 4)), ("both",)),
            Node("flat", Flatten(), ("pool",)),
            Node("out", linear("out", [[1.0]]), ("flat",)),
        ),
        ("out",),
    )
    message = "node 'pool' is a max pool of neurons 'few_spikes' and 'ttfs', whose spikes do not"
    with pytest.raises(SimulationError, match=message):
        simulated(graph, 4, x=np.zeros((1, 1, 1, 2)))


@every_code
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_a_schedule_without_windows_is_refused_with_what_to_do(
    code: str, schedule: str, engine: str
) -> None:
    message = f"node 'if': neurons '{code}' say their values by .* take --schedule layered"
    with pytest.raises(SimulationError, match=message):
        simulated(five(code), 9, schedule=schedule, engine=engine)


@pytest.mark.parametrize("code", ["few_spikes", "two_spike"])
def test_fractions_of_a_threshold_are_refused_in_whole_numbers(code: str) -> None:
    graph = five(code, scale=64.0)
    message = f"node 'if': a spike of neuron '{code}' may bring a fraction of its threshold"
    with pytest.raises(SimulationError, match=message):
        simulated(graph, 9, precision="int")


def test_the_first_spike_runs_in_whole_numbers() -> None:
    graph = five("ttfs", scale=64.0)
    graph = replace(graph, readout=Readout("membrane", scale=64.0))
    assert trains(simulated(graph, 8, precision="int")) == [[4], [7], [], [], [1]]


@pytest.mark.parametrize(
    ("code", "steps", "message"),
    [
        ("two_spike", 1, "node 'if': neuron 'two_spike' needs at least 2 steps; got 1"),
        ("few_spikes", 53, "node 'if': neuron 'few_spikes' takes at most 52 steps; got 53"),
    ],
)
def test_a_window_that_has_no_meaning_is_refused(code: str, steps: int, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulated(five(code), steps)


@every_code
@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"reset": "hard"}, "node 'if': neuron '{}' fires once its whole input is in, and has no"),
        ({"levels": 3}, "node 'if': neuron '{}' has no levels; leave it out"),
        ({"tau": 3.0}, "node 'if': neuron '{}' has no tau; leave it out"),
    ],
)
def test_what_the_models_have_not_is_refused(code: str, annotation: dict, message: str) -> None:
    with pytest.raises(SimulationError, match=message.format(code)):
        simulated(five(code, **annotation), 9)


@every_code
def test_levels_are_those_that_conversion_counts_on(code: str) -> None:
    """The largest value that T steps say, in levels: all of them but for the bits' last."""
    model = NEURONS.get(code)
    assert issubclass(model, TimeCoded)
    for steps in (2, 5, 9):
        most = model.window.levels(np.array([99.0]), np.array([1.0]), steps, 0)
        assert most == time_levels(code, steps) - (code == "few_spikes")
