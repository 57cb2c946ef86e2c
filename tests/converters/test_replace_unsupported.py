"""replace-unsupported: what cannot spike is refused by name, or replaced where a field says so."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from small_graphs import chain, identity_linear

from thresher.converters import Account, Context
from thresher.converters.passes import ReplaceUnsupported
from thresher.errors import PassError
from thresher.ir import Graph, Op, evaluate
from thresher.ir.op import Array, Shape
from thresher.ir.ops import (
    AvgPool2d,
    ClippedRelu,
    Identity,
    LeakyRelu,
    MaxPool2d,
    Qcfs,
    Relu,
    Softmax,
)


def apply(graph: Graph, **fields: str) -> Graph:
    return ReplaceUnsupported(**fields).apply(graph, Context())


def pooled(**fields: object) -> Graph:
    return chain((2, 4, 4), ("relu", Relu()), ("pool", MaxPool2d(kernel=2, **fields)))


@pytest.mark.parametrize("op", [Relu(), ClippedRelu(max=2.0), Qcfs(levels=4, max=1.0)])
def test_an_activation_that_can_spike_stays(op: Op) -> None:
    graph = chain((2,), ("act", op))

    assert apply(graph) == graph


def test_a_max_pool_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        PassError,
        match=r"node 'pool' \(max_pool2d\): .*retrain with avg_pool2d, take the recipe 'exact', or "
        r"set replace-unsupported\.max_pool to 'average'",
    ):
        apply(pooled())


def test_a_max_pool_becomes_an_average_of_the_same_windows_on_request() -> None:
    op = apply(pooled(stride=1, padding=1), max_pool="average")["pool"].op

    sides = ((1, 1), (1, 1))
    assert op == AvgPool2d(kernel=2, stride=1, padding=sides, count_include_pad=False)


def test_a_dilated_max_pool_is_refused_whatever_the_field_says() -> None:
    with pytest.raises(PassError, match=r"node 'pool' .*no average pool is dilated"):
        apply(pooled(dilation=2), max_pool="average")


def test_a_leaky_relu_is_refused_with_what_to_do() -> None:
    with pytest.raises(PassError, match=r"'act' \(leaky_relu\): .*leaky_relu to 'relu'"):
        apply(chain((2,), ("act", LeakyRelu())))


def test_a_leaky_relu_becomes_a_relu_on_request() -> None:
    assert apply(chain((2,), ("act", LeakyRelu())), leaky_relu="relu")["act"].op == Relu()


def test_a_leaky_relu_stays_on_request_but_where_it_is_a_relu() -> None:
    graph = chain((2,), ("act1", LeakyRelu()), ("act2", LeakyRelu(slope=0.0)))
    kept = apply(graph, leaky_relu="keep")
    assert (kept["act1"].op, kept["act2"].op) == (LeakyRelu(), Relu())


def test_a_softmax_at_the_output_is_removed_and_noted() -> None:
    graph = chain((3,), ("fc", identity_linear("fc", 3)), ("prob", Softmax()))
    context = Context()

    replaced = ReplaceUnsupported().apply(graph, context)

    x = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    assert replaced.outputs == ("fc",)
    assert context.notes == [
        Account("prob", "removed", "at the output it does not move the argmax")
    ]
    np.testing.assert_array_equal(
        evaluate(replaced, x).argmax(axis=1), evaluate(graph, x).argmax(axis=1)
    )


def test_a_softmax_between_layers_is_refused() -> None:
    graph = chain((3,), ("prob", Softmax()), ("fc", identity_linear("fc", 3)))

    with pytest.raises(PassError, match=r"'prob' \(softmax\): .*softmax to 'remove'"):
        apply(graph)


def test_a_softmax_between_layers_is_removed_on_request() -> None:
    graph = chain((3,), ("relu", Relu()), ("prob", Softmax()), ("fc", identity_linear("fc", 3)))

    assert apply(graph, softmax="remove")["fc"].inputs == ("relu",)


def test_all_offenders_are_listed_at_once() -> None:
    graph = chain(
        (1, 4, 4),
        ("act1", LeakyRelu()),
        ("pool1", MaxPool2d(kernel=2)),
        ("same", Identity()),
        ("act2", LeakyRelu()),
        ("pool2", MaxPool2d(kernel=2)),
    )

    with pytest.raises(PassError, match=r"'act1' .*'pool1' .*'act2' .*'pool2' "):
        apply(graph)


@dataclass(frozen=True)
class Square(Op):
    kind: ClassVar[str] = "square"

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *x: Array) -> Array:
        return x[0] * x[0]

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(), ((2,),)


def test_an_op_that_no_field_speaks_of_is_refused() -> None:
    with pytest.raises(PassError, match=r"node 'sq' \(square\): no pass replaces it"):
        apply(chain((2,), ("sq", Square())))
