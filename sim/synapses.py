"""From a composed linear map to the synapses of a projection, in the engines' order."""

import numpy as np

from thresher.ir.linear_map import IndexMap, LinearMap, Shape, SparseMap
from thresher.ir.weighted_map import ConvMap, DenseMap
from thresher.sim.network import Ints, RunSynapses, SparseSynapses, engine_order

Synapses = RunSynapses | SparseSynapses


def to_synapses(linear: LinearMap, dtype: np.dtype[np.floating]) -> tuple[str, Synapses]:
    """Return the projection's kind and its synapses, weights rounded once to `dtype`."""
    with np.errstate(over="ignore"):  # Network.check refuses what does not fit
        return _synapses(linear, dtype)


def _synapses(linear: LinearMap, dtype: np.dtype[np.floating]) -> tuple[str, Synapses]:
    if isinstance(linear, IndexMap):
        return "identity", _sparse(linear.to_sparse(), dtype)
    if isinstance(linear, ConvMap):
        shared = linear.with_unit_factor()
        if shared is not None:
            return "conv", _conv(shared, dtype)
    if isinstance(linear, DenseMap):
        matrix = linear.with_unit_factor()
        if matrix is not None:
            return "dense", _dense(matrix, dtype)
    return "sparse", _sparse(linear.to_sparse(), dtype)


def _conv(conv: ConvMap, dtype: np.dtype[np.floating]) -> RunSynapses:
    out_channels, inner, *kernel = conv.weight.shape
    channels, plane = inner * conv.groups, conv.grid[0] * conv.grid[1]
    row_major = conv.before.rows[engine_order(conv.in_shape)]
    channel, position = np.divmod(row_major, plane)
    rows = np.where(row_major >= 0, position * channels + channel, -1)
    # (groups, out/group, in/group, taps) -> (taps, groups * in/group, out/group)
    grouped = conv.weight.reshape(conv.groups, out_channels // conv.groups, inner, -1)
    weights = grouped.transpose(3, 0, 2, 1).reshape(int(np.prod(kernel)), channels, -1)
    taps = conv.taps()
    position = np.repeat(np.arange(plane), np.diff(taps.indptr))
    ascending = np.lexsort((taps.output, position))
    return RunSynapses(
        rows.astype(np.int32),
        taps.indptr.astype(np.int32),
        (taps.output[ascending] * out_channels).astype(np.int32),
        taps.tap[ascending].astype(np.int32),
        np.ascontiguousarray(weights, dtype),
        conv.groups,
    )


def _dense(dense: DenseMap, dtype: np.dtype[np.floating]) -> RunSynapses:
    rows = dense.before.rows[engine_order(dense.in_shape)]
    weights = dense.weight[engine_order(dense.out_shape)].T
    zero = np.zeros(1, np.int32)
    return RunSynapses(
        rows.astype(np.int32),
        np.array([0, 1], np.int32),
        zero,
        zero,
        np.ascontiguousarray(weights, dtype)[None],
        1,
    )


def _sparse(sparse: SparseMap, dtype: np.dtype[np.floating]) -> SparseSynapses:
    order = engine_order(sparse.in_shape)
    fan_out = sparse.fan_out()[order]
    indptr = np.concatenate([[0], np.cumsum(fan_out)])
    entry = np.arange(indptr[-1]) + np.repeat(sparse.indptr[order] - indptr[:-1], fan_out)
    targets = _inverse(sparse.out_shape)[sparse.indices[entry]]
    source = np.repeat(np.arange(len(order)), fan_out)
    ascending = np.lexsort((targets, source))
    return SparseSynapses(
        indptr.astype(np.int64),
        targets[ascending].astype(np.int32),
        sparse.values[entry][ascending].astype(dtype),
    )


def _inverse(shape: Shape) -> Ints:
    """Return the engines' index of each row-major neuron."""
    order = engine_order(shape)
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse
