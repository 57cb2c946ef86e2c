"""LinearMap: what a linear op is, as arrays; and the composition of a chain of them.

A map takes a source of shape `in_shape` to a target of shape `out_shape`; neurons are numbered
row-major in both. Arithmetic is float64. Four kinds cover every linear op: an index map (each
source reaches at most one target: identity, pool, flatten, slice, pad, affine), a convolution, a
dense matrix, and a sparse matrix, the general fallback. Convolutions and matrices carry the index
map that stands before them, so that a pool or a slice costs nothing when spikes are delivered.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError
from thresher.ir.convolution import Axis, convolve

Shape = tuple[int, ...]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Padding = tuple[tuple[int, int], tuple[int, int]]

LARGEST_SPARSE = 2**28
"""Synapses that a sparse map may hold (16 bytes each while it is composed)."""


class Taps(NamedTuple):
    """Where a convolution's spikes land: for each input position, (output position, tap) pairs.

    Position p of the input, row-major over (h, w), owns the entries `indptr[p]:indptr[p + 1]`.
    """

    indptr: Ints
    output: Ints
    tap: Ints


@dataclass(frozen=True, eq=False)
class LinearMap(ABC):
    """Hold the shapes and the bias, which has the target's shape; None is no bias."""

    in_shape: Shape
    out_shape: Shape
    bias: Floats | None

    @abstractmethod
    def weigh(self, x: Floats) -> Floats:
        """Apply the weights without the bias to a batch (N, *in_shape)."""

    @abstractmethod
    def fan_out(self) -> Ints:
        """Count the targets that each source neuron reaches, row-major (n_in,)."""

    @abstractmethod
    def to_sparse(self) -> "SparseMap":
        """Write every synapse out, zero weights included."""

    def apply(self, x: NDArray[np.floating]) -> Floats:
        """Apply the map, bias included, to a batch (N, *in_shape)."""
        y = self.weigh(np.asarray(x, np.float64))
        return y if self.bias is None else y + self.bias


@dataclass(frozen=True, eq=False)
class IndexMap(LinearMap):
    """Send source j to target `rows[j]` times `factor[j]`; -1 sends it nowhere."""

    rows: Ints
    factor: Floats

    @property
    def is_whole(self) -> bool:
        """Whether neuron j goes to neuron j, all of them."""
        n = prod(self.in_shape)
        return n == prod(self.out_shape) and bool((self.rows == np.arange(n)).all())

    def weigh(self, x: Floats) -> Floats:
        flat = x.reshape(len(x), -1)
        y = np.zeros((len(x), prod(self.out_shape)))
        kept = np.flatnonzero(self.rows >= 0)
        rows, values = self.rows[kept], flat[:, kept] * self.factor[kept]
        if np.bincount(rows, minlength=1).max() <= 1:
            y[:, rows] = values
        else:
            np.add.at(y.T, rows, values.T)
        return y.reshape(len(x), *self.out_shape)

    def fan_out(self) -> Ints:
        return (self.rows >= 0).astype(np.int64)

    def to_sparse(self) -> "SparseMap":
        kept = self.rows >= 0
        indptr = np.concatenate([[0], np.cumsum(kept)])
        return SparseMap(
            self.in_shape, self.out_shape, self.bias, indptr, self.rows[kept], self.factor[kept]
        )


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
    def grid(self) -> tuple[int, int, int, int]:
        """Heights and widths: input's, then output's."""
        _, height, width = self.before.out_shape
        kernel = self.weight.shape[2:]
        down, across = map(Axis, kernel, self.stride, self.padding, self.dilation)
        return height, width, down.size(height), across.size(width)

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

    def to_sparse(self) -> "SparseMap":
        taps, (sources, channel, position) = self.taps(), self._positions()
        per_group = len(self.weight) // self.groups
        counts = np.diff(taps.indptr)[position]
        expect_sparse_size(int(counts.sum()) * per_group)
        entry = _ranges(taps.indptr[position], counts)
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
        return replace(self, before=_unit(self.before), weight=scaled)


@dataclass(frozen=True, eq=False)
class DenseMap(LinearMap):
    """Multiply what `before` gives by a matrix; weight (out, in), both row-major."""

    before: IndexMap
    weight: Floats

    def weigh(self, x: Floats) -> Floats:
        before = self.before.weigh(x).reshape(len(x), -1)
        return (before @ self.weight.T).reshape(len(x), *self.out_shape)

    def fan_out(self) -> Ints:
        return (self.before.rows >= 0).astype(np.int64) * len(self.weight)

    def to_sparse(self) -> "SparseMap":
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
        return replace(self, before=_unit(self.before), weight=self.weight * factor)


