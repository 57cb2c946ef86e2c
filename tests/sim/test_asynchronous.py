"""Delays, refractory periods, the order of arrivals and hard reset, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from networks import chain, conv, fires, linear, neurons
from running import every_engine

from thresher import Result, simulate
from thresher.ir import Graph, Node, Spiking
from thresher.ir.ops import Add, Flatten, Relu

NOTHING = np.zeros((1, 1), np.float32)


def simulated(graph: Graph, engine: str, x: object = NOTHING, **options: object) -> Result:
    options = {"schedule": "async", "record": "spikes"} | options
    return simulate(graph, np.asarray(x, np.float32), engine=engine, **options)


def train(result: Result, neuron: int = 0, population: str = "if") -> list[int]:
    return result.trace.spike_train(population, neuron).tolist()


def relay(delay: int | None = None) -> Graph:
    """A neuron under a current of 1/2 sends its spikes to a second one, which passes them on."""
    return chain(
        (1,),
        ("in", linear("in", [[0.0]], [0.5])),
        ("if1", *fires()),
        ("fc", linear("fc", [[1.0]])),
        ("if2", *fires()),
        ("out", linear("out", [[1.0]])),
        delays={} if delay is None else {"fc": delay},
    )


@every_engine
def test_without_delay_a_spike_passes_all_layers_within_its_tick(engine: str) -> None:
    result = simulated(relay(), engine, steps=4, ticks_per_step=4)
    assert train(result, population="if1") == [8, 16]
    assert train(result, population="if2") == [8, 16]


@every_engine
def test_a_delay_holds_for_every_projection_that_sets_none(engine: str) -> None:
    options = {"steps": 4, "ticks_per_step": 4, "delay": 3, "membranes": {"out": [0]}}
    result = simulated(relay(), engine, **options)
    assert train(result, population="if2") == [11]
    expected = np.repeat([0.0, 1.0], [13, 3])  # the readout hears of it at tick 14
    np.testing.assert_array_equal(result.trace.membranes["out"][0, :, 0], expected)


@every_engine
def test_a_projections_own_delay_stands(engine: str) -> None:
    options = {"steps": 4, "ticks_per_step": 4, "delay": 3}
    assert train(simulated(relay(5), engine, **options), population="if2") == [13]
    assert train(simulated(relay(0), engine, **options), population="if2") == [8, 16]


@every_engine
def test_delays_in_lockstep_are_steps(engine: str) -> None:
    options = {"schedule": "lockstep", "steps": 6, "delay": 1, "membranes": {"out": [0]}}
    result = simulated(relay(2), engine, **options)
    assert train(result, population="if1") == [2, 4, 6]
    assert train(result, population="if2") == [4, 6]
    np.testing.assert_array_equal(result.trace.membranes["out"][0, :, 0], [0, 0, 0, 0, 1, 1])


@every_engine
def test_a_delay_to_the_last_tick_still_arrives(engine: str) -> None:
    result = simulated(relay(), engine, steps=1, ticks_per_step=8, delay=3, t_start=0)
    assert train(result, population="if1") == []
    graph = neurons([1.0], [[1.0]], threshold=0.5)  # fires at tick 4
    for delay, predicted in ((4, 0), (5, -1)):
        result = simulated(graph, engine, steps=1, ticks_per_step=8, delay=delay)
        np.testing.assert_array_equal(result.predictions, [[predicted]])


@every_engine
@pytest.mark.parametrize(
    ("refractory", "ticks"),
    [
        (None, [1, 5, 9]),
        (0, [*range(1, 13)]),
        (1, [1, 3, 5, 7, 9, 11]),
        (5, [1, 7]),
        (11, [1]),
        (100, [1]),
    ],
)
def test_the_refractory_period_bars_a_neuron_that_is_over_theta(
    engine: str, refractory: int | None, ticks: list[int]
) -> None:
    graph = neurons([10.0], [[1.0]])
    result = simulated(graph, engine, steps=3, ticks_per_step=4, refractory=refractory)
    assert train(result) == ticks


@every_engine
def test_by_default_a_neuron_fires_at_most_once_a_step(engine: str) -> None:
    graph = neurons([10.0, 1.0, 0.999], [[1.0, 1.0, 1.0]])
    counts = simulated(graph, engine, steps=20, ticks_per_step=8).trace.counts("if")
    np.testing.assert_array_equal(counts, [20, 20, 19])


@every_engine
def test_a_barred_neuron_fires_at_the_first_tick_allowed_if_it_is_still_over(engine: str) -> None:
    # over theta from the start, falling by 1/4 a tick: 9/4 fires, then 1 (tick 2), 3/4, 1/2
    graph = neurons([-1.0, -1.0], [[1.0, 1.0]])
    v_init = replace(graph["if"].spiking, v_init=2.5)
    graph = graph.replace("if", spiking=v_init)
    options = {"steps": 1, "ticks_per_step": 4}
    assert train(simulated(graph, engine, refractory=0, **options)) == [1, 2]
    assert train(simulated(graph, engine, refractory=1, **options)) == [1]


def meeting(weight: list[list[float]]) -> Graph:
    """Two pixels fire at the same tick onto neurons of threshold 1."""
    return chain(
        (2,),
        ("fc", linear("fc", weight)),
        ("if", *fires()),
        ("out", linear("out", np.ones((1, len(weight))))),
        threshold=1.0,
    )


ENCODED = {"steps": 1, "ticks_per_step": 1, "encoder": "regular"}
TWO_PIXELS = [[1.0, 1.0]]


@every_engine
def test_inhibition_later_in_the_same_tick_comes_too_late(engine: str) -> None:
    graph = meeting([[1.0, -1.0], [-1.0, 1.0]])
    counts = simulated(graph, engine, TWO_PIXELS, **ENCODED).trace.counts("if")
    np.testing.assert_array_equal(counts, [1, 0])  # excited first; inhibited first


@every_engine
def test_netted_inhibition_in_the_same_tick_counts(engine: str) -> None:
    graph = meeting([[1.0, -1.0], [-1.0, 1.0], [2.0, -1.0]])
    counts = simulated(graph, engine, TWO_PIXELS, arrivals="netted", **ENCODED).trace.counts("if")
    np.testing.assert_array_equal(counts, [0, 0, 1])


@every_engine
def test_the_ramp_comes_before_the_arrivals_of_its_tick(engine: str) -> None:
    graph = meeting([[-1.0, 0.0]])
    graph = graph.replace("fc", op=linear("fc", [[-1.0, 0.0]], [1.0]))
    individual = simulated(graph, engine, TWO_PIXELS, **ENCODED)
    netted = simulated(graph, engine, TWO_PIXELS, arrivals="netted", **ENCODED)
    assert train(individual) == [1]
    assert train(netted) == []


@every_engine
@pytest.mark.parametrize(("slow", "fired"), [([-1.0, 1.0], []), ([1.0, -1.0], [4])])
def test_spikes_sent_earlier_arrive_first_whatever_their_projection(
    engine: str, slow: list[float], fired: list[int]
) -> None:
    # the first population fires at tick 2, its spike travels 2 ticks to the last one; the second
    # population fires at tick 4 and its spike travels none: both arrive at tick 4
    first, second = slow
    graph = chain(
        (1,),
        ("in", linear("in", [[0.0]], [0.5])),
        ("if1", *fires()),
        ("a", linear("a", [[first]])),
        ("if", *fires()),
        ("out", linear("out", [[1.0]])),
        delays={"a": 2},
    )
    late = (
        Node("late", linear("late", [[0.0]], [0.25]), ("image",)),
        Node("if2", Relu(), ("late",), spiking=Spiking(threshold=1.0)),
        Node("b", linear("b", [[second]]), ("if2",)),
        Node("sum", Add(), ("a", "b")),
    )
    nodes = (*graph.nodes[:3], *late, replace(graph["if"], inputs=("sum",)), graph["out"])
    result = simulated(replace(graph, nodes=nodes), engine, steps=4, ticks_per_step=1)
    assert train(result, population="if1")[0] == 2
    assert train(result, population="if2") == [4]
    assert train(result) == fired


@every_engine
def test_neurons_fire_in_the_order_of_height_width_channel(engine: str) -> None:
    graph = chain((2, 1, 2), ("if", *fires()), ("flat", Flatten()))
    trace = simulated(graph, engine, np.ones((1, 2, 1, 2)), steps=1, ticks_per_step=2).trace
    np.testing.assert_array_equal(trace.neuron, [0, 2, 1, 3])  # row-major numbers
    np.testing.assert_array_equal(trace.tick, [2, 2, 2, 2])


@every_engine
def test_neurons_that_one_spike_lifts_fire_in_that_order_too(engine: str) -> None:
    graph = chain(
        (1, 3, 3),
        ("conv", conv("conv", np.ones((2, 1, 3, 3)), padding=1)),
        ("if", *fires()),
        ("flat", Flatten()),
        threshold=1.0,
    )
    image = np.zeros((1, 1, 3, 3))
    image[0, 0, 1, 1] = 1.0
    trace = simulated(graph, engine, image, **ENCODED | {"record": ["if"]}).trace
    np.testing.assert_array_equal(trace.neuron, np.arange(18).reshape(2, 9).T.ravel())


@every_engine
def test_hard_reset_forgets_what_was_over_theta(engine: str) -> None:
    # 1/4 a tick, theta 0.6: crosses at 3/4, three ticks after each reset
    graph = neurons([1.0], [[1.0]], threshold=0.6, reset="hard")
    options = {"steps": 2, "ticks_per_step": 4, "refractory": 0, "membranes": {"if": [0]}}
    result = simulated(graph, engine, **options)
    assert train(result) == [3, 6]
    expected = [0.25, 0.5, 0.0, 0.25, 0.5, 0.0, 0.25, 0.5]
    np.testing.assert_array_equal(result.trace.membranes["if"][0, :, 0], expected)


@every_engine
def test_hard_reset_goes_to_v_reset(engine: str) -> None:
    graph = neurons([1.0], [[1.0]], threshold=0.6, reset="hard", v_reset=-0.5)
    options = {"steps": 2, "ticks_per_step": 4, "refractory": 0, "membranes": {"if": [0]}}
    result = simulated(graph, engine, **options)
    assert train(result) == [3, 8]
    expected = [0.25, 0.5, -0.5, -0.25, 0.0, 0.25, 0.5, -0.5]
    np.testing.assert_array_equal(result.trace.membranes["if"][0, :, 0], expected)


@every_engine
def test_soft_reset_keeps_what_was_over_theta(engine: str) -> None:
    graph = neurons([1.0], [[1.0]], threshold=0.625)
    options = {"steps": 2, "ticks_per_step": 4, "refractory": 0, "membranes": {"if": [0]}}
    result = simulated(graph, engine, **options)
    assert train(result) == [3, 5, 8]
    expected = [0.25, 0.5, 0.125, 0.375, 0.0, 0.25, 0.5, 0.125]
    np.testing.assert_array_equal(result.trace.membranes["if"][0, :, 0], expected)


@every_engine
def test_hard_reset_in_lockstep_goes_to_v_reset(engine: str) -> None:
    graph = neurons([1.0], [[1.0]], threshold=0.75, reset="hard", v_reset=-0.5)
    options = {"schedule": "lockstep", "steps": 5, "membranes": {"if": [0]}}
    result = simulated(graph, engine, **options)
    assert train(result) == [1, 3, 5]
    np.testing.assert_array_equal(
        result.trace.membranes["if"][0, :, 0], [-0.5, 0.5, -0.5, 0.5, -0.5]
    )
