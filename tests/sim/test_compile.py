"""compile_graph: composed projections are the linear nodes between populations; what is refused."""

from dataclasses import dataclass, replace
from typing import ClassVar

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, conv, fires, linear, tensor
from numpy.typing import NDArray
from running import row_major, weights_of
from strategies import INPUT_THRESHOLD, graphs, images

from thresher import GraphError, SimulationError
from thresher.ir import Graph, Node, Op, Readout, Spiking, Tensor
from thresher.ir.ops import (
    Add,
    AvgPool2d,
    Concat,
    Flatten,
    Identity,
    LeakyRelu,
    MaxPool2d,
    Relu,
    Sigmoid,
    Softmax,
)
from thresher.ir.spiking import spread
from thresher.sim import Network, compile_graph
from thresher.sim.network import RunSynapses

Floats = NDArray[np.float64]
F64 = np.float64


def reached(graph: Graph, sent: dict[str, Floats]) -> dict[str, Floats]:
    """Evaluate what reaches each population (N, *shape) when these send `sent`, the others 0.

    Values of activation nodes are inputs here: what they receive is what is returned.
    """
    n = len(next(iter(sent.values())))
    image = graph.inputs[0]
    values = {image.name: sent.get(image.name, np.zeros((n, *image.shape)))}
    received = {}
    for node in graph:
        x = [values[name] for name in node.inputs]
        if node.spiking is not None:
            received[node.name] = x[0]
            values[node.name] = sent.get(node.name, np.zeros_like(x[0]))
        else:
            values[node.name] = node.op.evaluate(*x)
    target = graph.outputs[0]
    received.setdefault(target, values[target])
    return received


def weight_by_evaluation(graph: Graph, network: Network, source: int, target: int) -> Floats:
    """Send one spike of each neuron of a population; return what the target gets, row-major."""
    name, shape = network.populations[source].name, network.populations[source].shape
    theta = (
        np.full(shape, INPUT_THRESHOLD)
        if name == "image"
        else spread(graph[name].spiking.threshold, shape)
    )
    n = theta.size
    spikes = np.eye(n).reshape(n, *shape) * theta
    received = reached(graph, {name: spikes})[network.populations[target].name]
    silence = reached(graph, {name: np.zeros((1, *shape))})[network.populations[target].name]
    return (received - silence).reshape(n, -1)


def in_row_major(network: Network, source: int, target: int, matrix: Floats) -> Floats:
    """Bring a matrix (sources, targets) from the engines' order into row-major order."""
    ordered = np.empty_like(matrix)
    rows, columns = (network.populations[rank].row_major for rank in (source, target))
    ordered[np.ix_(rows, columns)] = matrix
    return ordered


@given(data=st.data())
@settings(max_examples=60)
def test_a_projection_is_the_evaluation_of_the_nodes_between(data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True))
    network = compile_graph(graph, spiking_input=True, dtype=F64)
    for projection in network.projections:
        pair = projection.source, projection.target
        found = in_row_major(network, *pair, weights_of(network, projection))
        np.testing.assert_array_equal(found, weight_by_evaluation(graph, network, *pair))


@given(data=st.data())
@settings(max_examples=40)
def test_projections_join_exactly_the_pairs_with_no_population_between(
    data: st.DataObject,
) -> None:
    graph = data.draw(graphs(delays=True))
    network = compile_graph(graph, spiking_input=True)
    names = [population.name for population in network.populations]
    expected = set()
    for source in names:
        for target in names:
            kept = {n for n in graph.structure if n not in names or n in (source, target)}
            if source != target and nx.has_path(graph.structure.subgraph(kept), source, target):
                expected.add((source, target))
    pairs = [(names[p.source], names[p.target]) for p in network.projections]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == expected


def with_ones(graph: Graph) -> Graph:
    """Make every weight 1: what then arrives tells which synapses there are."""
    changed = {}
    for node in graph:
        weight = node.op.tensors.get("weight")
        if weight is not None:
            ones = Tensor(weight.name, np.ones_like(weight.values))
            changed[node.name] = replace(node, op=replace(node.op, weight=ones))
    return graph.replace_all(changed)


@given(data=st.data())
@settings(max_examples=60)
def test_a_synapse_is_each_target_that_a_spike_can_reach(data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True))
    network = compile_graph(graph, spiking_input=True)
    for projection in network.projections:
        pair = projection.source, projection.target
        expected = (weight_by_evaluation(with_ones(graph), network, *pair) > 0).sum(axis=1)
        fan_out = projection.synapses.fan_out()
        found = row_major(network, projection.source, fan_out).ravel()
        np.testing.assert_array_equal(found, expected)
        by_neuron = [len(projection.synapses.of(n)[0]) for n in range(len(fan_out))]
        np.testing.assert_array_equal(fan_out, by_neuron)


