"""Pools: avg_pool2d, max_pool2d, global_avg_pool, mean."""

from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError
from thresher.ir.compose import compose
from thresher.ir.convolution import Axis, taps
from thresher.ir.fields import BoolRule, IntsRule, Padding, PaddingRule, Pair, PairRule, ruled
from thresher.ir.linear_map import IndexMap, LinearMap, at_places, identity, scaling
from thresher.ir.op import Array, Op, Shape, expect_axes, register_op
from thresher.ir.weighted_map import ConvMap


@dataclass(frozen=True)
class Pool(Op):
    """The windows of a pool over (C, H, W); `stride` 0 is the kernel, as in PyTorch.

    Positions at the far edges that do not fill a window are dropped.
    """

    kernel: Pair = ruled(PairRule(1))
    stride: Pair = ruled(PairRule(0), (0, 0))
    padding: Padding = ruled(PaddingRule(), ((0, 0), (0, 0)))

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = zip(self.stride, self.kernel, strict=True)
        object.__setattr__(self, "stride", tuple(step or kernel for step, kernel in sizes))

    @property
    def axes(self) -> tuple[Axis, ...]:
        """How the window moves along height and width."""
        return tuple(map(Axis, self.kernel, self.stride, self.padding, (1, 1)))

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        expect_axes(shape, 3, "(C, H, W)")
        size = tuple(axis.size(n) for axis, n in zip(self.axes, shape[1:], strict=True))
        if min(size) < 1:
            raise GraphError(
                f"kernel {list(self.kernel)} does not fit into an input of {list(shape)}"
            )
        for axis, n in zip(self.axes, shape[1:], strict=True):
            if not _reads_all(axis, n):
                raise GraphError(
                    f"padding {[list(side) for side in self.padding]} leaves a window of kernel "
                    f"{list(self.kernel)} nothing but padding in an input of {list(shape)}; make "
                    "it smaller than the kernel"
                )
        return (shape[0], *size)

    def _windows(self, x: Array, fill: float) -> list[Array]:
        """Return what each tap of the window reads, arrays (N, C, OH, OW)."""
        size = self.infer_shape(x.shape[1:])[1:]
        padded = np.pad(x, ((0, 0), (0, 0), *self.padding), constant_values=fill)
        return [padded[:, :, rows, columns] for rows, columns in taps(size, self.axes)]


@register_op
@dataclass(frozen=True)
class AvgPool2d(Pool):
    """Average each window; padding counts as zeros, or not at all without `count_include_pad`."""

    kind: ClassVar[str] = "avg_pool2d"
    count_include_pad: bool = ruled(BoolRule(), True)

    def evaluate(self, *x: Array) -> Array:
        total = reduce(np.add, self._windows(x[0], 0.0))
        y: Array = total / self._counts(x[0].shape[1:]).astype(total.dtype)
        return y

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        out_shape = self.infer_shape(shape)
        factor = np.broadcast_to(1 / self._counts(shape), out_shape)
        if all(axis.stride >= axis.kernel for axis in self.axes):
            return (self._without_overlap(shape, factor),)
        kernel, one = np.ones((shape[0], 1, *self.kernel)), (1, 1)
        geometry = (self.stride, self.padding, one, shape[0])
        total = ConvMap(shape, out_shape, None, identity(shape), kernel, *geometry)
        return (compose(total, scaling(factor)),)

    def _without_overlap(self, shape: Shape, factor: Array) -> IndexMap:
        """Send each position to the one window that it lies in, if any."""
        windows = []
        for axis, size in zip(self.axes, shape[1:], strict=True):
            window, tap = np.divmod(np.arange(size) + axis.padding[0], axis.stride)
            windows.append(np.where((tap < axis.kernel) & (window < axis.size(size)), window, -1))
        rows = at_places(factor.shape, *windows).ravel()
        factors = np.where(rows >= 0, factor.ravel()[rows], 0.0)
        return IndexMap(shape, factor.shape, None, rows, factors)

    def _counts(self, shape: Shape) -> NDArray[np.float64]:
        """Return what each window's sum is divided by, (OH, OW) or one for all."""
        if self.count_include_pad:
            return np.full((1, 1), float(prod(self.kernel)))
        sizes = zip(self.axes, shape[1:], strict=True)
        rows, columns = (_inside(axis, size).sum(axis=1) for axis, size in sizes)
        counts: NDArray[np.float64] = (rows[:, None] * columns).astype(np.float64)
        return counts

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        op = cls(kernel=(3, 2), stride=(2, 2), padding=((1, 1), (0, 0)), count_include_pad=False)
        return op, ((3, 6, 5),)


