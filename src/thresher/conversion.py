"""Conversion with a simulator at hand, for the passes that calibrate on spikes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

Array = NDArray[Any]


AT_ONCE = 2**26
"""Bytes of what one run may record."""
BYTES_A_SPIKE = 24


@dataclass(frozen=True)
class EngineSimulator:
    """Runs the converted part of a graph in the engine at hand; see `converters.Simulator`."""

    threads: int | None = None

    def values(self, graph: Graph, images: Array, steps: int, node: str) -> Array:
        """Return what a node gives in every step in lockstep, (n, steps, *shape) in float32.

        What it gives is gathered by the membranes of a readout that neither fires nor leaks.
        """
        shape, (part, probe) = graph.shapes[node], _probed(graph, node)
        watched = {probe: range(prod(shape))}
        run = simulate(part, images, steps=steps, membranes=watched, threads=self.threads)
        sums = run.trace.membranes[probe].astype(np.float64)
        each = np.diff(sums, axis=1, prepend=0).astype(np.float32)
        return each.reshape(len(images), steps, *shape)

    def spikes(
        self, graph: Graph, images: Array, steps: int, population: str, ticks_per_step: int | None
    ) -> Sent:
        """Return the spikes of a population of neurons that send one each."""
        shape, (part, _) = graph.shapes[population], _probed(graph, population)
        schedule = "lockstep" if ticks_per_step is None else "async"
        size = prod(shape)
        counts = np.zeros((len(images), size), np.int64)
        by_step = np.zeros((steps, size), np.int64)
        block = max(1, AT_ONCE // (BYTES_A_SPIKE * size * steps))
        for start in range(0, len(images), block):
            run = simulate(
                part,
                images[start : start + block],
                steps=steps,
                schedule=schedule,
                ticks_per_step=ticks_per_step,
                record=[population],
                threads=self.threads,
            )
            trace = run.trace
            at = (trace.tick - 1) // (ticks_per_step or 1)
            counts.ravel()[:] += np.bincount(
                (trace.sample + start) * size + trace.neuron, minlength=counts.size
            )
            by_step.ravel()[:] += np.bincount(at * size + trace.neuron, minlength=by_step.size)
        return Sent(counts.reshape(-1, *shape), by_step.reshape(-1, *shape))


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
