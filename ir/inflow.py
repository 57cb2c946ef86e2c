"""Inflow: what reaches each node without passing a neuron, as composed linear maps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError
from thresher.ir.compose import add_maps, compose
from thresher.ir.evaluate import single_input_output
from thresher.ir.graph import Graph
from thresher.ir.linear_map import IndexMap, LinearMap, Shape, SparseMap, scaling
from thresher.ir.node import Node
from thresher.ir.operation import is_before_neurons, operation_of, pool_before
from thresher.ir.spiking import spread

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Inflow:
    """What one node receives: maps by source, the sum of the biases, and the delays set.

    A map's weights are what one spike of its source brings: the source's `psp`, which is its
    threshold unless its parameters say otherwise, is in them.
    `count` is what one count of a max pool stands for, in the node's shape; None for other nodes.
    What reaches a population that follows an operation has the shape of its operand.
    """

    maps: dict[str, LinearMap]
    bias: Floats | None
    delays: dict[str, int | None]
    count: Floats | None = None


def inflow_of(graph: Graph, *, input_threshold: float = 1.0, delay: int = 0) -> dict[str, Inflow]:
    """Return, for each node, what feeds it: the input, and populations.

    Parameters
    ----------
    input_threshold : float
        What one unit of the input stands for; 1 where it is the image itself.
    delay : int
        Ticks of the paths whose nodes set none.

    Raises
    ------
    GraphError
        Where a node is neither linear nor a population, or paths of two delays meet.
    """
    source, _ = single_input_output(graph)
    outflow = {source: _sent(source, np.full(graph.shapes[source], input_threshold))}
    inflow: dict[str, Inflow] = {}
    for node in graph:
        flow = _through(graph, node, [outflow[name] for name in node.inputs], delay)
        inflow[node.name] = outflow[node.name] = flow
        if flow.count is not None:
            outflow[node.name] = _sent(node.name, flow.count)
        elif node.spiking is not None:
            psp = spread(node.spiking.psp, graph.shapes[node.name])
            outflow[node.name] = _sent(node.name, psp)
    return inflow


def deciding_node(graph: Graph) -> str:
    """Return the node whose values decide: a softmax at the output does not move the argmax."""
    _, target = single_input_output(graph)
    node = graph[target]
    bridged = _is_softmax_of_classes(graph, node) and node.inputs[0] in graph
    return node.inputs[0] if bridged else target


def place(node: Node) -> str:
    """Say where a node stands in its file, as the beginning of a message."""
    return f"{node.mark}: " if node.mark is not None else ""


def total_delay(own: int | None, default: int) -> int:
    """Return the ticks of a path: its own where its nodes set some."""
    return default if own is None else own


def _is_softmax_of_classes(graph: Graph, node: Node) -> bool:
    """Tell whether a node is a softmax at the output, over all of it, that has no neurons."""
    is_output = node.name in graph.outputs and not graph.consumers(node.name)
    over_all = node.op.kind == "softmax" and len(graph.shapes[node.name]) == 1
    return over_all and is_output and node.spiking is None


def _sent(name: str, psp: Floats) -> Inflow:
    return Inflow({name: scaling(psp)}, None, {name: None})


def _through(graph: Graph, node: Node, flows: list[Inflow], delay: int) -> Inflow:
    """Lead what reaches a node's ports through its op; an activation passes its input on."""
    operation = operation_of(graph, node)
    if operation is not None:
        alone = len(flows) == 1
        return flows[0] if alone else _joined(node, operation.ports(), flows, delay)
    if node.op.can_spike or _is_softmax_of_classes(graph, node):
        _expect_population(graph, node)
        return flows[0]
    windows = node.op.to_windows(*graph.in_shapes(node.name))
    if windows is not None:
        before = is_before_neurons(graph, node)
        return flows[0] if before else _windows(graph, node, flows[0], windows)
    ports = node.synaptic_op.to_linear_maps(*graph.in_shapes(node.name))
    if ports is None:
        advice = "'thresher convert' says what can be done instead"
        if node.op.can_operate:
            advice = "the pass 'use-operators' gives it one, as recipe 'huang2024-ecmt' does"
        raise GraphError(
            f"{place(node)}node '{node.name}' ({node.op.kind}) is not linear, and no population "
            f"of neurons stands for it; {advice}"
        )
    return _joined(node, ports, flows, delay)


