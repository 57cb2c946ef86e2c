"""Pools and means as other tools say them: with ceil_mode, padding, or a size to come to."""

from collections.abc import Sequence
from math import prod

import numpy as np

from thresher.converters.importers.builder import GraphBuilder, Value
from thresher.converters.importers.layers.shape import (
    as_before,
    as_image,
    reshape,
    reshape_if_needed,
)
from thresher.converters.importers.layers.window import Window, expect_channels
from thresher.errors import GraphError
from thresher.ir import Op
from thresher.ir.ops import AvgPool2d, GlobalAvgPool, MaxPool2d, Mean, Pad, Scale, UpsampleNearest


def max_pool(b: GraphBuilder, name: str, x: Value, window: Window) -> Value:
    """Take the largest value of each window of (C, L) or (C, H, W)."""
    expect_channels(x, (1, 2))
    image, planar = as_image(b, name, x), window.planar()
    planar = planar.reaching(planar.overhang(image.shape[1:]), planar.padding)
    op = MaxPool2d(
        kernel=planar.kernel,  # type: ignore[arg-type]
        stride=planar.stride,  # type: ignore[arg-type]
        padding=planar.padding,  # type: ignore[arg-type]
        dilation=planar.dilation,  # type: ignore[arg-type]
    )
    return as_before(b, name, b.add(name, op, image), x)


def average_pool(
    b: GraphBuilder,
    name: str,
    x: Value,
    window: Window,
    count_include_pad: bool,
    divisor: int | None = None,
) -> Value:
    """Average each window; what hangs over the padding counts for nothing, as in PyTorch.

    `divisor`, where given, is what every sum is divided by.
    """
    expect_channels(x, (1, 2))
    image, planar = as_image(b, name, x), window.planar()
    if set(planar.dilation) != {1}:
        raise GraphError(f"averages a dilated window {planar.dilation}; expected dilation 1")
    extra, padding = planar.overhang(image.shape[1:]), planar.padding
    counted = divisor is not None or (count_include_pad and not any(extra))
    if count_include_pad and not counted and any(map(any, padding)):
        padded = Pad(height=padding[0], width=padding[1])
        image, padding = b.add(f"{name}.pad", padded, image), ((0, 0), (0, 0))
    planar = planar.reaching(extra, padding)
    op = AvgPool2d(
        kernel=planar.kernel,  # type: ignore[arg-type]
        stride=planar.stride,  # type: ignore[arg-type]
        padding=planar.padding,  # type: ignore[arg-type]
        count_include_pad=counted,
    )
    y = b.add(name, op, image)
    if divisor is not None and divisor != prod(planar.kernel):
        factor = np.full(y.shape[0], prod(planar.kernel) / divisor, np.float32)
        y = b.add(f"{name}.scale", Scale(weight=b.tensor(f"{name}.factor", factor)), y)
    return as_before(b, name, y, x)


def global_average(b: GraphBuilder, name: str, x: Value, keep: bool) -> Value:
    """Average each channel over its places; `keep` leaves axes of size 1."""
    n = expect_channels(x, (1, 2))
    y = b.add(name, GlobalAvgPool(), as_image(b, name, x))
    return reshape_if_needed(b, f"{name}.flat", y, (x.shape[0], *[1] * n) if keep else x.shape[:1])


def global_max(b: GraphBuilder, name: str, x: Value, keep: bool) -> Value:
    """Take the largest value of each channel; `keep` leaves axes of size 1."""
    n = expect_channels(x, (1, 2))
    window = Window(x.shape[1:], x.shape[1:], ((0, 0),) * n, (1,) * n)
    y = max_pool(b, name, x, window)
    return y if keep else reshape(b, f"{name}.flat", y, x.shape[:1])


def adaptive_pool(
    b: GraphBuilder, name: str, x: Value, sizes: Sequence[int], average: bool
) -> Value:
    """Pool to a given size, as PyTorch does; refuse sizes whose windows are not alike."""
    n = expect_channels(x, (1, 2))
    sizes = sizes if n == 2 else (1, *sizes)
    image = as_image(b, name, x)
    if average and all(size == 1 for size in sizes):
        return as_before(b, name, b.add(name, GlobalAvgPool(), image), x)
    axes = [_adaptive_axis(n, size) for n, size in zip(image.shape[1:], sizes, strict=True)]
    kernel, stride, repeats = zip(*axes, strict=True)
    y = image
    if set(kernel) != {1} or set(stride) != {1} or set(repeats) == {1}:
        op: Op = (
            AvgPool2d(kernel=kernel, stride=stride)
            if average
            else MaxPool2d(kernel=kernel, stride=stride)
        )
        y = b.add(name, op, y)
    if set(repeats) != {1}:
        y = b.add(f"{name}.repeat", UpsampleNearest(scale=repeats), y)
    return as_before(b, name, y, x)


def _adaptive_axis(n: int, size: int) -> tuple[int, int, int]:
    """Return kernel, stride and repetitions that pool n places to `size`."""
    if size > 0 and size % n == 0:
        return 1, 1, size // n
    index = np.arange(size)
    starts, ends = index * n // size, -(-(index + 1) * n // size)
    kernels, strides = set((ends - starts).tolist()), set(np.diff(starts).tolist())
    if len(kernels) != 1 or len(strides) > 1:
        raise GraphError(
            f"pools {n} places to {size} by windows of different sizes; expected a size that "
            f"divides {n}: give the pool a kernel and a stride"
        )
    return kernels.pop(), strides.pop() if strides else 1, 1


def mean(b: GraphBuilder, name: str, x: Value, axes: Sequence[int], keep: bool) -> Value:
    """Average over axes without the batch axis; all places of channels are a global pool."""
    if len(x.shape) in (2, 3) and list(axes) == list(range(1, len(x.shape))):
        return global_average(b, name, x, keep)
    return b.add(name, Mean(axes=tuple(axes), keep=keep), x)
