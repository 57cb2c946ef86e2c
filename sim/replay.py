"""Replay: a network's populations one after the other, each on the recorded spikes of the others.

What a population sends depends only on its image and on the populations before it, so a network
that is changed layer by layer need not be run from its input again for every layer.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.ir.graph import Graph
from thresher.ir.images import Images, image_blocks
from thresher.ir.node import Readout
from thresher.ir.threads import map_in_threads
from thresher.sim import options as checks
from thresher.sim.compile import compile_graph
from thresher.sim.compiled import obstacle
from thresher.sim.contract import ENGINES, Options, SampleRun, Stimulus
from thresher.sim.encoders import ENCODERS
from thresher.sim.network import Network, Population, Reals, RunSynapses, SparseSynapses
from thresher.sim.stimulus import Stimuli

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Spikes:
    """The spikes of one population in one sample, in the order of emission.

    Those of tick k are `neurons[first[k - 1] : first[k]]`, in the engines' order.
    """

    first: NDArray[np.int64]
    neurons: NDArray[np.unsignedinteger]

    @property
    def ticks(self) -> NDArray[np.int64]:
        """The tick of every spike."""
        return np.repeat(np.arange(1, len(self.first)), np.diff(self.first))


class Replay:
    """Run the same images through one population at a time.

    Their spikes must all be alike, as those of `if` are. What is kept takes 1 to 4 bytes a spike.

    Parameters
    ----------
    x : images
        Raw ones, (N, *shape).
    ticks_per_step : int, optional
        Those of the asynchronous schedule; lockstep where nothing is said.
    """

    def __init__(
        self, x: Images, steps: int, ticks_per_step: int | None = None, threads: int | None = None
    ) -> None:
        schedule = "lockstep" if ticks_per_step is None else "async"
        timing = checks.timing(schedule, ticks_per_step, None, None, None)
        ticks, refractory, arrivals, _ = timing
        self.x, self.threads = x, threads
        self._options = Options(schedule, steps, ticks, refractory, arrivals == "netted")
        self._kept: dict[str, list[Spikes]] = {}

    def run(self, graph: Graph, name: str, images: int | None = None) -> Iterator[Spikes]:
        """Yield what a population sends for the first images; its sources were kept before.

        Raises
        ------
        SimulationError
            Where a source was not kept.
        """
        part = replace(graph.upto(name), outputs=(name,), readout=Readout(kind="spikes"))
        return self._each(part, images, _sent)

    def potentials(self, part: Graph) -> Iterator[Reals]:
        """Yield the potentials of a graph's readout, which does not fire, at every tick.

        They are (ticks, neurons), in the engines' order; what the readout reads was kept before.

        Raises
        ------
        SimulationError
            Where a source was not kept.
        """
        return self._each(part, None, lambda found, _: found.watched)

    def _each(
        self, part: Graph, images: int | None, read: Callable[[SampleRun, int], T]
    ) -> Iterator[T]:
        """Run the last population of a graph on what was kept, and read each run and its ticks."""
        undecided = replace(part.readout, t_start=self._options.steps)
        network = compile_graph(replace(part, readout=undecided))
        *_, last = network.populations
        rank = _receiving(network)[0].rank
        sources = sorted({p.source for p in network.projections if p.target == rank})
        kept = [self._what_was_sent(network.populations[source], last.name) for source in sources]
        offsets = np.cumsum([0, *(network.populations[source].size for source in sources)])
        alone = _alone(network, sources, offsets)
        seen = range(*alone.offsets[-2:].tolist())
        options = replace(
            self._options,
            record=(*(False for _ in alone.populations[1:]), last.fires),
            watch=() if last.fires else tuple(seen),
        )
        run = ENGINES.get("reference" if obstacle(alone) else "cython").prepare(alone, options)
        stimuli = Stimuli(
            part, alone, ENCODERS.get("constant"), options.steps, options.ticks_per_step, 0
        )
        n = len(self.x) if images is None else min(images, len(self.x))
        x = self.x[:n]

        def one(item: tuple[int, NDArray[np.floating]]) -> T:
            index, image = item
            stimulus, _ = stimuli.of(image, index)
            driven = _with_spikes(stimulus, [each[index] for each in kept], offsets)
            return read(run(driven), options.ticks)

        numbered = enumerate(image for block in image_blocks(part, x) for image in block)
        return map_in_threads(one, numbered, self.threads)

    def keep(self, graph: Graph, name: str) -> Iterator[Spikes]:
        """Yield what a population sends for all images, and keep it for those behind it."""
        self._kept[name] = kept = []
        for spikes in self.run(graph, name):
            kept.append(spikes)
            yield spikes

    def drop(self, name: str) -> None:
        """Forget what a population sent."""
        self._kept.pop(name, None)

    def _what_was_sent(self, source: Population, target: str) -> list[Spikes]:
        if source.name not in self._kept:
            raise SimulationError(
                f"node '{target}' is to be run on what '{source.name}' sent, which was not kept"
            )
        return self._kept[source.name]


def _receiving(network: Network) -> tuple[Population, ...]:
    """Return the last population, behind its operand where it follows an operation."""
    *_, last = network.populations
    return network.populations[-2:] if last.operation is not None else (last,)


def _alone(network: Network, sources: list[int], offsets: NDArray[np.int64]) -> Network:
    """Return a network of the last population and, where it has sources, an input for all."""
    last = _receiving(network)
    receives, neurons = last[0].rank, sum(population.size for population in last)
    if not sources:
        analog = tuple((0, linear) for rank, linear in network.analog if rank == receives)
        return replace(
            network,
            populations=tuple(replace(p, rank=rank) for rank, p in enumerate(last)),
            projections=(),
            analog=analog,
            scale=np.ones(neurons),
        )
    size = int(offsets[-1])
    ones, zeros = np.ones(size, network.dtype), np.zeros(size, network.dtype)
    driven = Population("sources", (size,), 0, "input", ones, zeros, np.zeros(size), False, 0.0)
    projections = []
    for projection in network.projections:
        if projection.target == receives:
            place = sources.index(projection.source)
            before, behind = int(offsets[place]), size - int(offsets[place + 1])
            synapses = _widened(projection.synapses, before, behind)
            projections.append(replace(projection, source=0, target=1, synapses=synapses))
    return replace(
        network,
        populations=(driven, *(replace(p, rank=1 + rank) for rank, p in enumerate(last))),
        projections=tuple(projections),
        analog=tuple((1, linear) for rank, linear in network.analog if rank == receives),
        scale=np.ones(size + neurons),
    )


def _widened(
    synapses: RunSynapses | SparseSynapses, before: int, behind: int
) -> RunSynapses | SparseSynapses:
    """Put neurons that reach nothing before and behind the sources of a projection."""
    if isinstance(synapses, RunSynapses):
        rows = np.pad(synapses.rows, (before, behind), constant_values=-1)
        return replace(synapses, rows=rows)
    return replace(synapses, indptr=np.pad(synapses.indptr, (before, behind), mode="edge"))


def _with_spikes(stimulus: Stimulus, sources: list[Spikes], offsets: NDArray[np.int64]) -> Stimulus:
    """Add what the sources sent: tick by tick, source by source in rank order."""
    if not sources:
        return stimulus
    ticks = np.concatenate([spikes.ticks for spikes in sources])
    numbers = [
        spikes.neurons.astype(np.int32) + np.int32(offset)
        for spikes, offset in zip(sources, offsets[:-1], strict=True)
    ]
    neurons: NDArray[np.int32] = np.concatenate(numbers)
    if len(sources) > 1:
        order = np.argsort(ticks, kind="stable")
        ticks, neurons = ticks[order], neurons[order]
    return replace(stimulus, ticks=ticks, neurons=neurons, signs=np.ones(len(ticks), np.int8))


def _sent(found: SampleRun, ticks: int) -> Spikes:
    first = np.searchsorted(found.ticks, np.arange(1, ticks + 2))
    smallest = np.min_scalar_type(int(found.neurons.max(initial=0)))
    return Spikes(first, found.neurons.astype(smallest))
