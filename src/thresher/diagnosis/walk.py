"""Walks through a graph, node by node, whose values may be replaced on the way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from thresher.ir import Graph, Node

Array = NDArray[Any]
Rule = Callable[[Node, Sequence[Array]], Array]
"""From a node and its inputs to its value."""


def walk(
    nodes: Sequence[Node], given: Mapping[str, Array], rule: Rule
) -> Iterator[tuple[Node, tuple[Array, ...], Array]]:
    """Yield each node, its inputs and its value; what nothing reads any more is let go.

    `nodes` are in topological order; `given` holds what they read and do not compute.
    """
    values = dict(given)
    last_reader = {source: node.name for node in nodes for source in node.inputs}
    for node in nodes:
        inputs = tuple(values[name] for name in node.inputs)
        value = values[node.name] = rule(node, inputs)
        for name in set(node.inputs):
            if last_reader[name] == node.name:
                del values[name]
        yield node, inputs, value


def evaluated(node: Node, inputs: Sequence[Array]) -> Array:
    """Evaluate a node as the ANN does."""
    return node.op.evaluate(*inputs)


def transmitted(node: Node, inputs: Sequence[Array]) -> Array:
    """Evaluate a node as the SNN does: with the weights of its synapses."""
    return node.synaptic_op.evaluate(*inputs)


def driven(node: Node, inputs: Sequence[Array], rule: Rule = evaluated) -> Array:
    """Return the mean current into a population or a readout: an activation passes its input on.

    `rule` says whose weights count: the ANN's, or those of `transmitted`.
    """
    return inputs[0] if node.op.can_spike else rule(node, inputs)


def nodes_between(graph: Graph, given: Mapping[str, Array], target: str) -> list[Node]:
    """List the nodes that compute `target` from what is given, in topological order."""
    needed: set[str] = set()
    waiting = [target]
    while waiting:
        name = waiting.pop()
        if name not in given and name not in needed:
            needed.add(name)
            waiting.extend(graph[name].inputs)
    return [node for node in graph if node.name in needed]
