"""Ops that move values: identity, dropout, flatten, reshape, permute, slice, pad, ..."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.fields import FloatRule, IntsRule, Pair, PairRule, ruled
from thresher.ir.linear_map import LinearMap, identity, numbering, reindex, sparse_from_rows
from thresher.ir.op import Array, Op, Shape, expect_axes, register_op

Bounds = tuple[int | None, ...]


@dataclass(frozen=True)
class Fold(Op):
    """Keep every value in its row-major place; the shape alone may change."""

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    def evaluate(self, *x: Array) -> Array:
        (values,) = x
        return values.reshape(len(values), *self.infer_shape(values.shape[1:]))

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        return (identity(shapes[0], self.infer_shape(*shapes)),)


@register_op
@dataclass(frozen=True)
class Identity(Fold):
    """x."""

    kind: ClassVar[str] = "identity"

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class Dropout(Fold):
    """x: at evaluation nothing is dropped; `p` is what training used."""

    kind: ClassVar[str] = "dropout"
    p: float = ruled(FloatRule(0.0, maximum=1.0), 0.5)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(p=0.3), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class Flatten(Fold):
    """Fold all axes into one, row-major."""

    kind: ClassVar[str] = "flatten"

    def infer_shape(self, *shapes: Shape) -> Shape:
        return (prod(shapes[0]),)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class Reshape(Fold):
    """Fold the values, row-major, into a shape without the batch axis; one size may be -1."""

    kind: ClassVar[str] = "reshape"
    shape: tuple[int, ...] = ruled(IntsRule(minimum=-1))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.shape or 0 in self.shape or self.shape.count(-1) > 1:
            raise GraphError(
                f"op 'reshape': field 'shape' is {list(self.shape)}; expected sizes of at least "
                "1, of which one may be -1, which stands for what is left"
            )

    def infer_shape(self, *shapes: Shape) -> Shape:
        count = prod(shapes[0])
        told = prod(size for size in self.shape if size > 0)
        if count % told or (-1 not in self.shape and count != told):
            raise GraphError(
                f"{count} values of {list(shapes[0])} do not fill the shape {list(self.shape)}"
            )
        return tuple(size if size > 0 else count // told for size in self.shape)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(shape=(6, -1)), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class Permute(Op):
    """Bring the axes into another order, counted without the batch axis: axis i is order[i]."""

    kind: ClassVar[str] = "permute"
    order: tuple[int, ...] = ruled(IntsRule(minimum=0))

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if sorted(self.order) != list(range(len(shape))):
            raise GraphError(
                f"order {list(self.order)} does not name every axis of {list(shape)} once, "
                "counted from 0 after the batch axis"
            )
        return tuple(shape[axis] for axis in self.order)

    def evaluate(self, *x: Array) -> Array:
        # Laid out anew, since how sums over a view round depends on the batch.
        return np.ascontiguousarray(x[0].transpose(0, *(axis + 1 for axis in self.order)))

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        out_shape = self.infer_shape(*shapes)
        rows = numbering(out_shape).transpose(np.argsort(self.order))
        return (reindex(shapes[0], out_shape, rows),)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(order=(2, 0, 1)), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class Slice(Op):
    """Take start:stop:step of each axis, as Python does; an empty list or null says nothing."""

    kind: ClassVar[str] = "slice"
    start: Bounds = ruled(IntsRule(nullable=True), ())
    stop: Bounds = ruled(IntsRule(nullable=True), ())
    step: Bounds = ruled(IntsRule(minimum=1, nullable=True), ())

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        for name in ("start", "stop", "step"):
            given = getattr(self, name)
            if given and len(given) != len(shape):
                raise GraphError(
                    f"field '{name}' has {len(given)} entries; expected one for each of the "
                    f"{len(shape)} axes"
                )
        taken = zip(self._slices(shape), shape, strict=True)
        sizes = tuple(len(range(*place.indices(size))) for place, size in taken)
        if min(sizes) < 1:
            raise GraphError(f"start, stop and step leave {list(sizes)}, which holds no value")
        return sizes

    def evaluate(self, *x: Array) -> Array:
        return x[0][(slice(None), *self._slices(x[0].shape[1:]))]

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        out_shape = self.infer_shape(shape)
        rows = np.full(shape, -1)
        rows[self._slices(shape)] = numbering(out_shape)
        return (reindex(shape, out_shape, rows),)

    def _slices(self, shape: Shape) -> tuple[slice, ...]:
        nothing = (None,) * len(shape)
        bounds = (self.start or nothing, self.stop or nothing, self.step or nothing)
        return tuple(map(slice, *bounds))

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(start=(1, -4, 0), stop=(3, None, None), step=(1, 2, 3)), ((3, 6, 7),)


@register_op
@dataclass(frozen=True)
class Pad(Op):
    """Put zeros [before, after] each axis; (C,) has channels, (C, L) channels and width."""

    kind: ClassVar[str] = "pad"
    channels: Pair = ruled(IntsRule(minimum=0, length=2), (0, 0))
    height: Pair = ruled(IntsRule(minimum=0, length=2), (0, 0))
    width: Pair = ruled(IntsRule(minimum=0, length=2), (0, 0))

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) < 3 and any(self.height):
            raise GraphError(f"pads the height of {list(shape)}, which has none")
        if len(shape) < 2 and any(self.width):
            raise GraphError(f"pads the width of {list(shape)}, which has none")
        return tuple(n + sum(pair) for n, pair in zip(shape, self._pairs(shape), strict=True))

    def evaluate(self, *x: Array) -> Array:
        return np.pad(x[0], ((0, 0), *self._pairs(x[0].shape[1:])))

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        out_shape = self.infer_shape(shape)
        inner = zip(self._pairs(shape), shape, strict=True)
        rows = numbering(out_shape)[tuple(slice(pair[0], pair[0] + n) for pair, n in inner)]
        return (reindex(shape, out_shape, rows),)

    def _pairs(self, shape: Shape) -> list[Pair]:
        by_rank = {
            1: [self.channels],
            2: [self.channels, self.width],
            3: [self.channels, self.height, self.width],
        }
        if len(shape) not in by_rank:
            raise GraphError(f"takes (C,), (C, L) or (C, H, W), got {list(shape)}")
        return by_rank[len(shape)]

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(channels=(1, 2), height=(0, 1), width=(2, 0)), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class UpsampleNearest(Op):
    """Repeat each place of (C, H, W) `scale` times along height and width."""

    kind: ClassVar[str] = "upsample_nearest"
    scale: Pair = ruled(PairRule(1))

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        expect_axes(shape, 3, "(C, H, W)")
        return (shape[0], shape[1] * self.scale[0], shape[2] * self.scale[1])

    def evaluate(self, *x: Array) -> Array:
        return x[0].repeat(self.scale[0], axis=2).repeat(self.scale[1], axis=3)

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        out_shape = self.infer_shape(shape)
        (down, across), (channels, height, width) = self.scale, shape
        blocks = numbering(out_shape).reshape(channels, height, down, width, across)
        targets = blocks.transpose(0, 1, 3, 2, 4).ravel()
        fan_out = np.full(prod(shape), down * across)
        ones = np.ones(len(targets))
        return (sparse_from_rows(shape, out_shape, None, fan_out, targets, ones),)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(scale=(2, 3)), ((3, 2, 4),)