def _expect_population(graph: Graph, node: Node) -> None:
    """Raise GraphError where nothing takes the maximum of the currents that reach a node."""
    pool = pool_before(graph, node)
    if pool is not None:
        raise GraphError(
            f"{place(node)}node '{node.name}' ({node.op.kind}) follows the max pool '{pool.name}', "
            "and has no neurons, which would take the maximum; expected a threshold, or a linear "
            "layer between them"
        )


def _joined(node: Node, ports: Sequence[LinearMap], flows: Sequence[Inflow], delay: int) -> Inflow:
    """Lead each flow through the map of its port, and add up what comes of one source."""
    by_source: dict[str, list[LinearMap]] = {}
    delays: dict[str, int | None] = {}
    bias: Floats | None = None
    for port, flow in zip(ports, flows, strict=True):
        bare = replace(port, bias=None)
        for origin, linear in flow.maps.items():
            by_source.setdefault(origin, []).append(compose(linear, bare))
            own = _plus_delay(flow.delays[origin], node.delay)
            found, other = (total_delay(d, delay) for d in (delays.get(origin, own), own))
            if found != other:
                raise GraphError(
                    f"{place(node)}node '{node.name}': two paths from '{origin}' meet with "
                    f"delays {found} and {other}; one projection has one delay"
                )
            delays[origin] = own
        bias = _plus(bias, None if flow.bias is None else bare.weigh(flow.bias[None])[0])
        bias = _plus(bias, port.bias)
    maps = {origin: add_maps(parallel) for origin, parallel in by_source.items()}
    return Inflow(maps, bias, delays)


def _windows(graph: Graph, node: Node, flow: Inflow, windows: LinearMap) -> Inflow:
    """Lead the counts of populations to a max pool, which follows the largest of each window.

    That needs what a count stands for to be one number a window, and each value in it to be the
    count of one neuron.
    """
    place_of = f"{place(node)}node '{node.name}' ({node.op.kind})"
    if node.spiking is not None:
        raise GraphError(f"{place_of} has no threshold of its own; take its 'spiking' out")
    stands_for = _counts_as_they_are(graph, flow, windows.in_shape)
    if stands_for is None:
        raise GraphError(
            f"{place_of} does not read the activations of populations as they are; a max pool "
            "follows their counts: put it right after them (max(relu(x)) = relu(max(x))), or take "
            "an average pool"
        )
    members = windows.to_sparse()
    values = np.repeat(stands_for, members.fan_out())
    count = np.zeros(windows.out_shape).ravel()
    np.maximum.at(count, members.indices, values)
    if ((values > 0) & (values != count[members.indices])).any():
        raise GraphError(
            f"{place_of}: the neurons of one window have different thresholds, so their counts do "
            "not compare; expected one threshold a layer or a channel"
        )
    count[count == 0] = 1.0  # nothing but padding
    maps = {origin: compose(linear, windows) for origin, linear in flow.maps.items()}
    return Inflow(maps, None, flow.delays, count.reshape(windows.out_shape))


def _counts_as_they_are(graph: Graph, flow: Inflow, shape: Shape) -> Floats | None:
    """Return what each value's count stands for, 0 where none comes; None for other values."""
    shifted = flow.bias is not None and bool(np.any(flow.bias))
    if shifted or any(name not in graph for name in flow.maps):
        return None
    stands_for, n_sources = np.zeros(shape).ravel(), 0
    for linear in flow.maps.values():
        if not isinstance(linear, (IndexMap, SparseMap)):
            return None
        synapses = linear.to_sparse()
        stands_for[synapses.indices] = synapses.values
        n_sources += len(synapses.indices)
    return stands_for if n_sources == np.count_nonzero(stands_for > 0) else None


def _plus_delay(so_far: int | None, own: int | None) -> int | None:
    return so_far if own is None else own + (so_far or 0)


def _plus(a: Floats | None, b: Floats | None) -> Floats | None:
    return b if a is None else a if b is None else a + b
