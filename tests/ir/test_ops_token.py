"""Ops of attention and gates: linear over the last axis, products, softmax along an axis."""

import numpy as np
import pytest

from thresher.errors import GraphError
from thresher.ir import Graph, Input, Node, Op, Tensor, ops
from thresher.ir.inflow import deciding_node
from thresher.ir.op import Shape

RNG = np.random.default_rng(0)
WEIGHT = Tensor("w", RNG.normal(size=(5, 4)))


def test_a_positionwise_linear_multiplies_every_place_by_one_weight() -> None:
    x = RNG.normal(size=(2, 3, 6, 4))
    op = ops.PositionwiseLinear(weight=WEIGHT)
    expected = np.einsum("nhwc,oc->nhwo", x, WEIGHT.values)
    np.testing.assert_allclose(op.evaluate(x), expected, rtol=0, atol=1e-13)
    (linear,) = op.to_linear_maps((3, 6, 4))
    np.testing.assert_allclose(linear.apply(x), expected, rtol=0, atol=1e-13)
    assert linear.fan_out().tolist() == [5] * 72
    assert op.macs((3, 6, 4)) == 3 * 6 * 4 * 5


def test_matmul_multiplies_head_by_head() -> None:
    a, b = RNG.normal(size=(2, 3, 4, 6)), RNG.normal(size=(2, 3, 6, 5))
    expected = np.einsum("nhik,nhkj->nhij", a, b)
    np.testing.assert_allclose(ops.MatMul().evaluate(a, b), expected, rtol=0, atol=1e-13)
    turned = ops.MatMul(transpose=True).evaluate(a, b.swapaxes(2, 3))
    np.testing.assert_allclose(turned, expected, rtol=0, atol=1e-13)


def test_a_gate_multiplies_all_places_of_its_channel() -> None:
    x, gate = RNG.normal(size=(2, 3, 4, 5)), RNG.normal(size=(2, 3, 1, 1))
    np.testing.assert_array_equal(ops.Mul().evaluate(gate, x), x * gate)
    assert ops.Mul().infer_shape((3, 1, 1), (3, 4, 5)) == (3, 4, 5)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax_sums_to_one_along_its_axis(axis: int) -> None:
    x = RNG.normal(size=(2, 3, 4))
    along = 2 if axis == -1 else axis + 1
    expected = np.exp(x) / np.exp(x).sum(axis=along, keepdims=True)
    found = ops.Softmax(axis=axis).evaluate(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (ops.PositionwiseLinear(weight=WEIGHT), [(4,)], r"takes \(L, C\) or more axes, got \[4\]"),
        (ops.PositionwiseLinear(weight=WEIGHT), [(2, 5)], r"weight 'w' is \[5, 4\]; expected"),
        (ops.MatMul(), [(3, 4), (3, 4)], r"\(\.\.\., k, m\), got \[3, 4\] and \[3, 4\]"),
        (ops.MatMul(transpose=True), [(2, 3, 4), (3, 4)], r"\(\.\.\., m, k\), got \[2, 3, 4\]"),
        (ops.MatMul(), [(4,), (4,)], r"takes \(\.\.\., n, k\)"),
        (ops.Mul(), [(3, 4), (3, 2)], r"alike or of size 1, got \[3, 4\] and \[3, 2\]"),
        (ops.Mul(), [(3,), (3, 1)], r"alike or of size 1, got \[3\] and \[3, 1\]"),
        (ops.Softmax(axis=1), [(3,)], r"axis 1 does not exist in an input of \[3\]"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(op: Op, shapes: list[Shape], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        op.infer_shape(*shapes)


@pytest.mark.parametrize(("shape", "deciding"), [((3,), "id"), ((2, 3), "softmax")])
def test_only_a_softmax_over_the_classes_does_not_move_the_decision(
    shape: Shape, deciding: str
) -> None:
    nodes = (Node("id", ops.Identity(), ("x",)), Node("softmax", ops.Softmax(), ("id",)))
    graph = Graph("g", (Input("x", shape),), nodes, ("softmax",))
    assert deciding_node(graph) == deciding
