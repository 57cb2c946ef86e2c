"""LinearMap: what a linear op is, as arrays; index maps and sparse maps.

A map takes a source of shape `in_shape` to a target of shape `out_shape`; neurons are numbered
row-major in both. Arithmetic is float64. Four kinds cover every linear op: an index map (each
source reaches at most one target: identity, pool, flatten, slice, pad, affine), a sparse matrix,
the general fallback, and in `weighted_map` a convolution and a dense matrix. `compose` chains and
adds them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError

Shape = tuple[int, ...]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST_SPARSE = 2**27
"""Synapses that a sparse map may have, those of parallel paths counted apart; each takes about 100
bytes while the map is built."""


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

    @abstractmethod
    def magnitudes(self) -> "LinearMap":
        """Return the map with the absolute value of every weight."""

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

    def with_unit_factor(self) -> "IndexMap":
        """Leave the factors out: what is sent on goes unchanged."""
        return replace(self, factor=np.ones(len(self.factor)))

    def magnitudes(self) -> "IndexMap":
        return replace(self, factor=np.abs(self.factor))

    def weigh(self, x: Floats) -> Floats:
        kept = np.flatnonzero(self.rows >= 0)
        rows, n_out = self.rows[kept], prod(self.out_shape)
        sent = x.reshape(len(x), -1)[:, kept] * self.factor[kept]
        y = [np.bincount(rows, sample, n_out) for sample in sent]
        return np.array(y, np.float64).reshape(len(x), *self.out_shape)

    def fan_out(self) -> Ints:
        return (self.rows >= 0).astype(np.int64)

    def to_sparse(self) -> "SparseMap":
        kept = self.rows >= 0
        indptr = np.concatenate([[0], np.cumsum(kept)])
        return SparseMap(
            self.in_shape, self.out_shape, self.bias, indptr, self.rows[kept], self.factor[kept]
        )


@dataclass(frozen=True, eq=False)
class SparseMap(LinearMap):
    """List the synapses source by source (CSR): targets ascending, each named once."""

    indptr: Ints
    indices: Ints
    values: Floats

    def magnitudes(self) -> "SparseMap":
        return replace(self, values=np.abs(self.values))

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


def at_places(shape: Shape, rows: Ints, columns: Ints) -> Ints:
    """Return the neuron's number at (c, rows[h], columns[w]) of a shape; -1 where either is -1."""
    down, across = rows[:, None], columns
    return np.where((down >= 0) & (across >= 0), numbering(shape)[:, down, across], -1)


def per_channel(values: NDArray[np.floating], shape: Shape) -> Floats:
    """Spread one value a channel (C,) over a shape whose first axis counts the channels.

    Values that have the shape already stay as they are.
    """
    if values.shape == shape:
        return values.astype(np.float64)
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


def ranges(starts: Ints, counts: Ints) -> Ints:
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
