"""From a composed linear map to the synapses of a projection, in the engines' order."""

from dataclasses import replace
from typing import Any

import numpy as np

from thresher.ir.linear_map import IndexMap, LinearMap, Shape, SparseMap
from thresher.ir.weighted_map import ConvMap, DenseMap
from thresher.sim.network import Floats, Ints, RunSynapses, SparseSynapses, engine_order
from thresher.sim.rounding import rounded

Synapses = RunSynapses | SparseSynapses


def to_synapses(linear: LinearMap, dtype: np.dtype[Any], what: str) -> tuple[str, Synapses]:
    """Return the projection's kind and its synapses, weights rounded once to `dtype`.

    `what` says whose they are, for messages.

    Raises
    ------
    SimulationError
        Where `dtype` is of whole numbers and a weight is beyond what it holds.
    """
    if isinstance(linear, IndexMap):
        return "identity", _sparse(linear.to_sparse(), dtype, what)
    if isinstance(linear, ConvMap):
        shared = linear.with_unit_factor()
        if shared is not None:
            return "conv", _conv(shared, dtype, what)
    if isinstance(linear, DenseMap):
        matrix = linear.with_unit_factor()
        if matrix is not None:
            return "dense", _dense(matrix, dtype, what)
    return "sparse", _sparse(linear.to_sparse(), dtype, what)


def to_windows(linear: LinearMap, dtype: np.dtype[Any]) -> tuple[str, Synapses]:
    """Return the windows of a max pool that each source lies in, with weights of 1."""
    synapses = _sparse(linear.to_sparse(), np.dtype(np.float64), "")
    return "window", replace(synapses, weights=np.ones(len(synapses.indices), dtype))


def transmit(synapses: Synapses, counts: Floats, n_targets: int) -> Floats:
    """Sum the potentials that spike counts (n_source,) bring to each target, in float64."""
    if isinstance(synapses, SparseSynapses):
        sent = np.repeat(counts, np.diff(synapses.indptr)) * synapses.weights
        return np.bincount(synapses.indices, sent, n_targets).astype(np.float64)
    total = np.zeros(n_targets)
    channels, taps, length = synapses.weights.shape
    positions = len(synapses.indptr) - 1
    reached = synapses.rows >= 0
    grid = np.bincount(synapses.rows[reached], counts[reached], positions * channels)
    grid = grid.reshape(positions, synapses.groups, channels // synapses.groups)
    position = np.repeat(np.arange(positions), np.diff(synapses.indptr))
    for tap in range(taps):
        kernel, runs = synapses.weights[:, tap].astype(np.float64), synapses.tap == tap
        grouped = kernel.reshape(synapses.groups, -1, length)
        sent = np.einsum("pgc,gcl->pgl", grid[position[runs]], grouped, optimize=True)
        targets = synapses.start[runs][:, None] + np.arange(synapses.groups * length)
        total += np.bincount(targets.ravel(), sent.ravel(), n_targets)
    return total


def _conv(conv: ConvMap, dtype: np.dtype[Any], what: str) -> RunSynapses:
    out_channels, inner, *kernel = conv.weight.shape
    channels, plane = inner * conv.groups, conv.grid[0] * conv.grid[1]
    row_major = conv.before.rows[engine_order(conv.in_shape)]
    channel, position = np.divmod(row_major, plane)
    rows = np.where(row_major >= 0, position * channels + channel, -1)
    # (groups, out/group, in/group, taps) -> (groups * in/group, taps, out/group), last tap first
    grouped = conv.weight.reshape(conv.groups, out_channels // conv.groups, inner, -1)
    weights = grouped.transpose(0, 2, 3, 1).reshape(channels, int(np.prod(kernel)), -1)[:, ::-1]
    taps = conv.taps()
    position = np.repeat(np.arange(plane), np.diff(taps.indptr))
    ascending = np.lexsort((taps.output, position))
    return RunSynapses(
        rows.astype(np.int32),
        taps.indptr.astype(np.int32),
        (taps.output[ascending] * out_channels).astype(np.int32),
        (weights.shape[1] - 1 - taps.tap[ascending]).astype(np.int32),
        rounded(weights, dtype, what),
        conv.groups,
    )


def _dense(dense: DenseMap, dtype: np.dtype[Any], what: str) -> RunSynapses:
    rows = dense.before.rows[engine_order(dense.in_shape)]
    weights = dense.weight[engine_order(dense.out_shape)].T
    zero = np.zeros(1, np.int32)
    return RunSynapses(
        rows.astype(np.int32),
        np.array([0, 1], np.int32),
        zero,
        zero,
        rounded(weights, dtype, what)[:, None],
        1,
    )


def _sparse(sparse: SparseMap, dtype: np.dtype[Any], what: str) -> SparseSynapses:
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
        rounded(sparse.values[entry][ascending], dtype, what),
    )


def _inverse(shape: Shape) -> Ints:
    """Return the engines' index of each row-major neuron."""
    order = engine_order(shape)
    inverse = np.empty_like(order)
    inverse[order] = np.arange(len(order))
    return inverse
