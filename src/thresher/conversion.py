"""Conversion with a simulator at hand, for the passes that calibrate on spikes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher import converters
from thresher.converters import Pass, Sent
from thresher.ir import Graph, Node, Readout
from thresher.ir.ops import Identity
from thresher.sim import simulate
from thresher.sim.network import engine_order
from thresher.sim.replay import Replay, Spikes

Array = NDArray[Any]

MOST_WATCHED = 2**26
"""Potentials that are held at once."""


@dataclass(frozen=True)
class EngineSimulator:
    """Runs the converted part of a graph in the engine at hand; see `converters.Simulator`."""

    threads: int | None = None

    def values(
        self, graph: Graph, images: Array, steps: int, node: str, ticks_per_step: int | None = None
    ) -> Array:
        """Return what a node gives in every step, (n, steps, *shape) in float32.

        What it gives is gathered by the membranes of a readout that neither fires nor leaks.
        """
        shape, (part, probe) = graph.shapes[node], _probed(graph, node)
        ticks = ticks_per_step or 1
        block = max(1, MOST_WATCHED // (steps * ticks * prod(shape)))
        found = np.empty((len(images), steps, prod(shape)), np.float32)
        for start in range(0, len(images), block):
            run = simulate(
                part,
                images[start : start + block],
                steps=steps,
                schedule="lockstep" if ticks_per_step is None else "async",
                ticks_per_step=ticks_per_step,
                confidence=0.0,  # else a softmax of the whole node is taken at every tick
                membranes={probe: range(prod(shape))},
                threads=self.threads,
            )
            sums = run.trace.membranes[probe][:, ticks - 1 :: ticks].astype(np.float64)
            found[start : start + block] = np.diff(sums, axis=1, prepend=0)
        return found.reshape(len(images), steps, *shape)

    def layers(self, images: Array, steps: int, ticks_per_step: int | None) -> "EngineLayers":
        """Return what runs the populations of a graph one by one on these images."""
        replay = Replay(images, steps, ticks_per_step, self.threads)
        return EngineLayers(replay, steps, ticks_per_step)


@dataclass(frozen=True)
class EngineLayers:
    """Counts what a replay's populations send; see `converters.Layers`."""

    replay: Replay
    steps: int
    ticks_per_step: int | None

    def sent(self, graph: Graph, population: str, images: int) -> Sent:
        """Return what a population sends for the first images."""
        return self._count(graph, population, self.replay.run(graph, population, images))

    def keep(self, graph: Graph, population: str) -> Sent:
        """Return what it sends for all images, and hold it for the populations that follow."""
        return self._count(graph, population, self.replay.keep(graph, population))

    def inflow(self, graph: Graph, node: str) -> Iterator[Array]:
        """Yield what a linear node gives in every step, (steps, *shape), image by image."""
        part, _ = _probed(graph, node)
        shape, ticks = graph.shapes[node], self.ticks_per_step or 1
        in_order = np.argsort(engine_order(shape))
        for potentials in self.replay.potentials(part):
            sums = potentials[ticks - 1 :: ticks, in_order].astype(np.float64)
            found = np.diff(sums, axis=0, prepend=0).astype(np.float32)
            yield found.reshape(self.steps, *shape)

    def drop(self, population: str) -> None:
        """Forget what a population sent."""
        self.replay.drop(population)

    def _count(self, graph: Graph, population: str, runs: Iterable[Spikes]) -> Sent:
        shape = graph.shapes[population]
        order = engine_order(shape)
        ticks = self.ticks_per_step or 1
        counts = []
        by_step = np.zeros((self.steps, len(order)), np.int64)
        for spikes in runs:
            for step, (start, end) in enumerate(pairwise(spikes.first[::ticks])):
                by_step[step] += np.bincount(spikes.neurons[start:end], minlength=len(order))
            counts.append(np.bincount(spikes.neurons, minlength=len(order)))
        in_order = np.argsort(order)
        return Sent(
            np.stack(counts)[:, in_order].reshape(-1, *shape),
            by_step[:, in_order].reshape(-1, *shape),
        )


def _probed(graph: Graph, node: str) -> tuple[Graph, str]:
    """Cut a graph after a node, and let a readout that neither fires nor leaks follow it."""
    part = graph.upto(node)
    name = "probe"
    while name in part.shapes:
        name += "_"
    probe = Node(name, Identity(), (node,))
    readout = Readout(kind="membrane")
    return replace(part, nodes=(*part.nodes, probe), outputs=(name,), readout=readout), name


def convert(
    graph: Graph,
    recipe: str | Path | Sequence[Pass],
    *,
    calibration: Array | None = None,
    labels: Array | None = None,
    steps: int | None = None,
    settings: Mapping[str, object] | None = None,
) -> Graph:
    """Convert an ANN's graph by a recipe.

    Parameters
    ----------
    recipe : str, path or list of Pass
        A recipe's name ("default"), a recipe file, or the passes themselves, which keep the
        graph's readout.
    calibration : ndarray, optional
        Raw images (N, *shape) from the training set; the graph's `preprocess` is applied to them.
    labels : ndarray, optional
        Their classes (N,).
    steps : int, optional
        The time steps that the network is made for.
    settings : mapping, optional
        Parameters that replace the recipe's, "PASS.FIELD" to a value or its text.

    Returns
    -------
    Graph
        The network with neurons at its activations and provenance in `meta`; see `account`.

    Raises
    ------
    PassError, SpecError, DataError
        Where a pass, a recipe file or the calibration images are at fault.
    """
    return converters.convert(
        graph,
        recipe,
        calibration=calibration,
        labels=labels,
        steps=steps,
        settings=settings,
        simulator=EngineSimulator(),
    )