@dataclass(frozen=True, eq=False)
class SparseMap(LinearMap):
    """List the synapses source by source (CSR): targets ascending, each named once."""

    indptr: Ints
    indices: Ints
    values: Floats

    def weigh(self, x: Floats) -> Floats:
        n_out = prod(self.out_shape)
        counts = self.fan_out()
        rows = [
            np.bincount(self.indices, np.repeat(row, counts) * self.values, n_out)
            for row in x.reshape(len(x), -1)
        ]
        return np.array(rows, np.float64).reshape(len(x), *self.out_shape)

    def fan_out(self) -> Ints:
        return np.diff(self.indptr).astype(np.int64)

    def to_sparse(self) -> "SparseMap":
        return self


def identity(shape: Shape, out_shape: Shape | None = None) -> IndexMap:
    """Map every neuron to the one with its number; `out_shape` may fold them anew."""
    n = prod(shape)
    return IndexMap(shape, out_shape or shape, None, np.arange(n), np.ones(n))


def scaling(factor: Floats) -> IndexMap:
    """Multiply each neuron by its own factor, an array of the population's shape."""
    return IndexMap(factor.shape, factor.shape, None, np.arange(factor.size), factor.ravel())


def reindex(in_shape: Shape, out_shape: Shape, rows: NDArray[np.integer]) -> IndexMap:
    """Send each neuron on unchanged, to the target that `rows` (in_shape) names; -1 drops it."""
    return IndexMap(in_shape, out_shape, None, rows.ravel().astype(np.int64), np.ones(rows.size))


def numbering(shape: Shape) -> Ints:
    """Return every neuron's number at its place in a population of this shape."""
    return np.arange(prod(shape)).reshape(shape)


def per_channel(values: NDArray[np.floating], shape: Shape) -> Floats:
    """Spread one value a channel (C,) over a shape whose first axis counts the channels."""
    column = values.astype(np.float64).reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(column, shape)


def sparse_from_rows(
    in_shape: Shape,
    out_shape: Shape,
    bias: Floats | None,
    fan_out: Ints,
    indices: Ints,
    values: Floats,
) -> SparseMap:
    """Build a sparse map from synapses listed source by source; doubled ones are summed."""
    n_in, n_out = prod(in_shape), prod(out_shape)
    source = np.repeat(np.arange(n_in), fan_out)
    key = source * n_out + indices
    order = np.argsort(key, kind="stable")
    key, values = key[order], values[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    summed = np.add.reduceat(values, first) if len(first) else values
    sources, targets = np.divmod(key[first], n_out)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(sources, minlength=n_in))])
    return SparseMap(in_shape, out_shape, bias, indptr, targets, summed)


def compose(first: LinearMap, second: LinearMap) -> LinearMap:
    """Return the map that applies `first`, then `second`."""
    bias = second.bias
    if first.bias is not None:
        moved = second.weigh(first.bias[None])[0]
        bias = moved if bias is None else moved + bias
    shapes = (first.in_shape, second.out_shape, bias)
    if isinstance(first, IndexMap):
        return _compose_index(first, second, shapes)
    if isinstance(second, IndexMap):
        merged = _compose_after(first, second, shapes)
        if merged is not None:
            return merged
    if isinstance(first, DenseMap) and isinstance(second, DenseMap):
        chosen = _choose_rows(first.weight, second.before)
        if (second.before.rows >= 0).any():
            weight = second.weight @ chosen
            return replace(first, out_shape=second.out_shape, bias=bias, weight=weight)
    return _multiply(first.to_sparse(), second.to_sparse(), shapes)


def add_maps(maps: list[LinearMap]) -> LinearMap:
    """Sum parallel maps with one source and one target."""
    return reduce(_add, maps)


Shapes = tuple[Shape, Shape, Floats | None]


def _compose_index(first: IndexMap, second: LinearMap, shapes: Shapes) -> LinearMap:
    if isinstance(second, IndexMap):
        return IndexMap(*shapes, *_chain(first, second))
    if isinstance(second, (ConvMap, DenseMap)):
        before = IndexMap(
            first.in_shape, second.before.out_shape, None, *_chain(first, second.before)
        )
        return replace(second, in_shape=first.in_shape, bias=shapes[2], before=before)
    return _multiply(first.to_sparse(), second.to_sparse(), shapes)


