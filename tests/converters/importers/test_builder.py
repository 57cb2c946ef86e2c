"""The builder of imported graphs: names, tensors, biases and refusals."""

import numpy as np
import pytest

from thresher.converters.importers.builder import GraphBuilder, Value
from thresher.errors import GraphError, SpecError, UnsupportedError
from thresher.ir import Graph, ops


def layer(b: GraphBuilder, name: str, x: Value) -> Value:
    return b.add(name, ops.Linear(weight=b.tensor(f"{name}.weight", np.eye(3))), x)


def offset(b: GraphBuilder, name: str, x: Value) -> Value:
    ones, shift = b.tensor(f"{name}.ones", np.ones(3)), b.tensor(f"{name}.shift", np.arange(3.0))
    return b.add(name, ops.Scale(weight=ones, bias=shift), x)


def kinds(graph: Graph) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(node.name, node.op.kind, node.inputs) for node in graph.nodes]


def test_an_offset_after_a_layer_is_its_bias() -> None:
    b = GraphBuilder("net", "a model")
    y = offset(b, "add", layer(b, "fc", b.input("x", (3,))))
    graph = b.finish([layer(b, "out", y)])
    assert kinds(graph) == [("fc", "linear", ("x",)), ("out", "linear", ("fc",))]
    np.testing.assert_array_equal(graph.tensors["add.shift"], [0, 1, 2])


def test_an_offset_at_the_output_gives_the_output_the_layers_name() -> None:
    b = GraphBuilder("net", "a model")
    graph = b.finish([offset(b, "add", layer(b, "fc", b.input("x", (3,))))])
    assert graph.outputs == ("fc",)


def test_an_offset_of_a_layer_that_others_read_stays() -> None:
    b = GraphBuilder("net", "a model")
    y = layer(b, "fc", b.input("x", (3,)))
    graph = b.finish([b.add("sum", ops.Add(), offset(b, "add", y), y)])
    assert [node.name for node in graph.nodes] == ["fc", "add", "sum"]


def test_a_second_offset_is_no_second_bias() -> None:
    b = GraphBuilder("net", "a model")
    graph = b.finish([offset(b, "b", offset(b, "a", layer(b, "fc", b.input("x", (3,)))))])
    assert kinds(graph) == [("fc", "linear", ("x",)), ("b", "scale", ("fc",))]


def test_names_are_cleaned_and_told_apart() -> None:
    b = GraphBuilder("net", "a model")
    x = b.input("x", (3,))
    names = [b.add(name, ops.Relu(), x).name for name in ("/act 1/Relu", "act_1/Relu", "x", "\n")]
    assert names == ["act_1/Relu", "act_1/Relu_1", "x_1", "_"]


def test_one_array_is_one_tensor_and_two_of_a_name_are_two() -> None:
    b = GraphBuilder("net", "a model")
    values, others = np.ones(3), np.zeros(3)
    first = b.tensor("w", values)
    assert b.tensor("w", values) is first
    assert b.tensor("w", others).name == "w_1"


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(SpecError, match=r"'w' holds nan at \[1\]"):
        GraphBuilder("net", "a model").tensor("w", np.array([0.0, np.nan]))


def test_an_output_that_is_an_input_gets_a_node() -> None:
    b = GraphBuilder("net", "a model")
    graph = b.finish([b.input("x", (3,))])
    assert kinds(graph) == [("output", "identity", ("x",))]


def test_a_node_of_too_many_numbers_is_refused() -> None:
    b = GraphBuilder("net", "a model")
    x = b.input("x", (4, 2**12, 2**12))
    with pytest.raises(GraphError, match=r"'up' would be .*at most 134,217,728 numbers"):
        b.add("up", ops.UpsampleNearest(scale=(2, 2)), x)


def test_all_refusals_stand_in_the_error() -> None:
    b = GraphBuilder("net", "'net.onnx'")
    b.refuse("'a'", "Tanh", "no op")
    b.refuse("'b'", "Sin", "no op")
    expected = r"'net.onnx' cannot be imported, 2 refused: 'a' \(Tanh\): no op; 'b' \(Sin\): no op"
    with pytest.raises(UnsupportedError, match=expected):
        b.finish([])
