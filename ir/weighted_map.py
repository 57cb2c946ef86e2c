"""Linear maps with weights: a convolution and a dense matrix.

Both carry the index map that stands before them, so that a pool or a slice costs nothing when
spikes are delivered.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import numpy as np

from thresher.ir.convolution import Axis, Padding, convolve
from thresher.ir.linear_map import (
    Floats,
    IndexMap,
    Ints,
    LinearMap,
    SparseMap,
    expect_sparse_size,
    ranges,
    sparse_from_rows,
)


class Taps(NamedTuple):
    """Where a convolution's spikes land: for each input position, (output position, tap) pairs.

    Position p of the input, row-major over (h, w), owns the entries `indptr[p]:indptr[p + 1]`.
    """

    indptr: Ints
    output: Ints
    tap: Ints


@dataclass(frozen=True, eq=False)
class ConvMap(LinearMap):
    """Convolve what `before` gives, (C, H, W); weight (out, in/groups, kh, kw) as in PyTorch.

    The target may have another shape of the same order, such as (C, L) for (C, 1, L).
    """

    before: IndexMap
    weight: Floats
    stride: tuple[int, int]
    padding: Padding
    dilation: tuple[int, int]
    groups: int

    @property
    def axes(self) -> tuple[Axis, Axis]:
        """How the kernel moves down and across."""
        kernel = self.weight.shape[2:]
        down, across = map(Axis, kernel, self.stride, self.padding, self.dilation)
        return down, across

    @property
    def grid(self) -> tuple[int, int, int, int]:
        """Heights and widths: input's, then output's."""
        _, height, width = self.before.out_shape
        down, across = self.axes
        return height, width, down.size(height), across.size(width)

    def magnitudes(self) -> "ConvMap":
        return replace(self, before=self.before.magnitudes(), weight=np.abs(self.weight))

    def weigh(self, x: Floats) -> Floats:
        before = self.before.weigh(x)
        y = convolve(before, self.weight, self.stride, self.padding, self.dilation, self.groups)
        return y.reshape(len(x), *self.out_shape)

    def taps(self) -> Taps:
        """List, for each input position, the output positions reached and the kernel tap used."""
        height, width, out_height, out_width = self.grid
        axes = []
        for axis, (size, out) in enumerate(((height, out_height), (width, out_width))):
            kernel = self.weight.shape[2 + axis]
            place = np.arange(size)[:, None] + self.padding[axis][0]
            reach = place - np.arange(kernel)[None, :] * self.dilation[axis]
            hit = (reach % self.stride[axis] == 0) & (reach >= 0)
            target = reach // self.stride[axis]
            axes.append((target, hit & (target < out)))
        (rows, row_hit), (columns, column_hit) = axes
        hits = row_hit[:, None, :, None] & column_hit[None, :, None, :]  # h, w, kh, kw
        h, w, kh, kw = np.nonzero(hits)
        counts = hits.sum(axis=(2, 3)).ravel()
        return Taps(
            np.concatenate([[0], np.cumsum(counts)]),
            rows[h, kh] * out_width + columns[w, kw],
            kh * self.weight.shape[3] + kw,
        )

    def _positions(self) -> tuple[Ints, Ints, Ints]:
        """Split the sources that reach the convolution: source, input channel, input position."""
        sources = np.flatnonzero(self.before.rows >= 0)
        plane = self.grid[0] * self.grid[1]
        channel, position = np.divmod(self.before.rows[sources], plane)
        return sources, channel, position

    def fan_out(self) -> Ints:
        sources, _, position = self._positions()
        fan_out = np.zeros(prod(self.in_shape), np.int64)
        reached = np.diff(self.taps().indptr)[position]
        fan_out[sources] = reached * (len(self.weight) // self.groups)
        return fan_out

    def to_sparse(self) -> SparseMap:
        taps, (sources, channel, position) = self.taps(), self._positions()
        per_group = len(self.weight) // self.groups
        counts = np.diff(taps.indptr)[position]
        expect_sparse_size(int(counts.sum()) * per_group)
        entry = ranges(taps.indptr[position], counts)
        repeated = np.repeat(channel, counts)
        group, inner = np.divmod(repeated, self.weight.shape[1])
        out_channel = group[:, None] * per_group + np.arange(per_group)
        plane = self.grid[2] * self.grid[3]
        indices = (out_channel * plane + taps.output[entry][:, None]).ravel()
        kernel = self.weight.reshape(*self.weight.shape[:2], -1)
        values = kernel[out_channel, inner[:, None], taps.tap[entry][:, None]]
        factor = np.repeat(self.before.factor[sources], counts)
        fan_out = np.zeros(prod(self.in_shape), np.int64)
        fan_out[sources] = counts * per_group
        return sparse_from_rows(
            self.in_shape,
            self.out_shape,
            self.bias,
            fan_out,
            indices,
            (values * factor[:, None]).ravel(),
        )

    def with_unit_factor(self) -> "ConvMap | None":
        """Move the factor of `before` into the weights; None where it varies inside a channel."""
        sources, channel, _ = self._positions()
        factor = np.full(self.before.out_shape[0], np.nan)
        factor[channel] = self.before.factor[sources]
        if not np.array_equal(factor[channel], self.before.factor[sources]):
            return None
        factor[np.isnan(factor)] = 0.0
        by_group = factor.reshape(self.groups, 1, -1)
        weight = self.weight.reshape(self.groups, -1, *self.weight.shape[1:])
        scaled = (weight * by_group[..., None, None]).reshape(self.weight.shape)
        return replace(self, before=self.before.with_unit_factor(), weight=scaled)


@dataclass(frozen=True, eq=False)
class DenseMap(LinearMap):
    """Multiply what `before` gives by a matrix; weight (out, in), both row-major."""

    before: IndexMap
    weight: Floats

    def magnitudes(self) -> "DenseMap":
        return replace(self, before=self.before.magnitudes(), weight=np.abs(self.weight))

    def weigh(self, x: Floats) -> Floats:
        before = self.before.weigh(x).reshape(len(x), -1)
        return (before @ self.weight.T).reshape(len(x), *self.out_shape)

    def fan_out(self) -> Ints:
        return (self.before.rows >= 0).astype(np.int64) * len(self.weight)

    def to_sparse(self) -> SparseMap:
        n_out = len(self.weight)
        kept = np.flatnonzero(self.before.rows >= 0)
        expect_sparse_size(len(kept) * n_out)
        values = self.weight.T[self.before.rows[kept]] * self.before.factor[kept][:, None]
        indices = np.tile(np.arange(n_out), len(kept))
        return sparse_from_rows(
            self.in_shape, self.out_shape, self.bias, self.fan_out(), indices, values.ravel()
        )

    def with_unit_factor(self) -> "DenseMap | None":
        """Move the factor of `before` into the weights; None where one row has several."""
        kept = np.flatnonzero(self.before.rows >= 0)
        rows = self.before.rows[kept]
        factor = np.zeros(self.weight.shape[1])
        factor[rows] = self.before.factor[kept]
        if not np.array_equal(factor[rows], self.before.factor[kept]):
            return None
        return replace(self, before=self.before.with_unit_factor(), weight=self.weight * factor)