@given(data=st.data())
@settings(max_examples=40)
def test_the_constant_current_is_what_an_image_and_silence_evaluate_to(
    data: st.DataObject,
) -> None:
    graph = data.draw(graphs())
    image = data.draw(images(graph)).astype(F64)
    network = compile_graph(graph, dtype=F64)
    expected = reached(graph, {"image": image})
    analog = dict(network.analog)
    for population in network.populations:
        current = row_major(network, population.rank, population.current)
        if population.rank in analog:
            current = current + analog[population.rank].apply(image)[0]
        spiking = graph[population.name].spiking if population.fires else None
        shift = 0.0 if spiking is None else spread(spiking.shift, population.shape)
        np.testing.assert_array_equal(current, expected[population.name][0] + shift)


def test_the_same_graph_gives_the_same_network() -> None:
    graph = lenet()
    one, two = (compile_graph(graph) for _ in range(2))
    assert [p.kind for p in one.projections] == [p.kind for p in two.projections]
    for a, b in zip(one.projections, two.projections, strict=True):
        for name, values in vars(a.synapses).items():
            np.testing.assert_array_equal(values, vars(b.synapses)[name])
    assert one.nbytes == two.nbytes > 0


def lenet(*, threshold: object = 0.5) -> Graph:
    rng = np.random.default_rng(0)
    return chain(
        (1, 8, 8),
        ("c1", conv("c1", rng.normal(size=(4, 1, 3, 3)), padding=1)),
        ("if1", *fires(threshold)),
        ("pool", AvgPool2d(2)),
        ("c2", conv("c2", rng.normal(size=(6, 4, 3, 3)))),
        ("if2", *fires()),
        ("flat", Flatten()),
        ("out", linear("out", rng.normal(size=(10, 24)))),
    )


def test_a_pool_before_a_convolution_keeps_the_weights_shared() -> None:
    network = compile_graph(lenet())
    assert [p.kind for p in network.projections] == ["conv", "dense"]
    synapses = network.projections[0].synapses
    assert isinstance(synapses, RunSynapses)
    assert synapses.weights.size == 6 * 4 * 3 * 3


def test_thresholds_per_channel_keep_the_weights_shared() -> None:
    network = compile_graph(lenet(threshold=tensor("theta", [0.5, 1.0, 1.5, 2.0])))
    assert [p.kind for p in network.projections] == ["conv", "dense"]


def test_populations_stand_in_the_order_of_ranks_with_the_readout_last() -> None:
    network = compile_graph(lenet())
    assert [p.name for p in network.populations] == ["if1", "if2", "out"]
    assert [p.rank for p in network.populations] == [0, 1, 2]
    assert [p.name for p in network.spiking] == ["if1", "if2"]


def test_a_softmax_at_the_output_is_left_out() -> None:
    graph = chain((2,), ("fc", linear("fc", np.eye(2))), ("softmax", Softmax()))
    assert [p.name for p in compile_graph(graph).populations] == ["fc"]


def test_the_readout_starts_at_nothing_and_gets_no_shift() -> None:
    graph = chain(
        (2,),
        ("fc", linear("fc", np.eye(2))),
        ("if", *fires(0.5, v_init=0.25, shift=0.125)),
    )
    (readout,) = compile_graph(graph, readout=Readout("membrane")).populations
    (fired,) = compile_graph(graph, readout=Readout("spikes")).populations
    np.testing.assert_array_equal([readout.v_init, readout.current], np.zeros((2, 2)))
    np.testing.assert_array_equal([fired.v_init, fired.current], [[0.25] * 2, [0.125] * 2])


def diamond(left: int | None, right: int | None) -> Graph:
    """Two paths from one population that meet in a sum, each with a delay."""
    graph = chain((2,), ("fc", linear("fc", np.eye(2))), ("if", *fires()))
    nodes = (
        Node("a", Identity(), ("if",), delay=left),
        Node("b", linear("b", np.eye(2)), ("if",), delay=right),
        Node("sum", Add(), ("a", "b")),
    )
    return replace(graph, nodes=(*graph.nodes, *nodes), outputs=("sum",))


def test_parallel_paths_are_summed_into_one_projection() -> None:
    (projection,) = compile_graph(diamond(3, 3), dtype=F64).projections
    np.testing.assert_array_equal(
        weights_of(compile_graph(diamond(3, 3)), projection), 2 * np.eye(2)
    )
    assert projection.delay == 3


def test_two_paths_that_meet_with_different_delays_are_refused() -> None:
    message = "node 'sum': two paths from 'if' meet with delays 3 and 4; one projection has one"
    with pytest.raises(GraphError, match=message):
        compile_graph(diamond(3, 4))


def test_delays_along_a_chain_add_up_and_override_the_default() -> None:
    links = [(name, linear(name, np.eye(2))) for name in ("a", "b", "c")]
    graph = chain(
        (2,),
        ("fc", linear("fc", np.eye(2))),
        ("if1", *fires()),
        *links[:2],
        ("if2", *fires()),
        links[2],
        delays={"a": 2, "b": 3},
    )
    assert [p.delay for p in compile_graph(graph, delay=7).projections] == [5, 7]


