"""Composition of a chain of linear maps, and the sum of parallel ones, in the cheapest form."""

from dataclasses import replace
from functools import reduce
from itertools import pairwise
from math import prod

import numpy as np

from thresher.ir.linear_map import (
    Floats,
    IndexMap,
    Ints,
    LinearMap,
    Shape,
    SparseMap,
    expect_sparse_size,
    ranges,
    sparse_from_rows,
)
from thresher.ir.merge_convolutions import merge_convolutions
from thresher.ir.weighted_map import ConvMap, DenseMap

Shapes = tuple[Shape, Shape, Floats | None]

PRODUCTS_AT_ONCE = 2**20
"""Products of two sparse maps that are held before they are summed: about 100 MB."""


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
    if isinstance(first, ConvMap):
        merged = merge_convolutions(first, second, bias)
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
    # Shapes with the same first axis number their places alike, channels first or last.
    if isinstance(first, ConvMap) and second.is_whole and first.out_shape[0] == second.out_shape[0]:
        by_channel = second.factor.reshape(first.out_shape[0], -1)
        if (by_channel == by_channel[:, :1]).all():
            scaled = first.weight * by_channel[:, 0, None, None, None]
            return replace(first, out_shape=second.out_shape, bias=shapes[2], weight=scaled)
    return None


def _choose_rows(weight: Floats, index: IndexMap) -> Floats:
    """Apply an index map to the rows of a matrix."""
    kept = index.rows >= 0
    chosen = np.zeros((prod(index.out_shape), weight.shape[1]))
    np.add.at(chosen, index.rows[kept], weight[kept] * index.factor[kept, None])
    return chosen


def _multiply(first: SparseMap, second: SparseMap, shapes: Shapes) -> SparseMap:
    """Multiply two sparse maps, a few sources at a time, since many products make one synapse."""
    products = np.diff(second.indptr)[first.indices]
    upto = np.concatenate([[0], np.cumsum(products)])[first.indptr]
    expect_sparse_size(int(upto[-1]))
    cuts = np.searchsorted(upto, np.arange(0, upto[-1], PRODUCTS_AT_ONCE))
    ends = np.unique(np.append(cuts, [0, len(upto) - 1]))
    parts = [_rows(first, second, *block, shapes[1]) for block in pairwise(ends.tolist())]
    fan_out = np.concatenate([part.fan_out() for part in parts])
    return SparseMap(
        *shapes,
        np.concatenate([[0], np.cumsum(fan_out)]),
        np.concatenate([part.indices for part in parts]),
        np.concatenate([part.values for part in parts]),
    )


def _rows(
    first: SparseMap, second: SparseMap, start: int, stop: int, out_shape: Shape
) -> SparseMap:
    """Multiply the sources from `start` to `stop` of a sparse map by another."""
    entries = slice(first.indptr[start], first.indptr[stop])
    between = first.indices[entries]
    counts = np.diff(second.indptr)[between]
    entry = ranges(second.indptr[between], counts)
    values = np.repeat(first.values[entries], counts) * second.values[entry]
    source = np.repeat(np.arange(stop - start), first.fan_out()[start:stop])
    fan_out = np.bincount(source, counts, stop - start).astype(np.int64)
    return sparse_from_rows(
        (stop - start,), out_shape, None, fan_out, second.indices[entry], values
    )


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
