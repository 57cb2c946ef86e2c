"""Ops of several inputs: add, concat."""

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.fields import IntRule, ruled
from thresher.ir.linear_map import LinearMap, identity, numbering, reindex
from thresher.ir.op import Array, Op, Shape, register_op


@register_op
@dataclass(frozen=True)
class Add(Op):
    """Sum inputs of one shape."""

    kind: ClassVar[str] = "add"
    least_inputs: ClassVar[int] = 2
    most_inputs: ClassVar[int | None] = None

    def infer_shape(self, *shapes: Shape) -> Shape:
        if any(shape != shapes[0] for shape in shapes):
            raise GraphError("takes inputs of one shape, got " + _listed(shapes))
        return shapes[0]

    def evaluate(self, *x: Array) -> Array:
        y: Array = reduce(np.add, x)
        return y

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        return tuple(identity(shape) for shape in shapes)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(), ((3, 4, 5),) * 3


@register_op
@dataclass(frozen=True)
class Concat(Op):
    """Join inputs along an axis, counted without the batch axis."""

    kind: ClassVar[str] = "concat"
    most_inputs: ClassVar[int | None] = None
    axis: int = ruled(IntRule(0), 0)

    def infer_shape(self, *shapes: Shape) -> Shape:
        axis, first = self.axis, shapes[0]
        if axis >= len(first):
            raise GraphError(f"axis {axis} does not exist in inputs of {list(first)}")
        rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
        if len(rest) > 1 or any(len(shape) != len(first) for shape in shapes):
            raise GraphError(
                f"takes inputs that differ along axis {axis} alone, got {_listed(shapes)}"
            )
        return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])

    def evaluate(self, *x: Array) -> Array:
        return np.concatenate(x, axis=self.axis + 1)

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        out_shape = self.infer_shape(*shapes)
        ends = np.cumsum([shape[self.axis] for shape in shapes])[:-1]
        parts = np.split(numbering(out_shape), ends, axis=self.axis)
        return tuple(
            reindex(shape, out_shape, rows) for shape, rows in zip(shapes, parts, strict=True)
        )

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(axis=1), ((3, 4, 5), (3, 1, 5), (3, 2, 5))


def _listed(shapes: tuple[Shape, ...]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)
