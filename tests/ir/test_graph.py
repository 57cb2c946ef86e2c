"""Graph: order, edits, and what a graph that exists cannot be."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresher.errors import GraphError
from thresher.ir import Graph, Input, Node, Op, Spiking, Tensor, ops
from thresher.ir.node import Mark

IMAGE = Input("image", (2, 4, 4))


def node(name: str, *inputs: str, op: Op | None = None, **fields: object) -> Node:
    return Node(name, op or ops.Relu(), inputs or ("image",), **fields)


def graph(*nodes: Node, outputs: tuple[str, ...] | None = None) -> Graph:
    return Graph("net", (IMAGE,), nodes, outputs or (nodes[-1].name,))


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor(name, np.ones(shape))


def test_nodes_come_after_what_they_read_and_ties_keep_the_order_written() -> None:
    net = graph(node("z", "b"), node("b"), node("a"), node("c", "a"))
    assert net.order == ("b", "z", "a", "c")


@given(st.permutations(range(6)), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_the_order_is_topological_whatever_the_order_written(
    written: list[int], edges: set[tuple[int, int]]
) -> None:
    sources = {n: [a for a, b in edges if b == n and a < b] for n in range(6)}
    nodes = [
        node(f"n{n}", "image", *(f"n{a}" for a in sources[n]), op=ops.Concat()) for n in written
    ]
    place = {name: i for i, name in enumerate(graph(*nodes).order)}
    assert all(place[f"n{a}"] < place[f"n{b}"] for b in sources for a in sources[b])


def test_an_input_read_twice_has_two_edges_with_their_ports() -> None:
    net = graph(node("twice", "image", "image", op=ops.Add()))
    assert sorted(net.structure.edges(keys=True)) == [("image", "twice", 0), ("image", "twice", 1)]
    assert net.consumers("image") == ("twice",)


def test_the_structure_cannot_be_changed() -> None:
    with pytest.raises(nx.NetworkXError, match="Frozen graph"):
        graph(node("a")).structure.add_edge("a", "image")


def test_shapes_follow_the_ops() -> None:
    net = graph(node("pool", op=ops.AvgPool2d(kernel=2)), node("flat", "pool", op=ops.Flatten()))
    assert net.shapes == {"image": (2, 4, 4), "pool": (2, 2, 2), "flat": (8,)}
    assert net.in_shapes("flat") == ((2, 2, 2),)


def test_replace_changes_one_node_and_leaves_the_graph_it_was_called_on() -> None:
    net = graph(node("a"), node("b", "a"))
    changed = net.replace("a", op=ops.ClippedRelu(max=1.0))
    assert changed["a"].op == ops.ClippedRelu(max=1.0)
    assert changed["b"] is net["b"]
    assert net["a"].op == ops.Relu()


def test_without_leads_the_readers_to_the_nodes_input() -> None:
    net = graph(node("a"), node("b", "a"), node("c", "b", "a", op=ops.Add()))
    bridged = net.without("a")
    assert [n.name for n in bridged] == ["b", "c"]
    assert bridged["c"].inputs == ("b", "image")


def test_without_an_output_moves_the_output_back() -> None:
    assert graph(node("a"), node("b", "a")).without("b").outputs == ("a",)


def test_without_refuses_a_node_of_two_inputs() -> None:
    net = graph(node("a"), node("sum", "a", "image", op=ops.Add()))
    with pytest.raises(GraphError, match="node 'sum' has 2 inputs and cannot be bridged"):
        net.without("sum")


def test_graphs_are_equal_when_their_values_are_wherever_they_were_read() -> None:
    def net(file: str) -> Graph:
        op = ops.Scale(weight=tensor("w", 2))
        return graph(node("a", op=op, mark=Mark(file, 1, 1)))

    assert net("one.yaml") == net("two.yaml")


def test_tensors_are_listed_by_name_in_order_of_use() -> None:
    net = graph(
        node("b", "a", op=ops.Scale(weight=tensor("second", 2))),
        node("a", op=ops.Scale(weight=tensor("first", 2))),
        node("c", "b", spiking=Spiking(threshold=tensor("third", 2))),
    )
    assert list(net.tensors) == ["first", "second", "third"]


def test_a_tensor_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        graph(node("a", op=ops.Scale(weight=tensor("w", 2)))).tensors["w"][0] = 3


@pytest.mark.parametrize(
    ("nodes", "outputs", "message"),
    [
        ([node("a", "b"), node("b", "a")], ("a",), "nodes 'a' -> 'b' -> 'a' form a cycle"),
        ([node("a", "a")], ("a",), "nodes 'a' -> 'a' form a cycle"),
        ([node("a"), node("a")], ("a",), "two nodes are called 'a'"),
        ([node("image")], ("image",), "two nodes are called 'image'"),
        ([node("a", "nowhere")], ("a",), "node 'a': reads 'nowhere', which is no node .* 'image'"),
        ([node("a")], ("b",), "output 'b' is not a node; nodes are 'a'"),
        ([node("a")], ("image",), "output 'image' is not a node"),
        ([node("a b")], ("a b",), "'a b' cannot be a name"),
        ([node("e\u0301")], ("e\u0301",), "cannot be a name; .* composed form"),
        ([node("")], ("",), "'' cannot be a name"),
        ([node("a", op=ops.Add())], ("a",), r"op 'add' takes at least 2 input\(s\), got 1"),
        ([node("a", "image", "image")], ("a",), r"op 'relu' takes 1 input\(s\), got 2"),
        (
            [node("a", op=ops.Linear(weight=tensor("w", 3, 32)))],
            ("a",),
            r"node 'a' \(linear\): takes an input of shape .* \('image' gives \[2, 4, 4\]\)",
        ),
        (
            [node("a", spiking=Spiking(threshold=tensor("t", 4)))],
            ("a",),
            r"node 'a': spiking: threshold 't' is \[4\]; expected a scalar, \[2\] or \[2, 4, 4\]",
        ),
        (
            [
                node("a", op=ops.Scale(weight=tensor("w", 2))),
                node("b", "a", op=ops.Scale(weight=Tensor("w", np.zeros(2)))),
            ],
            ("b",),
            "node 'b': two different tensors are called 'w'",
        ),
    ],
)
def test_what_is_no_valid_graph_is_refused_by_name(
    nodes: list[Node], outputs: tuple[str, ...], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        graph(*nodes, outputs=outputs)


def test_a_graph_without_inputs_is_refused() -> None:
    with pytest.raises(GraphError, match="the graph has no input"):
        Graph("net", (), (), ("a",))


def test_a_graph_without_outputs_is_refused() -> None:
    with pytest.raises(GraphError, match="the graph has no output"):
        Graph("net", (IMAGE,), (node("a"),), ())


@pytest.mark.parametrize(("n", "message"), [(3, "3 labels"), (33, "33 labels")])
def test_labels_of_another_count_than_the_outputs_values_are_refused(n: int, message: str) -> None:
    labels = tuple(map(str, range(n)))
    with pytest.raises(GraphError, match=f"are {message}, but output 'a' gives 32 values; expec"):
        dataclasses.replace(graph(node("a")), labels=labels)


def test_a_delay_on_what_makes_no_projection_is_refused() -> None:
    assert graph(node("a", op=ops.Identity(), delay=3))["a"].delay == 3
    with pytest.raises(GraphError, match="node 'a': a delay stands on op 'relu'; expected it on"):
        graph(node("a", delay=3))


def test_a_node_that_is_not_there_cannot_be_replaced() -> None:
    with pytest.raises(GraphError, match="there is no node 'b' to replace; nodes are 'a'"):
        graph(node("a")).replace_all({"b": node("b")})


def test_an_error_says_where_in_the_file_the_node_stands() -> None:
    marked = dataclasses.replace(node("a", "nowhere"), mark=Mark("net.yaml", 7, 3))
    with pytest.raises(GraphError, match=r"^net.yaml:7: node 'a': reads 'nowhere'"):
        graph(marked)