@register_op
@dataclass(frozen=True)
class MaxPool2d(Pool):
    """Take each window's largest value; padding never is the largest."""

    kind: ClassVar[str] = "max_pool2d"
    can_operate: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    dilation: Pair = ruled(PairRule(1), (1, 1))

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(map(Axis, self.kernel, self.stride, self.padding, self.dilation))

    def evaluate(self, *x: Array) -> Array:
        y: Array = reduce(np.maximum, self._windows(x[0], -np.inf))
        return y

    def to_windows(self, *shapes: Shape) -> LinearMap:
        (shape,) = shapes
        ones = np.ones((shape[0], 1, *self.kernel))
        geometry = (self.stride, self.padding, self.dilation, shape[0])
        return ConvMap(shape, self.infer_shape(shape), None, identity(shape), ones, *geometry)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        op = cls(kernel=(3, 2), stride=(2, 1), padding=((1, 0), (0, 1)), dilation=(1, 2))
        return op, ((3, 6, 5),)


@register_op
@dataclass(frozen=True)
class GlobalAvgPool(Op):
    """Average each channel of (C, H, W) over its places; the result is (C, 1, 1)."""

    kind: ClassVar[str] = "global_avg_pool"

    def infer_shape(self, *shapes: Shape) -> Shape:
        expect_axes(shapes[0], 3, "(C, H, W)")
        return (shapes[0][0], 1, 1)

    def evaluate(self, *x: Array) -> Array:
        y: Array = x[0].mean(axis=(2, 3), keepdims=True)
        return y

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        channels, places = shape[0], prod(shape[1:])
        rows, factor = np.repeat(np.arange(channels), places), np.full(prod(shape), 1 / places)
        return (IndexMap(shape, self.infer_shape(shape), None, rows, factor),)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class Mean(Op):
    """Average over axes, counted without the batch axis; `keep` leaves axes of size 1.

    Where no axis is left, the result is (1,).
    """

    kind: ClassVar[str] = "mean"
    axes: tuple[int, ...] = ruled(IntsRule(minimum=0))
    keep: bool = ruled(BoolRule(), False)

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if not self.axes or len({*self.axes}) < len(self.axes) or max(self.axes) >= len(shape):
            raise GraphError(
                f"axes {list(self.axes)} are not axes of {list(shape)}, each once, counted from 0 "
                "after the batch axis"
            )
        kept = self._kept(shape)
        return kept if self.keep else tuple(kept[i] for i in self._left(shape)) or (1,)

    def evaluate(self, *x: Array) -> Array:
        (values,) = x
        y: Array = values.mean(axis=tuple(axis + 1 for axis in self.axes))
        return y.reshape(len(values), *self.infer_shape(values.shape[1:]))

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        kept = self._kept(shape)
        rows = np.broadcast_to(np.arange(prod(kept)).reshape(kept), shape).ravel()
        factor = np.full(prod(shape), prod(kept) / prod(shape))
        return (IndexMap(shape, self.infer_shape(shape), None, rows, factor),)

    def _kept(self, shape: Shape) -> Shape:
        return tuple(1 if axis in self.axes else size for axis, size in enumerate(shape))

    def _left(self, shape: Shape) -> list[int]:
        return [axis for axis in range(len(shape)) if axis not in self.axes]

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(axes=(0, 2)), ((3, 4, 5),)


def _reads_all(axis: Axis, size: int) -> bool:
    """Tell whether every window along an axis reads a place that is no padding."""
    if axis.padding[0] >= axis.reach:
        return False
    first = np.arange(axis.size(size)) * axis.stride - axis.padding[0]
    tap = np.maximum(0, -(first // axis.dilation))  # the first that lies at 0 or after
    return bool(((tap < axis.kernel) & (first + tap * axis.dilation < size)).all())


def _inside(axis: Axis, size: int) -> NDArray[np.bool_]:
    """Tell of each window (row) and tap (column) along an axis whether it reads no padding."""
    first = np.arange(axis.size(size)) * axis.stride - axis.padding[0]
    place = first[:, None] + np.arange(axis.kernel) * axis.dilation
    return (place >= 0) & (place < size)
