"""Simulator: what a pass that needs spikes asks for; whoever starts a conversion brings one."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thresher.ir import Graph

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Sent:
    """The spikes of a population: of each neuron, and of each step.

    `counts` (n, *shape) adds up the steps, `by_step` (steps, *shape) the samples.
    """

    counts: NDArray[np.int64]
    by_step: NDArray[np.int64]


class Simulator(Protocol):
    """Runs the part of a graph that is converted already.

    `converters` does not know how networks are simulated; `thresher.convert` does, and puts a
    simulator into the context of the passes.
    """

    def values(self, graph: Graph, images: Array, steps: int, node: str) -> Array:
        """Return what a node gives in every step in lockstep, (n, steps, *shape) in float32.

        Of a population that is threshold * spikes, of a linear node the sum of its bias and the
        post-synaptic potentials; nothing behind the node is run. Memory is that of the result.
        """

    def spikes(
        self, graph: Graph, images: Array, steps: int, population: str, ticks_per_step: int | None
    ) -> Sent:
        """Return the spikes of a population of neurons that send one each.

        `ticks_per_step` is None in lockstep, and otherwise the asynchronous schedule's. Nothing
        behind the population is run.
        """
