"""Compile a converted graph into a network: chains of linear nodes become projections."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.ir.compose import add_maps, compose
from thresher.ir.evaluate import single_input_output
from thresher.ir.graph import Graph
from thresher.ir.linear_map import LinearMap, Shape, identity, scaling
from thresher.ir.node import Node, Readout
from thresher.ir.spiking import Spiking, spread
from thresher.sim.network import Network, Population, Projection, engine_order
from thresher.sim.neurons import NEURONS
from thresher.sim.synapses import to_synapses

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Inflow:
    """What reaches a node without passing another neuron: maps by source, bias, delays set."""

    maps: dict[str, LinearMap]
    bias: Floats | None
    delays: dict[str, int | None]


def compile_graph(
    graph: Graph,
    *,
    readout: Readout | None = None,
    spiking_input: bool = False,
    delay: int = 0,
    dtype: type[np.floating] = np.float32,
) -> Network:
    """Compile a graph whose activation nodes carry `spiking` annotations.

    Parameters
    ----------
    readout : Readout, optional
        Overrides the graph's own.
    spiking_input : bool
        Whether the input is a population that an encoder drives, or an analog current.
    delay : int
        Ticks (steps in lockstep) of every projection whose nodes set none.

    Raises
    ------
    SimulationError
        Where the graph is not converted, or holds something that spikes cannot pass.
    """
    source, target = single_input_output(graph)
    readout = readout or graph.readout
    expect_converted(graph)
    target = _without_softmax(graph, target)
    populations = _populations(graph, source, target, readout, spiking_input)
    if readout.kind == "spikes" and graph[target].spiking is None:
        raise SimulationError(
            f"readout 'spikes' needs a threshold on the output '{target}', which has none; convert "
            "with a recipe whose readout is 'spikes' (deng2021), or take --readout membrane"
        )
    inflow = _inflow(graph, source, set(populations), spiking_input, delay)
    ranks = {name: rank for rank, name in enumerate(populations)}
    kind = np.dtype(dtype)
    built, projections, analog = [], [], []
    for name, rank in ranks.items():
        spiking = populations[name]
        flow = inflow.get(name)
        built.append(_population(name, graph.shapes[name], rank, spiking, flow, kind))
        for origin, linear in flow.maps.items() if flow is not None else ():
            if origin == source and not spiking_input:
                analog.append((rank, linear))
                continue
            own = flow.delays[origin] if flow is not None else None
            projections.append(
                Projection(ranks[origin], rank, *to_synapses(linear, kind), _or(own, delay))
            )
    macs = {node.name: node.op.macs(*graph.in_shapes(node.name)) for node in graph}
    analog_nodes = () if spiking_input else [n for n in inflow if source in inflow[n].maps]
    network = Network(
        tuple(built),
        tuple(projections),
        tuple(analog),
        readout,
        kind,
        sum(macs.values()),
        sum(macs[name] for name in analog_nodes),
    )
    try:
        network.check()
    except ValueError as error:
        raise SimulationError(f"graph '{graph.name}' cannot be compiled: {error}") from error
    return network


def expect_converted(graph: Graph) -> None:
    """Raise SimulationError for an activation that no population stands for."""
    target = _without_softmax(graph, graph.outputs[0])
    for node in graph:
        if node.op.can_spike and node.spiking is None and node.name != target:
            raise SimulationError(
                f"{_place(node)}node '{node.name}' ({node.op.kind}) has no threshold: the graph is "
                "not converted. Run 'thresher convert', or thresher.convert(graph, 'default', ...)"
            )


def _without_softmax(graph: Graph, target: str) -> str:
    """Return the node whose values decide: a softmax at the output does not move the argmax."""
    node = graph[target]
    return node.inputs[0] if node.op.kind == "softmax" and node.inputs[0] in graph else target


def _populations(
    graph: Graph, source: str, target: str, readout: Readout, spiking_input: bool
) -> dict[str, Spiking | str]:
    """Return the populations in rank order: annotation, or "input" or "readout"."""
    found: dict[str, Spiking | str] = {}
    if spiking_input:
        found[source] = "input"
    for node in graph:
        if node.name == target:
            continue
        if node.spiking is not None:
            found[node.name] = node.spiking
    spiking = graph[target].spiking
    fires = readout.kind == "spikes" and spiking is not None
    found[target] = spiking if fires and spiking is not None else "readout"
    for name, value in found.items():
        if isinstance(value, Spiking) and value.neuron not in NEURONS:
            raise SimulationError(f"node '{name}': {NEURONS.unknown(value.neuron)}")
    return found


def _inflow(
    graph: Graph, source: str, populations: set[str], spiking_input: bool, delay: int
) -> dict[str, Inflow]:
    """Return, for each node, what feeds it."""
    shape = graph.shapes[source]
    start: LinearMap = identity(shape)
    if spiking_input:
        start = scaling(np.full(shape, graph.inputs[0].threshold, np.float64))
    outflow = {source: Inflow({source: start}, None, {source: None})}
    inflow: dict[str, Inflow] = {}
    for node in graph:
        flow = _through(graph, node, [outflow[name] for name in node.inputs], delay)
        inflow[node.name] = outflow[node.name] = flow
        if node.name in populations and node.spiking is not None:
            theta = spread(node.spiking.threshold, graph.shapes[node.name])
            outflow[node.name] = Inflow({node.name: scaling(theta)}, None, {node.name: None})
    return inflow


def _through(graph: Graph, node: Node, flows: list[Inflow], delay: int) -> Inflow:
    """Lead what reaches a node's ports through its op; an activation passes its input on."""
    if node.op.can_spike or node.op.kind == "softmax":
        return flows[0]
    ports = node.op.to_linear_maps(*graph.in_shapes(node.name))
    if ports is None:
        raise SimulationError(
            f"{_place(node)}node '{node.name}' ({node.op.kind}) is not linear, and no population "
            "of neurons stands for it; 'thresher convert' says what can be done instead"
        )
    by_source: dict[str, list[LinearMap]] = {}
    delays: dict[str, int | None] = {}
    bias: Floats | None = None
    for port, flow in zip(ports, flows, strict=True):
        bare = replace(port, bias=None)
        for origin, linear in flow.maps.items():
            by_source.setdefault(origin, []).append(compose(linear, bare))
            own = _total_delay(flow.delays[origin], node.delay)
            if _or(delays.get(origin, own), delay) != _or(own, delay):
                raise SimulationError(
                    f"{_place(node)}node '{node.name}': two paths from '{origin}' meet with "
                    f"delays {_or(delays[origin], delay)} and {_or(own, delay)}; one projection "
                    "has one delay"
                )
            delays[origin] = own
        bias = _plus(bias, None if flow.bias is None else bare.weigh(flow.bias[None])[0])
        bias = _plus(bias, port.bias)
    maps = {origin: add_maps(parallel) for origin, parallel in by_source.items()}
    return Inflow(maps, bias, delays)


