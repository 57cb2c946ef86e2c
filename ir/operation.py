"""Operation: a function that is no sum of its inputs, which neurons follow as input comes in."""

from dataclasses import dataclass
from math import prod

from thresher.ir.graph import Graph
from thresher.ir.linear_map import IndexMap, numbering, reindex
from thresher.ir.node import Node
from thresher.ir.op import Array, Op, Shape
from thresher.ir.spiking import EXPECTATION


@dataclass(frozen=True)
class Operation:
    """An op on inputs of these shapes, which the membranes of one population, the operand, hold."""

    op: Op
    in_shapes: tuple[Shape, ...]

    @property
    def operand_shape(self) -> Shape:
        """The shape of the only input; (n,) of several, one after the other, row-major."""
        if len(self.in_shapes) == 1:
            return self.in_shapes[0]
        return (sum(map(prod, self.in_shapes)),)

    def ports(self) -> tuple[IndexMap, ...]:
        """Return where each of several inputs lies in the operand."""
        n, first = self.operand_shape, 0
        found = []
        for shape in self.in_shapes:
            found.append(reindex(shape, n, numbering(shape) + first))
            first += prod(shape)
        return tuple(found)

    def follow(self, total: Array, steps: int) -> Array:
        """Return t f(A / t), what f of the mean input adds up to in t steps, in A's precision.

        `total` is A, the sum of what has come in t steps (*operand_shape); the result has the op's
        shape. Of a homogeneous f, for which f(s x) = s f(x), it is f(A), without the roundings.
        """
        time = total.dtype.type(1 if self.op.homogeneous else steps)
        mean, inputs, first = (total / time).ravel(), [], 0
        for shape in self.in_shapes:
            inputs.append(mean[first : first + prod(shape)].reshape(1, *shape))
            first += prod(shape)
        y: Array = time * self.op.evaluate(*inputs)[0]
        return y


def operation_of(graph: Graph, node: Node) -> Operation | None:
    """Return what a population follows: its own op, or the max pool right before its activation.

    None where its neurons integrate their input, as most do, or none stand for the node.
    """
    if node.spiking is None:
        return None
    if node.spiking.neuron == EXPECTATION:
        return Operation(node.op, graph.in_shapes(node.name))
    pool = pool_before(graph, node)
    return None if pool is None else Operation(pool.op, graph.in_shapes(pool.name))


def pool_before(graph: Graph, node: Node) -> Node | None:
    """Return the max pool of currents that an activation's neurons follow, if there is one."""
    if not node.op.can_spike or node.inputs[0] not in graph:
        return None
    source = graph[node.inputs[0]]
    return source if is_before_neurons(graph, source) else None


def is_before_neurons(graph: Graph, node: Node) -> bool:
    """Tell whether a max pool is read by activations alone, so that it may take currents.

    max(relu(x)) = relu(max(x)), as for every activation that never falls. One that anything else
    reads, or that reads an activation itself, is a population of its own, which follows counts.
    """
    readers = graph.consumers(node.name)
    (source, *_) = node.inputs
    return (
        node.op.to_windows(*graph.in_shapes(node.name)) is not None
        and node.spiking is None
        and not (source in graph and graph[source].op.can_spike)
        and node.name not in graph.outputs
        and bool(readers)
        and all(graph[reader].op.can_spike for reader in readers)
    )
