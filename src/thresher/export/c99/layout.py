"""Layout: a whole-number network as a C program holds it, geometry in place of lists of synapses.

`Layout.of` takes a quantized graph; `source.write` writes what it gives as C.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.export.c99.places import Places, axes_of, by_channel, sum_of_axes
from thresher.ir.graph import Graph
from thresher.ir.inflow import inflow_of, place
from thresher.ir.linear_map import LinearMap
from thresher.ir.node import Node
from thresher.ir.operation import operation_of
from thresher.ir.weighted_map import ConvMap, DenseMap
from thresher.sim import Network, Population, Projection, compile_graph
from thresher.sim.bounds import Extent, fit_membranes
from thresher.sim.network import RunSynapses, engine_order
from thresher.sim.neurons import MaxPool

Array = NDArray[Any]

PLAIN = "convert with a recipe that has no others, such as 'int8'"
"""What is advised for neurons that a C file does not run."""
BLOCK = 32
"""Neurons that share the tick from which one of them may fire; populations begin with a block."""
LARGEST_RATE = 256
"""Ticks of a step with which no product passes 64 bits where membranes have 64 themselves."""


@dataclass(frozen=True)
class Timing:
    """The steps of a run, and of `async` the ticks of a step, the refractory ticks and the delay.

    `delay` holds where a projection sets none; in lockstep it counts steps.
    """

    steps: int
    ticks_per_step: int
    refractory: int
    delay: int


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
    """A projection: "conv", "dense", "identity" or "sparse".

    `places` say where a source neuron stands in what the weights are for; a sparse link has
    `indptr` and `indices` instead. Weights are laid out as runtime.h says.
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


