"""Neurons that take their spikes back, and max pools between them, worked out by hand."""

import numpy as np
import pytest
from networks import chain, linear, tensor

from thresher import GraphError, Result, SimulationError, simulate
from thresher.ir import Graph, Input, Node, Spiking, Tensor
from thresher.ir.ops import Add, AvgPool2d, Concat, Conv2d, Flatten, MaxPool2d, Pad, Relu, Slice

NOTHING = np.zeros((1, 1), np.float32)
ASYNC = {"schedule": "async", "ticks_per_step": 4}


def signed(threshold: float | Tensor = 1.0, **annotation: object) -> tuple[Relu, Spiking]:
    """A population of signed neurons: the end of a link."""
    return Relu(), Spiking(threshold=threshold, neuron="signed_if", **annotation)


def disputed(**annotation: object) -> Graph:
    """Currents of 1 and 1/2 drive two neurons, which bring 1 and -2 to a third: 0 in all."""
    return chain(
        (1,),
        ("in", linear("in", [[0.0], [0.0]], [1.0, 0.5])),
        ("two", *signed()),
        ("fc", linear("fc", [[1.0, -2.0]])),
        ("third", *signed(**annotation)),
        ("out", linear("out", [[1.0]])),
    )


def simulated(graph: Graph, x: object = NOTHING, **options: object) -> Result:
    return simulate(graph, np.asarray(x, np.float32), **{"record": "spikes"} | options)


def signs(result: Result, population: str = "third") -> list[tuple[int, int]]:
    """List the (tick, sign) of a population's spikes."""
    trace = result.trace
    of = trace.population == trace.populations.index(population)
    return list(zip(trace.tick[of].tolist(), trace.sign[of].tolist(), strict=True))


def test_in_lockstep_a_negative_potential_takes_the_last_spike_back() -> None:
    result = simulated(disputed(), steps=4)
    # v = 1, then 0 + 1 - 2 = -1, then 0 + 1 = 1, then -1 again
    assert signs(result) == [(1, 1), (2, -1), (3, 1), (4, -1)]
    np.testing.assert_array_equal(result.trace.counts("third"), [0])


def test_both_signs_are_spikes_and_cost_operations() -> None:
    result = simulated(disputed(), steps=4)
    np.testing.assert_array_equal(result.spike_counts["two"], [6])
    np.testing.assert_array_equal(result.spike_counts["third"], [4])
    np.testing.assert_array_equal(result.synaptic_operations, [6 + 4])


def test_a_negative_spike_takes_theta_times_the_weight_from_its_targets() -> None:
    result = simulated(disputed(), steps=4, membranes={"out": [0]})
    np.testing.assert_array_equal(result.trace.membranes["out"][0, :, 0], [1, 0, 1, 0])


def test_spike_by_spike_the_refractory_rule_covers_both_signs() -> None:
    result = simulated(disputed(), steps=4, **ASYNC)
    # at 8 the first arrival makes it fire again, the second, -2, comes while it is barred
    assert signs(result) == [(4, 1), (8, 1), (12, -1), (16, 1)]


def test_it_settles_where_the_order_of_arrivals_left_it_wrong() -> None:
    result = simulated(disputed(), steps=4, **ASYNC, settle=True)
    assert signs(result)[4:] == [(20, -1), (24, -1)]
    np.testing.assert_array_equal(result.trace.counts("third"), [0])
    np.testing.assert_array_equal(result.latency.quiescent, [6])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # 2.5 - t/2, one spike a step: 2 at 1, then 1 - t/2 + 1/2, below 0 at 4
        ({}, [(1, 1), (4, -1)]),
        # 2.5 - k/8: two spikes leave 1/2 - k/8, below 0 at 5, and then 3/2 - k/8, at 13
        (ASYNC | {"refractory": 0}, [(1, 1), (2, 1), (5, -1), (13, -1)]),
    ],
)
def test_a_falling_current_takes_back_what_the_start_had_fired(
    options: dict, expected: list[tuple[int, int]]
) -> None:
    graph = chain(
        (1,),
        ("in", linear("in", [[0.0]], [-0.5])),
        ("third", *signed(v_init=2.5)),
        ("out", linear("out", [[1.0]])),
    )
    assert signs(simulated(graph, steps=6, **options)) == expected


