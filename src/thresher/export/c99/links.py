"""Links and feeds: how spikes, and the image, reach the neurons of a population."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.export.c99.places import Places, axes_of, by_channel, sum_of_axes
from thresher.ir.linear_map import LinearMap
from thresher.ir.weighted_map import ConvMap, DenseMap
from thresher.sim import Network, Projection
from thresher.sim.network import RunSynapses, engine_order
from thresher.sim.synapses import to_synapses

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Kernel:
    """How a convolution moves, (down, across) each."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    source: tuple[int, int]
    target: tuple[int, int]
    groups: int


@dataclass(frozen=True, eq=False)
class Link:
    """A projection: "conv", "dense", "identity", "sparse", or "windows" onto a max pool.

    `places` say where a source neuron stands in what the weights are for; a sparse link has
    `indptr` and `indices` instead. Weights are laid out as tables.h says.
    """

    kind: str
    projection: Projection
    weights: Array
    places: Places | None = None
    kernel: Kernel | None = None
    indptr: Array | None = None
    indices: Array | None = None


@dataclass(frozen=True, eq=False)
class Feed:
    """What the image brings a population: "conv", "dense", or "sparse" by target."""

    kind: str
    target: int
    weights: Array
    bias: Array
    scale: Array
    most: int
    kernel: Kernel | None = None
    indptr: Array | None = None
    pixels: Array | None = None


def link_of(network: Network, projection: Projection, maps: dict[str, LinearMap]) -> Link:
    """Lay a projection out; `maps` are those that lead to its target, by source.

    Raises
    ------
    SimulationError
        Where a max pool follows its sources through what is no grid of them.
    """
    if projection.kind == "window":
        return _windows(network, projection, maps)
    source = network.populations[projection.source]
    synapses = projection.synapses
    if isinstance(synapses, RunSynapses):
        if projection.kind == "dense":
            places = sum_of_axes(synapses.rows, source)
            if places is not None:
                return Link("dense", projection, synapses.weights, places)
        found = maps[source.name]
        if projection.kind == "conv" and isinstance(found, ConvMap):
            places = axes_of(synapses.rows, len(synapses.weights), found.grid[1], source)
            if places is not None:
                weights = synapses.weights[:, ::-1]
                return Link("conv", projection, weights, places, _kernel(found))
    targets = [synapses.of(neuron) for neuron in range(source.size)]
    counts = [len(found) for found, _ in targets]
    if projection.kind == "identity":
        rows = np.array([found[0] if len(found) else -1 for found, _ in targets])
        places = sum_of_axes(rows, source)
        if places is not None:
            reached = np.array([w[0] if len(w) else 0 for _, w in targets], synapses.weights.dtype)
            reached[rows < 0] = reached[rows >= 0][0]
            return Link("identity", projection, by_channel(reached, source), places)
    return Link(
        "sparse",
        projection,
        np.concatenate([weights for _, weights in targets]),
        indptr=np.concatenate([[0], np.cumsum(counts)]),
        indices=np.concatenate([found for found, _ in targets]),
    )


def feed_of(network: Network, rank: int, linear: LinearMap) -> Feed:
    """Lay out what the image brings the population of a rank, whose membranes are fitted."""
    population, span = network.populations[rank], network.span(rank)
    if network.most_current is None:
        raise ValueError("membranes have not been fitted")
    shared = (
        rank,
        by_channel(population.current, population),
        by_channel(network.scale[span], population),
        int(network.most_current[span].min()),
    )
    order = engine_order(linear.out_shape)
    if isinstance(linear, (ConvMap, DenseMap)) and linear.before.is_whole:
        whole = linear.with_unit_factor()
        if isinstance(whole, ConvMap):
            # (out, in/group, taps) -> (out, taps, in/group)
            flat = whole.weight.reshape(*whole.weight.shape[:2], -1).transpose(0, 2, 1)
            return _fed("conv", shared, flat, _kernel(whole))
        if isinstance(whole, DenseMap):
            return _fed("dense", shared, whole.weight[order])
    sparse = linear.to_sparse()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    pixels = np.repeat(np.arange(len(sparse.indptr) - 1), sparse.fan_out())
    targets = place[sparse.indices]
    by_target = np.lexsort((pixels, targets))
    counts = np.bincount(targets, minlength=len(order))
    return _fed(
        "sparse",
        shared,
        sparse.values[by_target],
        indptr=np.concatenate([[0], np.cumsum(counts)]),
        pixels=pixels[by_target],
    )


def _windows(network: Network, projection: Projection, maps: dict[str, LinearMap]) -> Link:
    """Lay out a projection onto a max pool: a convolution of ones, channel by channel."""
    source, target = (network.populations[r] for r in (projection.source, projection.target))
    found = maps[source.name]
    if isinstance(found, ConvMap):
        ones = replace(found, before=found.before.with_unit_factor())
        kind, synapses = to_synapses(ones, network.weight_dtype, "")
        link = link_of(network, replace(projection, kind=kind, synapses=synapses), maps)
        if link.kind == "conv":
            return replace(link, kind="windows")
    raise SimulationError(
        f"node '{target.name}' is a max pool of '{source.name}' by way of what moves values out of "
        "their channels, rows or columns, or repeats them, and a C file has windows of whole grids "
        "alone; put the max pool right after the neurons"
    )


def _kernel(conv: ConvMap) -> Kernel:
    height, width, out_height, out_width = conv.grid
    down, across = conv.padding
    return Kernel(
        (conv.weight.shape[2], conv.weight.shape[3]),
        conv.stride,
        (down[0], across[0]),
        conv.dilation,
        (height, width),
        (out_height, out_width),
        conv.groups,
    )


def _fed(
    kind: str,
    shared: tuple[int, Array, Array, int],
    weights: Array,
    kernel: Kernel | None = None,
    **lists: Array,
) -> Feed:
    rank, bias, scale, most = shared
    return Feed(kind, rank, weights, bias, scale, most, kernel, **lists)