@dataclass(frozen=True, eq=False)
class Layout:
    """All that the C file says, but for its names.

    `first` is where each population's neurons begin, aligned to a block, and `n_neurons` their
    end; `spikes` where its list of spikes begins, `capacities` how many it holds.
    """

    network: Network
    timing: Timing
    links: tuple[Link, ...]
    feeds: tuple[Feed, ...]
    first: tuple[int, ...]
    n_neurons: int
    spikes: tuple[int, ...]
    capacities: tuple[int, ...]
    n_spikes: int
    longest_delay: int

    @classmethod
    def of(cls, graph: Graph, timing: Timing) -> "Layout":
        """Lay a quantized graph out for runs of `timing`, in either schedule.

        Raises
        ------
        SimulationError
            Where the graph is not converted or not quantized, or holds what the file cannot run.
        """
        network = _network(graph, timing)
        flows = inflow_of(graph, delay=timing.delay)
        names = [population.name for population in network.populations]
        links = [
            _link(network, projection, flows[names[projection.target]].maps)
            for projection in network.projections
        ]
        # spikes that were sent earlier arrive first; of one tick, those of the lower rank
        links.sort(key=lambda link: _arrival_order(link.projection))
        feeds = tuple(_feed(network, rank, linear) for rank, linear in network.analog)
        sizes = [population.size for population in network.populations]
        first = np.concatenate([[0], np.cumsum([-(-size // BLOCK) * BLOCK for size in sizes])])
        longest = max((p.delay for p in network.projections), default=0)
        capacities = [p.size * (longest + 1) if p.fires else 1 for p in network.populations]
        spikes = _places_of_lists(network, capacities, shared=longest == 0)
        ends = [start + capacity for start, capacity in zip(spikes, capacities, strict=True)]
        return cls(
            network,
            timing,
            tuple(links),
            feeds,
            tuple(first[:-1].tolist()),
            int(first[-1]),
            tuple(spikes),
            tuple(capacities),
            max(ends),
            longest,
        )

    @property
    def decides_by_spikes(self) -> bool:
        return self.network.populations[-1].fires

    @property
    def feeds_output(self) -> bool:
        """Whether the image reaches the readout itself, which then decides from the start."""
        last = len(self.network.populations) - 1
        return not self.decides_by_spikes and any(feed.target == last for feed in self.feeds)

    def units(self, population: Population) -> Array:
        """Return the units that stand for 1, one, by channel or by neuron."""
        return by_channel(self.network.scale[self.network.span(population.rank)], population)


def _network(graph: Graph, timing: Timing) -> Network:
    """Compile to whole numbers whose membranes are wide enough in both schedules."""
    if graph.probe is not None:
        raise SimulationError(
            f"graph '{graph.name}' probes each sample before it runs (method "
            f"'{graph.probe.method}'), which a C file does not; convert with another recipe"
        )
    for node in graph:
        _expect_plain(graph, node)
    compiled = compile_graph(graph, delay=timing.delay, dtype=np.int64)
    for population in compiled.spiking:
        if population.neuron == MaxPool.name:
            raise SimulationError(
                f"node '{population.name}' is a max pool, and a C file runs neurons 'if' alone; "
                f"{PLAIN}"
            )
    if not compiled.analog:
        raise SimulationError(f"graph '{graph.name}': the image reaches no population")
    if timing.steps <= compiled.readout.t_start:
        raise SimulationError(
            f"steps is {timing.steps}, and the readout counts from step "
            f"{compiled.readout.t_start} on; give more steps"
        )
    largest = graph.inputs[0].threshold or 1.0
    ticks = timing.steps * timing.ticks_per_step
    extents = (Extent(timing.steps, timing.steps), Extent(timing.steps, ticks, timing.refractory))
    fitted = [fit_membranes(compiled, extent, largest) for extent in extents]
    widest = max(fitted, key=lambda network: network.dtype.itemsize)
    if widest.dtype.itemsize == 8 and timing.ticks_per_step > LARGEST_RATE:
        raise SimulationError(
            f"membranes need 64 bits, and {timing.ticks_per_step} ticks per step would pass them; "
            f"expected at most {LARGEST_RATE} (--ticks-per-step), or fewer bits or steps"
        )
    most = [n.most_current for n in fitted if n.most_current is not None]
    return replace(widest, most_current=np.minimum.reduce(most))


def _expect_plain(graph: Graph, node: Node) -> None:
    """Raise SimulationError for neurons that the file does not run, or that have no scale."""
    where = f"{place(node)}node '{node.name}'"
    if operation_of(graph, node) is not None:
        raise SimulationError(
            f"{where} follows a function of its mean input, which has fractions, and a C file "
            f"counts in whole numbers; {PLAIN}"
        )
    if node.spiking is None:
        return
    if node.spiking.neuron != "if":
        raise SimulationError(
            f"{where} has neurons '{node.spiking.neuron}', and a C file runs 'if' alone; {PLAIN}"
        )
    if node.spiking.scale is None:
        raise SimulationError(
            f"{where} has no scale, and a C file counts in whole numbers; convert with the pass "
            "'quantize' as the last of a recipe (such as 'int8')"
        )


def _arrival_order(projection: Projection) -> tuple[int, int, int]:
    return projection.target, -projection.delay, projection.source


def _link(network: Network, projection: Projection, maps: dict[str, LinearMap]) -> Link:
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


def _feed(network: Network, rank: int, linear: LinearMap) -> Feed:
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


def _fed(
    kind: str,
    shared: tuple[int, Array, Array, int],
    weights: Array,
    kernel: Kernel | None = None,
    **lists: Array,
) -> Feed:
    rank, bias, scale, most = shared
    return Feed(kind, rank, weights, bias, scale, most, kernel, **lists)


def _places_of_lists(network: Network, capacities: list[int], *, shared: bool) -> list[int]:
    """Return where each population's list of spikes begins.

    Where no spike waits for a later tick, a list is free again as soon as the last population that
    it reaches has been served, and takes the lowest place that no other holds.
    """
    last = list(range(len(capacities)))
    for projection in network.projections:
        last[projection.source] = max(last[projection.source], projection.target)
    places: list[int] = []
    for rank, capacity in enumerate(capacities):
        live = sorted(
            (places[other], places[other] + capacities[other])
            for other in range(rank)
            if not shared or last[other] >= rank
        )
        start = 0
        for begin, end in live:
            if start + capacity <= begin:
                break
            start = max(start, end)
        places.append(start)
    return places