def _or(own: int | None, default: int) -> int:
    return default if own is None else own


def _total_delay(so_far: int | None, own: int | None) -> int | None:
    return so_far if own is None else own + (so_far or 0)


def _plus(a: Floats | None, b: Floats | None) -> Floats | None:
    return b if a is None else a if b is None else a + b


def _population(
    name: str,
    shape: Shape,
    rank: int,
    spiking: Spiking | str,
    flow: Inflow | None,
    dtype: np.dtype[np.floating],
) -> Population:
    order = engine_order(shape)
    current = np.zeros(len(order))
    if flow is not None and flow.bias is not None:
        current += np.broadcast_to(flow.bias, shape).ravel()[order]
    if isinstance(spiking, str):
        theta = np.full(len(order), np.inf if spiking == "readout" else 1.0, dtype)
        v_init = np.zeros(len(order), dtype)
        return Population(name, shape, rank, spiking, theta, v_init, current, False, 0.0)
    theta, v_init, shift = (
        spread(value, shape).ravel()[order]
        for value in (spiking.threshold, spiking.v_init, spiking.shift)
    )
    return Population(
        name,
        shape,
        rank,
        spiking.neuron,
        theta.astype(dtype),
        v_init.astype(dtype),
        current + shift,
        spiking.reset == "hard",
        spiking.v_reset,
    )


def _place(node: Node) -> str:
    return f"{node.mark}: " if node.mark is not None else ""
