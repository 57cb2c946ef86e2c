"""Products of values of the network: mul, matmul."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.fields import BoolRule, ruled
from thresher.ir.op import Array, Op, Shape, register_op


@register_op
@dataclass(frozen=True)
class Mul(Op):
    """Multiply two inputs value by value; an axis of size 1 is repeated, as of a gate (C, 1, 1)."""

    kind: ClassVar[str] = "mul"
    least_inputs: ClassVar[int] = 2
    most_inputs: ClassVar[int | None] = 2
    can_operate: ClassVar[bool] = True

    def infer_shape(self, *shapes: Shape) -> Shape:
        a, b = shapes
        if len(a) != len(b) or any(m != n and 1 not in (m, n) for m, n in zip(a, b, strict=True)):
            raise GraphError(
                f"takes two inputs whose axes are alike or of size 1, got {list(a)} and {list(b)}"
            )
        return tuple(map(max, a, b))

    def evaluate(self, *x: Array) -> Array:
        y: Array = x[0] * x[1]
        return y

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(), ((3, 4, 5), (3, 1, 5))


@register_op
@dataclass(frozen=True)
class MatMul(Op):
    """Multiply matrices (..., n, k) by others (..., k, m), or (..., m, k) with `transpose`.

    The axes before the last two are the same in both: heads of an attention, for example.
    """

    kind: ClassVar[str] = "matmul"
    least_inputs: ClassVar[int] = 2
    most_inputs: ClassVar[int | None] = 2
    can_operate: ClassVar[bool] = True
    transpose: bool = ruled(BoolRule(), False)

    def infer_shape(self, *shapes: Shape) -> Shape:
        a, b = shapes
        turned = (*b[:-2], *b[-2:][::-1]) if self.transpose else b
        if min(len(a), len(b)) < 2 or a[:-2] != turned[:-2] or a[-1] != turned[-2]:
            second = "(..., m, k)" if self.transpose else "(..., k, m)"
            raise GraphError(f"takes (..., n, k) and {second}, got {list(a)} and {list(b)}")
        return (*a[:-1], turned[-1])

    def evaluate(self, *x: Array) -> Array:
        y: Array = np.matmul(x[0], x[1].swapaxes(-1, -2) if self.transpose else x[1])
        return y

    def macs(self, *shapes: Shape) -> int:
        return prod(self.infer_shape(*shapes)) * shapes[0][-1]

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(transpose=True), ((2, 4, 6), (2, 3, 6))