def test_an_activation_without_a_threshold_is_named() -> None:
    graph = chain((4,), ("relu", Relu()), ("fc", linear("fc", np.ones((2, 4)))))
    message = r"node 'relu' \(relu\) has no threshold: the graph is not converted"
    with pytest.raises(SimulationError, match=message):
        compile_graph(graph)


@dataclass(frozen=True)
class Square(Op):
    kind: ClassVar[str] = "square"

    def infer_shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        return shapes[0]

    def evaluate(self, *x: np.ndarray) -> np.ndarray:
        return x[0] * x[0]

    @classmethod
    def example(cls) -> tuple[Op, tuple[tuple[int, ...], ...]]:
        return cls(), ((2,),)


def test_an_op_that_is_not_linear_is_named() -> None:
    graph = chain((4,), ("square", Square()), ("fc", linear("fc", np.ones((2, 4)))))
    message = r"node 'square' \(square\) is not linear, and no population"
    with pytest.raises(GraphError, match=message):
        compile_graph(graph)


def test_an_op_that_operators_follow_is_named_with_the_pass_that_gives_it_neurons() -> None:
    graph = chain((4,), ("gate", Sigmoid()), ("fc", linear("fc", np.ones((2, 4)))))
    message = r"node 'gate' \(sigmoid\) is not linear.* the pass 'use-operators' gives it one"
    with pytest.raises(GraphError, match=message):
        compile_graph(graph)


def test_a_leaky_relu_of_a_neuron_without_negative_spikes_is_refused() -> None:
    leaky = ("leaky", LeakyRelu(), Spiking(threshold=1.0))
    graph = chain((4,), leaky, ("fc", linear("fc", np.ones((2, 4)))))
    message = "node 'leaky' is a leaky ReLU, and neuron 'if' has no slope below 0; take neuron 'imb"
    with pytest.raises(SimulationError, match=message):
        compile_graph(graph)


def test_a_max_pool_of_neurons_without_a_count_is_named() -> None:
    leaky = fires(neuron="lif", tau=2.0)
    graph = chain((1, 4, 4), ("lif", *leaky), ("max", MaxPool2d(2)), ("flat", Flatten()))
    message = "node 'max' is a max pool of 'lif', whose neurons are 'lif'"
    with pytest.raises(SimulationError, match=message):
        compile_graph(graph)


def test_a_spikes_readout_needs_a_threshold_on_the_output() -> None:
    graph = chain((2,), ("fc", linear("fc", np.eye(2))), readout="spikes")
    message = "readout 'spikes' needs a threshold on the output 'fc', which has none"
    with pytest.raises(SimulationError, match=message):
        compile_graph(graph)


def test_two_outputs_are_refused_by_name() -> None:
    graph = chain((2,), ("a", linear("a", np.eye(2))), ("b", linear("b", np.eye(2))))
    with pytest.raises(GraphError, match=r"2 outputs \(a, b\)"):
        compile_graph(replace(graph, outputs=("a", "b")))


@pytest.mark.filterwarnings("ignore:overflow")
def test_weights_beyond_the_precision_are_refused() -> None:
    graph = chain(
        (1,), ("fc", linear("fc", [[1.0]])), ("if", *fires(1e30)), ("out", linear("out", [[1e30]]))
    )
    message = "graph 'chain' cannot be compiled: projection 'if' -> 'out': weights overflow"
    with pytest.raises(SimulationError, match=message):
        compile_graph(graph)


def test_dense_and_input_macs_are_counted_as_for_the_ann() -> None:
    network = compile_graph(lenet())
    convolutions = 8 * 8 * 4 * 9 + 2 * 2 * 6 * 4 * 9
    assert network.dense_macs == convolutions + 24 * 10
    assert network.input_macs == 8 * 8 * 4 * 9


def test_input_macs_count_a_node_once_whatever_reads_it() -> None:
    graph = chain((2,), ("fc", linear("fc", np.ones((3, 2)))))
    nodes = (
        Node("twice", Add(), ("fc", "fc")),
        Node("if1", Relu(), ("twice",), spiking=Spiking(threshold=1.0)),
        Node("if2", Relu(), ("fc",), spiking=Spiking(threshold=1.0)),
        Node("all", Concat(), ("if1", "if2")),
    )
    graph = replace(graph, nodes=(*graph.nodes, *nodes), outputs=("all",))
    assert compile_graph(graph).input_macs == 6


def test_input_macs_leave_out_what_only_spikes_go_through() -> None:
    graph = chain((3,), ("if", *fires()), ("fc", linear("fc", np.ones((3, 3)))))
    nodes = (Node("sum", Add(), ("fc", "image")),)
    graph = replace(graph, nodes=(*graph.nodes, *nodes), outputs=("sum",))
    assert compile_graph(graph).input_macs == 0
