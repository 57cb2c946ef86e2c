"""Layout: a whole-number network as a C program holds it, geometry in place of lists of synapses.

`Layout.of` takes a quantized graph; `source.write` writes what it gives as C.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.export.c99.links import Feed, Link, feed_of, link_of
from thresher.export.c99.places import by_channel
from thresher.ir.graph import Graph
from thresher.ir.inflow import inflow_of, place
from thresher.ir.node import Node
from thresher.ir.operation import operation_of
from thresher.sim import Network, Population, Projection, compile_graph
from thresher.sim.bounds import Extent, fit_membranes
from thresher.sim.neurons import NEURONS, Graded, IntegrateAndFire, MaxPool
from thresher.sim.payload import BINARY, payload_of
from thresher.sim.synapses import transmit

Array = NDArray[Any]
Floats = NDArray[np.float64]

ADVICE = "convert with a recipe of whole numbers, such as 'int8' or 'exact-int8'"
"""What is advised for neurons that a C file does not run."""
BLOCK = 32
"""Neurons that share the tick from which one of them may fire; populations begin with a block."""
LARGEST_RATE = 256
"""Ticks of a step with which no product passes 64 bits where membranes have 64 themselves."""


@dataclass(frozen=True)
class Timing:
    """The steps of a run, and of `async` the ticks of a step, the refractory ticks and the delay.

    `delay` holds where a projection sets none; in lockstep it counts steps. `settle_limit` is the
    steps that a run may go on after its input, 0 where it does not.
    """

    steps: int
    ticks_per_step: int
    refractory: int
    delay: int
    settle_limit: int = 0

    @property
    def extents(self) -> tuple[Extent, Extent]:
        """How long runs are, in lockstep and event-driven."""
        steps = self.steps + self.settle_limit
        event_driven = Extent(self.steps, steps * self.ticks_per_step, self.refractory)
        return Extent(self.steps, steps), event_driven


@dataclass(frozen=True, eq=False)
class Layout:
    """All that the C file says, but for its names.

    `first` is where each population's neurons begin, aligned to a block, and `n_neurons` their
    end; `spikes` where its list of spikes begins, `capacities` how many it holds; `arrived` where
    a max pool's counts of what may be in a window begin, and `n_arrived` their end.
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
    arrived: tuple[int, ...]
    n_arrived: int
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
            link_of(network, projection, flows[names[projection.target]].maps)
            for projection in network.projections
        ]
        # spikes that were sent earlier arrive first; of one tick, those of the lower rank
        links.sort(key=lambda link: _arrival_order(link.projection))
        feeds = tuple(feed_of(network, rank, linear) for rank, linear in network.analog)
        sizes = [population.size for population in network.populations]
        first = np.concatenate([[0], np.cumsum([-(-size // BLOCK) * BLOCK for size in sizes])])
        longest = max((p.delay for p in network.projections), default=0)
        capacities = [n * (longest + 1) for n in _most_a_tick(network, timing.steps)]
        spikes = _places_of_lists(network, capacities, shared=longest == 0)
        ends = [start + capacity for start, capacity in zip(spikes, capacities, strict=True)]
        arrived = np.concatenate([[0], np.cumsum(_grids(network, links))])
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
            tuple(arrived[:-1].tolist()),
            int(arrived[-1]),
            longest,
        )

    @property
    def graded(self) -> bool:
        """Whether spikes carry other numbers than 1, or are counted by max pools."""
        return any(p.neuron != "if" for p in self.network.spiking)

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
        _expect_runs(graph, node)
    compiled = compile_graph(graph, delay=timing.delay, dtype=np.int64)
    if not compiled.analog:
        raise SimulationError(f"graph '{graph.name}': the image reaches no population")
    if timing.steps <= compiled.readout.t_start:
        raise SimulationError(
            f"steps is {timing.steps}, and the readout counts from step "
            f"{compiled.readout.t_start} on; give more steps"
        )
    largest = graph.inputs[0].threshold or 1.0
    fitted = [fit_membranes(compiled, extent, largest) for extent in timing.extents]
    widest = max(fitted, key=lambda network: network.dtype.itemsize)
    if widest.dtype.itemsize == 8 and timing.ticks_per_step > LARGEST_RATE:
        raise SimulationError(
            f"membranes need 64 bits, and {timing.ticks_per_step} ticks per step would pass them; "
            f"expected at most {LARGEST_RATE} (--ticks-per-step), or fewer bits or steps"
        )
    most = [n.most_current for n in fitted if n.most_current is not None]
    return replace(widest, most_current=np.minimum.reduce(most))


def _expect_runs(graph: Graph, node: Node) -> None:
    """Raise SimulationError for neurons that the file does not run, or that have no scale."""
    where = f"{place(node)}node '{node.name}'"
    if operation_of(graph, node) is not None:
        raise SimulationError(
            f"{where} follows a function of its mean input, which has fractions, and a C file "
            "counts in whole numbers; expected a network without operators (of max pools, convert "
            "with replace-unsupported.max_pool set to 'keep')"
        )
    if node.spiking is None:
        return
    if not _runs(node.spiking.neuron):
        known = ", ".join(f"'{name}'" for name in NEURONS if _runs(name))
        raise SimulationError(
            f"{where} has neurons '{node.spiking.neuron}', and a C file runs those that add up "
            f"whole numbers without a leak, {known}; {ADVICE}"
        )
    if node.spiking.scale is None:
        raise SimulationError(
            f"{where} has no scale, and a C file counts in whole numbers; convert with the pass "
            "'quantize' as the last of a recipe (such as 'int8')"
        )


def _runs(neuron: str) -> bool:
    """Tell whether a C file runs neurons of a model."""
    model = NEURONS.get(neuron)
    graded = issubclass(model, Graded) and not (model.differential or model.operates)
    return graded or issubclass(model, IntegrateAndFire)


def _arrival_order(projection: Projection) -> tuple[int, int, int]:
    return projection.target, -projection.delay, projection.source


def _most_a_tick(network: Network, steps: int) -> list[int]:
    """Return how many spikes each population can send in a tick; 1 where it sends none.

    A neuron sends one. A max pool sends on every change at once: where counts fall, or rise by
    more than 1, every spike of a source in a window may be one.
    """
    most: list[Floats] = []
    for population in network.populations:
        found = np.ones(population.size)
        follows = population.neuron == MaxPool.name
        if follows and payload_of(network, population.rank, steps) != BINARY:
            reach = [p for p in network.projections if p.target == population.rank]
            sent = [transmit(p.synapses, most[p.source], population.size) for p in reach]
            found = np.sum(sent, axis=0)
        most.append(found)
    return [int(n.sum()) if p.fires else 1 for p, n in zip(network.populations, most, strict=True)]


def _grids(network: Network, links: list[Link]) -> list[int]:
    """Return how many values the input of each population has that is a max pool; 0 elsewhere."""
    sizes = [0] * len(network.populations)
    for link in links:
        if link.kind == "windows" and link.kernel is not None:
            sizes[link.projection.target] = link.kernel.groups * prod(link.kernel.source)
    return sizes


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
