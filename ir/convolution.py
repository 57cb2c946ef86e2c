"""Dense convolution of a batch (im2col and a matrix product), shared by ops and linear maps."""

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


class Axis(NamedTuple):
    """How a window moves along one axis."""

    kernel: int
    stride: int
    padding: Pair
    dilation: int

    def size(self, size: int) -> int:
        """Return the output's size; 0 or less where the kernel does not fit."""
        return (size + sum(self.padding) - self.reach) // self.stride + 1

    @property
    def reach(self) -> int:
        """The places from a window's first tap to its last, both counted."""
        return self.dilation * (self.kernel - 1) + 1


def taps(size: Sequence[int], axes: Sequence[Axis]) -> Iterator[tuple[slice, slice]]:
    """Yield, tap by tap, which places of the padded input a grid of `size` windows reads."""
    starts = [range(0, axis.reach, axis.dilation) for axis in axes]
    ends = [(n - 1) * axis.stride + 1 for n, axis in zip(size, axes, strict=True)]
    for row, column in product(*starts):
        yield (
            slice(row, row + ends[0], axes[0].stride),
            slice(column, column + ends[1], axes[1].stride),
        )


def patches(
    x: Array, kernel: Sequence[int], stride: Pair, padding: Padding, dilation: Pair
) -> Array:
    """Return what every window of a batch (N, C, H, W) holds, (N, C * kh * kw, places)."""
    axes = list(map(Axis, kernel, stride, padding, dilation))
    size = [axis.size(places) for axis, places in zip(axes, x.shape[2:], strict=True)]
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    windows = [padded[:, :, rows, across] for rows, across in taps(size, axes)]
    return np.stack(windows, axis=2).reshape(len(x), -1, prod(size))


def convolve(
    x: Array, weight: Array, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """Convolve a batch (N, C, H, W) with a weight (out, in/groups, kh, kw) as PyTorch does.

    Each sample is one matrix product of its own, so its result does not depend on the batch.
    """
    n, channels = x.shape[:2]
    out_channels = len(weight)
    axes = list(map(Axis, weight.shape[2:], stride, padding, dilation))
    size = [axis.size(places) for axis, places in zip(axes, x.shape[2:], strict=True)]
    padded = np.pad(x, ((0, 0), (0, 0), *padding)) if any(map(any, padding)) else x
    places = list(taps(size, axes))
    matrix = weight.reshape(groups, out_channels // groups, -1)
    columns = np.empty((channels, len(places), *size), x.dtype)
    by_group = columns.reshape(groups, -1, prod(size))
    y = np.empty((n, groups, out_channels // groups, prod(size)), x.dtype)
    for sample in range(n):
        for tap, (rows, across) in enumerate(places):
            columns[:, tap] = padded[sample, :, rows, across]
        np.matmul(matrix, by_group, out=y[sample])
    return y.reshape(n, out_channels, *size)


def convolve_transposed(
    x: Array, weight: Array, axes: Sequence[Axis], output_padding: Pair, groups: int
) -> Array:
    """Spread a batch (N, C, H, W) by a weight (in, out/groups, kh, kw) as PyTorch does.

    The padding of `axes` is what is cut off at the edges of the result.
    """
    n, channels, *size = x.shape
    out_channels = weight.shape[1] * groups
    matrix = weight.reshape(groups, channels // groups, -1).swapaxes(1, 2)
    spread = np.matmul(matrix, x.reshape(n, groups, channels // groups, prod(size)))
    by_tap = spread.reshape(n, out_channels, -1, *size)
    full = [
        (places - 1) * axis.stride + axis.reach + extra
        for places, axis, extra in zip(size, axes, output_padding, strict=True)
    ]
    y = np.zeros((n, out_channels, *full), x.dtype)
    for tap, (rows, across) in enumerate(taps(size, axes)):
        y[:, :, rows, across] += by_tap[:, :, tap]
    (top, bottom), (left, right) = (axis.padding for axis in axes)
    return y[:, :, top : full[0] - bottom, left : full[1] - right]
