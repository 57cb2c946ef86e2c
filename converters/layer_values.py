"""What every node gives in the ANN, and on average in the spiking network that is being made."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.ir import Graph, Op
from thresher.ir.images import preprocess
from thresher.ir.threads import map_in_threads

Array = NDArray[Any]

BATCH = 32


class LayerValues:
    """Walk a graph in order, with the values of all calibration images held for what is ahead.

    `exact` holds the ANN's values (N, *shape) by name, `spiking` the means over T steps of the
    spiking network's, `graph` the network as far as it is made. Values are dropped once the
    populations that they reach are done.
    """

    def __init__(self, graph: Graph, images: Array) -> None:
        self.graph = graph
        self.images = images
        parts = [preprocess(graph, images[part]) for part in _parts(len(images))]
        self.exact: dict[str, Array] = {graph.inputs[0].name: np.concatenate(parts)}
        self.spiking = dict(self.exact)
        self._last = _last_uses(graph)

    def step(self, name: str) -> None:
        """Compute a node in the ANN, and unless it fires in the spiking network."""
        node = self.graph[name]
        self.exact[name] = _evaluate(node.op, node.inputs, self.exact)
        if not node.op.can_spike:
            self.spiking[name] = _evaluate(node.synaptic_op, node.inputs, self.spiking)

    def replace(self, name: str, upto: str | None = None, **changes: Any) -> None:
        """Change a node's fields; compute it again, and what follows up to a node it leads to."""
        self.graph = self.graph.replace(name, **changes)
        while upto is not None:
            node = self.graph[name]
            self.spiking[name] = _evaluate(node.synaptic_op, node.inputs, self.spiking)
            if name == upto:
                return
            (name,) = self.graph.consumers(name)

    def send(self, name: str, values: Array) -> list[str]:
        """Take what a population sends on average; drop, and name, what nothing behind needs."""
        self.spiking[name] = values.astype(np.float32)
        done = [old for old in self.spiking if self._last.get(old) == name]
        for old in done:
            del self.exact[old], self.spiking[old]
        return done


def _evaluate(op: Op, names: Sequence[str], values: dict[str, Array]) -> Array:
    inputs = [values[name] for name in names]

    def evaluate(part: slice) -> Array:
        return op.evaluate(*(x[part] for x in inputs))

    return np.concatenate([*map_in_threads(evaluate, _parts(len(inputs[0])))])


def _parts(n: int) -> list[slice]:
    return [slice(start, start + BATCH) for start in range(0, n, BATCH)]


def _last_uses(graph: Graph) -> dict[str, str]:
    """Map every node to the last population that it reaches through nodes that do not fire.

    What reaches the output without one is left out.
    """
    order = {node.name: place for place, node in enumerate(graph)}
    last: dict[str, str] = {}
    for name in [*reversed(order), *(item.name for item in graph.inputs)]:
        ends = [
            consumer if graph[consumer].op.can_spike else last.get(consumer)
            for consumer in graph.consumers(name)
        ]
        known = [end for end in ends if end is not None]
        if known and len(known) == len(ends):
            last[name] = max(known, key=order.__getitem__)
    return last