@pytest.mark.parametrize("engine", ["cython", "reference"])
def test_rounding_does_not_keep_a_settled_neuron_firing(engine: str) -> None:
    # 2.96 - 0.04 is two thresholds but for float32's rounding, and adding one to 2.96 rounds
    graph = chain(
        (1,),
        ("in", linear("in", [[0.0]], [-0.005])),
        ("third", *signed(1.46, v_init=2.96)),
        ("out", linear("out", [[1.0]])),
    )
    result = simulated(graph, steps=8, **ASYNC, settle=True, engine=engine)
    assert signs(result) == [(1, 1), (5, 1), (32, -1), (36, 1)]
    np.testing.assert_array_equal(result.latency.quiescent, [9])


@pytest.mark.parametrize(("levels", "count"), [(None, 4), (2, 2), (9, 6)])
def test_the_count_stays_within_its_levels(levels: int | None, count: int) -> None:
    graph = chain(
        (1,),
        ("in", linear("in", [[0.0]], [1.5])),
        ("third", *signed(levels=levels)),
        ("out", linear("out", [[1.0]])),
    )
    for schedule in ("lockstep", "async", "layered"):
        result = simulated(graph, steps=4, schedule=schedule, settle=True)
        np.testing.assert_array_equal(result.trace.counts("third"), [count], err_msg=schedule)


def test_layered_gives_the_net_count_at_once() -> None:
    result = simulated(disputed(v_init=2.0), steps=4, schedule="layered")
    assert signs(result) == [(6, 1), (8, 1)]