def _chain(first: IndexMap, second: IndexMap) -> tuple[Ints, Floats]:
    rows = np.where(first.rows >= 0, second.rows[first.rows], -1)
    return rows, first.factor * np.where(first.rows >= 0, second.factor[first.rows], 0.0)


def _compose_after(first: LinearMap, second: IndexMap, shapes: Shapes) -> LinearMap | None:
    """Fold an index map into the matrix or convolution before it, where its form allows that."""
    if isinstance(first, DenseMap):
        reached = np.unique(second.rows[second.rows >= 0])
        if len(reached) != prod(second.out_shape):
            return None  # a target that nothing reaches must not become a synapse
        weight = _choose_rows(first.weight, second)
        return replace(first, out_shape=second.out_shape, bias=shapes[2], weight=weight)
    if isinstance(first, ConvMap) and second.is_whole and first.out_shape == second.out_shape:
        by_channel = second.factor.reshape(first.out_shape[0], -1)
        if (by_channel == by_channel[:, :1]).all():
            scaled = first.weight * by_channel[:, 0, None, None, None]
            return replace(first, bias=shapes[2], weight=scaled)
    return None


def _choose_rows(weight: Floats, index: IndexMap) -> Floats:
    """Apply an index map to the rows of a matrix."""
    kept = index.rows >= 0
    chosen = np.zeros((prod(index.out_shape), weight.shape[1]))
    np.add.at(chosen, index.rows[kept], weight[kept] * index.factor[kept, None])
    return chosen


def _multiply(first: SparseMap, second: SparseMap, shapes: Shapes) -> SparseMap:
    counts = np.diff(second.indptr)[first.indices]
    expect_sparse_size(int(counts.sum()))
    entry = _ranges(second.indptr[first.indices], counts)
    values = np.repeat(first.values, counts) * second.values[entry]
    source = np.repeat(np.arange(len(first.indptr) - 1), np.diff(first.indptr))
    fan_out = np.bincount(source, counts, len(first.indptr) - 1).astype(np.int64)
    return sparse_from_rows(*shapes, fan_out, second.indices[entry], values)


def _add(a: LinearMap, b: LinearMap) -> LinearMap:
    bias = b.bias if a.bias is None else a.bias if b.bias is None else a.bias + b.bias
    shapes = (a.in_shape, a.out_shape, bias)
    if isinstance(a, DenseMap) and isinstance(b, DenseMap) and _same(a.before, b.before):
        return replace(a, bias=bias, weight=a.weight + b.weight)
    if isinstance(a, ConvMap) and isinstance(b, ConvMap) and _same(a.before, b.before):
        geometry = (a.stride, a.padding, a.dilation, a.groups, a.weight.shape)
        if geometry == (b.stride, b.padding, b.dilation, b.groups, b.weight.shape):
            return replace(a, bias=bias, weight=a.weight + b.weight)
    one, two = a.to_sparse(), b.to_sparse()
    source = np.concatenate(
        [np.repeat(np.arange(len(m.indptr) - 1), m.fan_out()) for m in (one, two)]
    )
    order = np.argsort(source, kind="stable")
    indices = np.concatenate([one.indices, two.indices])[order]
    values = np.concatenate([one.values, two.values])[order]
    return sparse_from_rows(*shapes, one.fan_out() + two.fan_out(), indices, values)


def _same(a: IndexMap, b: IndexMap) -> bool:
    return (
        a.out_shape == b.out_shape
        and np.array_equal(a.rows, b.rows)
        and np.array_equal(a.factor, b.factor)
    )


def _unit(before: IndexMap) -> IndexMap:
    return IndexMap(before.in_shape, before.out_shape, None, before.rows, np.ones(len(before.rows)))


def _ranges(starts: Ints, counts: Ints) -> Ints:
    """Concatenate `range(start, start + count)` of every pair."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + counts, counts)


def expect_sparse_size(synapses: int) -> None:
    """Raise GraphError where a sparse map would be too large to build."""
    if synapses > LARGEST_SPARSE:
        raise GraphError(
            f"this chain of linear nodes has {synapses:,} synapses and no shared weights; at most "
            f"{LARGEST_SPARSE:,} are supported: put an activation between the nodes, or give the "
            "thresholds per channel"
        )
