"""Conversion with a simulator at hand, for the passes that calibrate on spikes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher import converters
from thresher.converters import Pass
from thresher.ir import Graph, Node, Readout
from thresher.ir.ops import Flatten
from thresher.sim import simulate

Array = NDArray[Any]


@dataclass(frozen=True)
class LockstepSimulator:
    """Runs the converted part of a graph in lockstep; see `converters.Simulator`."""

    threads: int | None = None

    def values(self, graph: Graph, images: Array, steps: int, node: str) -> Array:
        """Return what a node gives in every step, (n, steps, *shape) in float32.

        What it gives is gathered by the membranes of a readout that neither fires nor leaks.
        """
        part = graph.upto(node)
        probe = Node(_unused("probe", part), Flatten(), (node,))
        part = replace(
            part,
            nodes=(*part.nodes, probe),
            outputs=(probe.name,),
            readout=Readout(kind="membrane"),
        )
        shape = graph.shapes[node]
        watched = {probe.name: range(prod(shape))}
        run = simulate(part, images, steps=steps, membranes=watched, threads=self.threads)
        sums = run.trace.membranes[probe.name].astype(np.float64)
        each = np.diff(sums, axis=1, prepend=0).astype(np.float32)
        return each.reshape(len(images), steps, *shape)


def _unused(name: str, graph: Graph) -> str:
    while name in graph.shapes:
        name += "_"
    return name


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
        simulator=LockstepSimulator(),
    )