def square(currents: object, threshold: float = 1.0, **delays: int) -> Graph:
    """Neurons (1, h, w) whose currents are the image, a max pool of 2 x 2 over them, a readout."""
    shape = (1, *np.shape(currents))
    windows = np.prod(np.array(np.shape(currents)) // 2)
    return chain(
        shape,
        ("in", Pad()),
        ("four", *signed(threshold)),
        ("gap", Pad()),
        ("pool", MaxPool2d(2)),
        ("flat", Flatten()),
        ("out", linear("out", np.ones((1, windows)))),
        delays=delays,
    )


def test_a_max_pool_follows_the_largest_count() -> None:
    currents = [[1.0, 0.5], [0.25, -1.0]]
    result = simulated(square(currents), x=[[currents]], steps=4)
    assert signs(result, "pool") == [(1, 1), (2, 1), (3, 1), (4, 1)]
    result = simulated(square(currents), x=[[currents]], steps=4, schedule="async", delay=3)
    assert signs(result, "pool") == [(67, 1), (131, 1), (195, 1)]


def test_a_max_pool_passes_on_what_a_delay_has_let_through() -> None:
    currents = [[1.0, 0.5], [0.25, -1.0]]
    result = simulated(square(currents, gap=2), x=[[currents]], steps=4)
    assert signs(result, "pool") == [(3, 1), (4, 1)]


def test_an_arrival_that_leaves_the_maximum_is_no_spike_but_an_operation() -> None:
    currents = [[1.0, 1.0], [0.5, 0.0]]
    result = simulated(square(currents), x=[[currents]], steps=4)
    np.testing.assert_array_equal(result.spike_counts["four"], [10])
    np.testing.assert_array_equal(result.spike_counts["pool"], [4])
    np.testing.assert_array_equal(result.synaptic_operations, [10 + 4])


def test_two_sources_at_once_raise_the_maximum_by_one() -> None:
    currents = [[0.5, 0.5], [0.5, 0.5]]
    for arrivals in ("individual", "netted"):
        result = simulated(
            square(currents),
            x=[[currents]],
            steps=4,
            schedule="async",
            ticks_per_step=2,
            arrivals=arrivals,
        )
        assert signs(result, "pool") == [(4, 1), (8, 1)]


def test_a_count_taken_back_lowers_the_maximum_unless_another_holds_it() -> None:
    """Two pixels, the first of which is called back by a slower third: 1, 1/2 and -1 in all."""
    graph = Graph(
        "fading",
        (Input("image", (1, 1, 2)),),
        (
            Node("in", Pad(), ("image",)),
            Node("early", Relu(), ("in",), spiking=signed()[1]),
            Node("late", Conv2d(tensor("late.weight", [[[[-1.0]]]])), ("early",), delay=2),
            Node("sum", Add(), ("in", "late")),
            Node("four", Relu(), ("sum",), spiking=signed()[1]),
            Node("pool", MaxPool2d((1, 2)), ("four",)),
            Node("flat", Flatten(), ("pool",)),
            Node("out", linear("out", [[1.0]]), ("flat",)),
        ),
        ("out",),
    )
    result = simulated(graph, x=[[[[1.0, 0.0]]]], steps=4, settle=True)
    # v of 'four' at steps 1..6: 1, 1, 1 - 1, 1 - 1, -1, -1
    assert signs(result, "four") == [(1, 1), (2, 1), (5, -1), (6, -1)]
    assert signs(result, "pool") == [(1, 1), (2, 1), (5, -1), (6, -1)]


def test_layered_a_max_pool_fires_with_its_sources() -> None:
    currents = [[0.75, 0.5], [0.25, -1.0]]
    result = simulated(square(currents), x=[[currents]], steps=4, schedule="layered")
    assert signs(result, "pool") == [(2, 1), (3, 1), (4, 1)]
    assert result.trace.steps == 4


def test_windows_may_overlap_and_reach_over_the_edge() -> None:
    graph = chain(
        (1, 3, 3),
        ("in", Pad()),
        ("four", *signed()),
        ("pool", MaxPool2d(3, 1, ((1, 1), (1, 1)))),
        ("flat", Flatten()),
        ("out", linear("out", np.ones((1, 9)))),
    )
    x = np.array([[1.0, 0.0, 0.5], [0.25, 0.75, 0.0], [0.0, 0.0, 0.5]])
    result = simulated(graph, x=[[x]], steps=4)
    expected = [[4, 4, 3], [4, 4, 3], [3, 3, 3]]
    np.testing.assert_array_equal(result.trace.counts("pool"), [expected])


def test_a_pool_over_two_populations_follows_both() -> None:
    graph = Graph(
        "joined",
        (Input("image", (1, 1, 2)),),
        (
            Node("left", Slice((0, 0, 0), (None, None, 1), (1, 1, 1)), ("image",)),
            Node("right", Slice((0, 0, 1), (None, None, None), (1, 1, 1)), ("image",)),
            Node("a", Relu(), ("left",), spiking=signed(0.5)[1]),
            Node("b", Relu(), ("right",), spiking=signed(0.5)[1]),
            Node("both", Concat(axis=2), ("a", "b")),
            Node("pool", MaxPool2d((1, 2)), ("both",)),
            Node("flat", Flatten(), ("pool",)),
            Node("out", linear("out", [[1.0]]), ("flat",)),
        ),
        ("out",),
    )
    for x, count in (([[[[0.5, 0.25]]]], 4), ([[[[0.125, 0.375]]]], 3)):
        result = simulated(graph, x=x, steps=4)
        np.testing.assert_array_equal(result.trace.counts("pool"), [[[count]]])


def test_thresholds_that_differ_within_a_window_are_refused() -> None:
    theta = tensor("four.threshold", [[[1.0, 2.0], [1.0, 1.0]]])
    message = "node 'pool' .max_pool2d.: the neurons of one window have different thresholds"
    with pytest.raises(GraphError, match=message):
        simulated(square(np.zeros((2, 2)), theta), x=np.zeros((1, 1, 2, 2)), steps=1)


def test_a_pool_that_does_not_read_activations_as_they_are_is_refused() -> None:
    message = r"node 'pool' \(max_pool2d\) does not read the activations of populations as they are"
    for before in (AvgPool2d(1), Conv2d(tensor("gap.weight", [[[[1.0]]]]), tensor("b", [1.0]))):
        graph = square(np.zeros((2, 2)))
        if isinstance(before, AvgPool2d):
            graph = graph.replace("pool", inputs=("in",))
        else:
            graph = graph.replace("gap", op=before)
        with pytest.raises(GraphError, match=message):
            simulated(graph, x=np.zeros((1, 1, 2, 2)), steps=1)


def test_a_pool_has_no_annotation_of_its_own() -> None:
    graph = square(np.zeros((2, 2))).replace("pool", spiking=signed()[1])
    with pytest.raises(SimulationError, match=r"do not compute; .*, or take its 'spiking' out"):
        simulated(graph, x=np.zeros((1, 1, 2, 2)), steps=1)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (
            {"reset": "hard"},
            "node 'third': neuron 'signed_if' has a reset of its own",
        ),
        ({"tau": 2.0}, "node 'third': neuron 'signed_if' has no tau; leave it out, or take neuron"),
        ({"neuron": "if", "levels": 3}, "node 'third': neuron 'if' has no levels; .* 'signed_if'"),
    ],
)
def test_an_annotation_that_the_model_cannot_follow_names_the_node(
    annotation: dict, message: str
) -> None:
    spiking = Spiking(**{"threshold": 1.0, "neuron": "signed_if"} | annotation)
    graph = disputed().replace("third", spiking=spiking)
    with pytest.raises(SimulationError, match=message):
        simulated(graph, steps=1)
