"""What stands between a population and those before it: linear nodes, their weights and biases."""

from typing import Any

from numpy.typing import NDArray

from thresher.converters.names import tensor_name
from thresher.ir import Graph, Node, Synapses, Tensor
from thresher.ir.ops import Activation

Array = NDArray[Any]


def synapses_of(graph: Graph, name: str) -> tuple[Node, ...]:
    """Return the linear nodes through which a node is reached from activations and the input.

    A linear node is one of its own, as the output is that fires; the order is the graph's.
    """
    found: set[str] = set()
    to_visit = [name] if graph[name].op.is_linear() else list(graph[name].inputs)
    while to_visit:
        source = to_visit.pop()
        if source in graph and source not in found and graph[source].op.is_linear():
            found.add(source)
            to_visit.extend(graph[source].inputs)
    return tuple(node for node in graph if node.name in found)


def largest_weight(graph: Graph, name: str) -> float:
    """Return the largest weight of the linear nodes before a node; 0 where none is positive."""
    tensors = [node.op.tensors.get("weight") for node in synapses_of(graph, name)]
    return max((float(found.values.max()) for found in tensors if found is not None), default=0.0)


def about_biases(graph: Graph, name: str) -> str:
    """Say, for methods whose networks had none, what becomes of biases; "" where there are none."""
    for node in synapses_of(graph, name):
        bias = node.op.tensors.get("bias")
        if bias is not None and bias.values.any():
            return "; biases, which the paper's networks lack, come as a current at every step"
    return ""


def ceiling_of(node: Node) -> float | None:
    """Return the largest value that a node's activation gives; None where it has none."""
    return node.op.ceiling if isinstance(node.op, Activation) else None


def settled(node: Node, most: float, why: str) -> tuple[float, str]:
    """Return a threshold for a node that gets no more than `most` a step, and the reason for it."""
    ceiling = ceiling_of(node)
    if ceiling is not None and ceiling < most:
        return ceiling, "its own ceiling"
    return (most, why) if most > 0 else (1.0, "1, as no step brings anything positive")


def own_synapses(graph: Graph, name: str, weight: Array, bias: Array) -> Synapses:
    """Return weights and biases that a layer is to have in the SNN alone."""
    return Synapses(
        Tensor(tensor_name(graph, name, "synapses.weight"), weight),
        Tensor(tensor_name(graph, name, "synapses.bias"), bias),
    )
