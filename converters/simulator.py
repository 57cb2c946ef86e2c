"""Simulator: what a pass that needs spikes asks for; whoever starts a conversion brings one."""

from collections.abc import Iterator
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

    def values(
        self, graph: Graph, images: Array, steps: int, node: str, ticks_per_step: int | None = None
    ) -> Array:
        """Return what a node gives in every step, (n, steps, *shape) in float32.

        Of a population that is threshold * spikes, of a linear node the sum of its bias and the
        post-synaptic potentials; nothing behind the node is run. Memory is that of the result.
        `ticks_per_step` is None in lockstep, and otherwise the asynchronous schedule's.
        """

    def layers(self, images: Array, steps: int, ticks_per_step: int | None) -> "Layers":
        """Return what runs the populations of a graph one by one on these images.

        `ticks_per_step` is None in lockstep, and otherwise the asynchronous schedule's.
        """


class Layers(Protocol):
    """Runs populations whose neurons send one spike each, in the order of the graph.

    A population is run on what those before it sent when they were kept, and nothing behind it is.
    """

    def sent(self, graph: Graph, population: str, images: int) -> Sent:
        """Return what a population sends for the first images."""

    def keep(self, graph: Graph, population: str) -> Sent:
        """Return what it sends for all images, and hold it for the populations that follow."""

    def inflow(self, graph: Graph, node: str) -> Iterator[Array]:
        """Yield what a linear node gives in every step, (steps, *shape), image by image.

        It is the sum of its bias and the post-synaptic potentials that the populations before it
        bring, which were kept.
        """

    def drop(self, population: str) -> None:
        """Forget what a population sent, which nothing that follows needs."""
