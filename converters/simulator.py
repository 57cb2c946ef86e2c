"""Simulator: what a pass that needs spikes asks for; whoever starts a conversion brings one."""

from typing import Any, Protocol

from numpy.typing import NDArray

from thresher.ir import Graph

Array = NDArray[Any]


class Simulator(Protocol):
    """Runs, in lockstep, the part of a graph that is converted already.

    `converters` does not know how networks are simulated; `thresher.convert` does, and puts a
    simulator into the context of the passes.
    """

    def values(self, graph: Graph, images: Array, steps: int, node: str) -> Array:
        """Return what a node gives in every step, (n, steps, *shape) in float32.

        Of a population that is threshold * spikes, of a linear node the sum of its bias and the
        post-synaptic potentials; nothing behind the node is run. Memory is that of the result.
        """
