"""Compile a converted graph into a network: chains of linear nodes become projections."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from thresher.errors import SimulationError
from thresher.ir.compose import compose
from thresher.ir.evaluate import single_input_output
from thresher.ir.graph import Graph
from thresher.ir.inflow import Inflow, deciding_node, inflow_of, place, total_delay
from thresher.ir.linear_map import Shape, scaling
from thresher.ir.node import Node, Readout
from thresher.ir.operation import (
    Operation,
    is_before_neurons,
    operation_of,
    pool_before,
)
from thresher.ir.ops import LeakyRelu
from thresher.ir.spiking import IMBALANCED, Spiking, spread
from thresher.sim.network import Floats, Network, Population, Projection, Reals, engine_order
from thresher.sim.neurons import NEURONS, Integrator, MaxPool, TimeCoded, model_of
from thresher.sim.rounding import rounded, weight_dtype
from thresher.sim.synapses import to_synapses, to_windows


def compile_graph(
    graph: Graph,
    *,
    readout: Readout | None = None,
    spiking_input: bool = False,
    delay: int = 0,
    dtype: type[np.floating | np.signedinteger] = np.float32,
) -> Network:
    """Compile a graph whose activation nodes carry `spiking` annotations.

    Everything is composed in float64 and rounded once to `dtype`. Of whole numbers (int64) each
    population, or channel, counts potentials in units of its own, `scale` of which stand for 1:
    theta is rint(scale * theta), a weight rint(scale * theta_source * w) as int16.
    `bounds.fit_membranes` narrows the membranes to what a run needs.

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
        Where the graph is not converted, or not quantized for whole numbers, or has values that
        they do not hold.
    GraphError
        Where it holds something that spikes cannot pass.
    """
    source, target = single_input_output(graph)
    readout = readout or graph.readout
    expect_converted(graph)
    target = deciding_node(graph)
    operations = {node.name: found for node in graph if (found := operation_of(graph, node))}
    populations = _populations(
        graph, source, target, readout, spiking_input, operations, np.dtype(dtype)
    )
    if readout.kind == "spikes" and graph[target].spiking is None:
        raise SimulationError(
            f"readout 'spikes' needs a threshold on the output '{target}', which has none; convert "
            "with a recipe whose readout is 'spikes' (deng2021), or take --readout membrane"
        )
    graph = _with_defaults(graph, populations)
    item, kind = graph.inputs[0], np.dtype(dtype)
    stands_for = item.threshold if spiking_input and item.threshold is not None else 1.0
    inflow = inflow_of(graph, input_threshold=stands_for, delay=delay)
    flows, shapes = dict(inflow), dict(graph.shapes)
    for name, operation in operations.items():
        flows[operand_of(name)] = flows.pop(name)
        shapes[operand_of(name)] = operation.operand_shape
    ranks = {name: rank for rank, name in enumerate(populations)}
    built, scales, projections, analog = [], [], [], []
    for name, rank in ranks.items():
        spiking, flow, shape = populations[name], flows.get(name), shapes[name]
        scale = _scale(name, shape, spiking, readout, kind)
        scales.append(scale.ravel()[engine_order(shape)])
        population = _population(name, shape, rank, spiking, flow, scales[-1], kind)
        built.append(replace(population, operation=operations.get(name)))
        for origin, linear in flow.maps.items() if flow is not None else ():
            if origin == source and not spiking_input:
                analog.append((rank, linear))
                continue
            own = flow.delays[origin] if flow is not None else None
            made = (
                to_windows(linear, weight_dtype(kind))
                if spiking == MaxPool.name
                else to_synapses(
                    linear if kind.kind == "f" else compose(linear, scaling(scale)),
                    weight_dtype(kind),
                    f"what a spike of '{origin}' brings to '{name}'",
                )
            )
            projections.append(
                Projection(
                    ranks[origin],
                    rank,
                    *made,
                    total_delay(own, delay),
                    model_of(built[ranks[origin]]).differential,
                )
            )
    macs = {node.name: node.op.macs(*graph.in_shapes(node.name)) for node in graph}
    analog_nodes = () if spiking_input else [n for n in inflow if source in inflow[n].maps]
    analog_nodes = [name for name in analog_nodes if name not in operations]
    network = Network(
        tuple(built),
        tuple(projections),
        tuple(analog),
        readout,
        kind,
        sum(macs.values()),
        sum(macs[name] for name in analog_nodes),
        np.concatenate(scales),
        sum(macs[name] for name in operations),
    )
    _expect_counts(network)
    _expect_decoded(network)
    try:
        network.check()
    except ValueError as error:
        raise SimulationError(f"graph '{graph.name}' cannot be compiled: {error}") from error
    return network


def operand_of(name: str) -> str:
    """Name the population that gathers what an operator's neurons follow; no node is called so."""
    return f"{name} (operand)"


def expect_converted(graph: Graph) -> None:
    """Raise SimulationError for an activation that no population stands for."""
    target = deciding_node(graph)
    for node in graph:
        if node.op.can_spike and node.spiking is None and node.name != target:
            raise SimulationError(
                f"{place(node)}node '{node.name}' ({node.op.kind}) has no threshold: the graph is "
                "not converted. Run 'thresher convert', or thresher.convert(graph, 'default', ...)"
            )


def _expect_counts(network: Network) -> None:
    """Raise SimulationError where a max pool follows neurons whose counts stand for nothing."""
    for projection in network.projections:
        source, target = (network.populations[r] for r in (projection.source, projection.target))
        follows = model_of(source).counted or issubclass(model_of(source), TimeCoded)
        if target.neuron == MaxPool.name and not follows:
            raise SimulationError(
                f"node '{target.name}' is a max pool of '{source.name}', whose neurons are "
                f"'{source.neuron}'; it follows net counts, which {_that_count()} have, and "
                "neurons that say a value by time: convert with another recipe, or replace it by "
                "an average pool (--set replace-unsupported.max_pool=average)"
            )


def _expect_decoded(network: Network) -> None:
    """Raise SimulationError where the spikes of differential neurons mean nothing to a reader."""
    output = network.populations[-1]
    if output.fires and model_of(output).differential:
        raise SimulationError(
            f"readout 'spikes' counts, and the spikes of '{output.name}', whose neurons are "
            f"'{output.neuron}', say how a value changes; take --readout membrane"
        )
    for projection in network.projections:
        source, target = (network.populations[r] for r in (projection.source, projection.target))
        if projection.differential and not model_of(target).decodes:
            raise SimulationError(
                f"node '{target.name}': neurons '{target.neuron}' take each spike for itself, and "
                f"those of '{source.name}', whose neurons are '{source.neuron}', say how a value "
                "changes; take neurons without a leak, or another neuron there"
            )


def _that_count() -> str:
    names = [f"'{name}'" for name in NEURONS if NEURONS.get(name).counted]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _populations(
    graph: Graph,
    source: str,
    target: str,
    readout: Readout,
    spiking_input: bool,
    operations: Mapping[str, Operation],
    dtype: np.dtype[Any],
) -> dict[str, Spiking | str]:
    """Return the populations in rank order: annotation, or "input", "max_pool", "operand" or
    "readout".

    Annotations are checked, and have every parameter of their models.
    """
    found: dict[str, Spiking | str] = {}
    if spiking_input:
        found[source] = "input"
    for node in graph:
        if node.name == target:
            continue
        if node.name in operations:
            found[operand_of(node.name)] = "operand"
        if node.spiking is not None:
            found[node.name] = node.spiking
        elif _follows_counts(graph, node):
            found[node.name] = MaxPool.name
    spiking = graph[target].spiking
    fires = readout.kind == "spikes" and spiking is not None
    if target in operations:
        _expect_fires(graph[target], fires)
        found[operand_of(target)] = "operand"
    found[target] = spiking if fires and spiking is not None else "readout"
    if graph[target].op.to_windows(*graph.in_shapes(target)) is not None and not fires:
        raise SimulationError(
            f"node '{target}' is a max pool and the output; expected a linear layer"
        )
    for name, value in found.items():
        if isinstance(value, Spiking):
            _check_annotation(graph, graph[name], value, dtype)
            complete = NEURONS.get(value.neuron).complete(value.parameters)
            found[name] = replace(value, parameters=complete)
    return found


def _follows_counts(graph: Graph, node: Node) -> bool:
    """Tell whether a node is a max pool of what populations send."""
    windows = node.op.to_windows(*graph.in_shapes(node.name))
    return windows is not None and not is_before_neurons(graph, node)


def _with_defaults(graph: Graph, populations: dict[str, Spiking | str]) -> Graph:
    """Return a graph whose annotations have every parameter of their models."""
    nodes = {
        name: replace(graph[name], spiking=value)
        for name, value in populations.items()
        if isinstance(value, Spiking) and value.parameters
    }
    return graph.replace_all(nodes) if nodes else graph


def _expect_fires(node: Node, fires: bool) -> None:
    """Raise SimulationError where no membrane can stand for what decides."""
    if not fires:
        raise SimulationError(
            f"{place(node)}node '{node.name}' decides and follows a function of its input, which "
            "no membrane adds up; expected a linear layer at the output, or --readout spikes"
        )


def _check_annotation(graph: Graph, node: Node, spiking: Spiking, dtype: np.dtype[Any]) -> None:
    where = f"{place(node)}node '{node.name}'"
    if spiking.neuron not in NEURONS:
        raise SimulationError(f"{where}: {NEURONS.unknown(spiking.neuron)}")
    try:
        NEURONS.get(spiking.neuron).check(spiking)
    except SimulationError as error:
        raise SimulationError(f"{where}: {error}") from error
    if isinstance(node.op, LeakyRelu) and spiking.neuron != IMBALANCED:
        raise SimulationError(
            f"{where} is a leaky ReLU, and neuron '{spiking.neuron}' has no slope below 0; take "
            f"neuron '{IMBALANCED}', as recipe 'kim2020' does, or a ReLU "
            "(--set replace-unsupported.leaky_relu=relu)"
        )
    model = NEURONS.get(spiking.neuron)
    _check_operator(graph, node, spiking, dtype)
    if dtype.kind == "i" and model.leaks:
        raise SimulationError(
            f"{where}: neuron '{spiking.neuron}' leaks by fractions, which precision 'int' "
            "does not have; take --precision float32"
        )
    if dtype.kind == "i" and model.differential:
        raise SimulationError(
            f"{where}: a spike of neuron '{spiking.neuron}' goes on bringing a part of what it "
            "carries, which precision 'int' does not have; take --precision float32"
        )
    if dtype.kind == "i" and model.window is not None and not model.window.whole:
        raise SimulationError(
            f"{where}: a spike of neuron '{spiking.neuron}' may bring a fraction of its "
            "threshold, which precision 'int' does not have; take --precision float32"
        )


def _check_operator(graph: Graph, node: Node, spiking: Spiking, dtype: np.dtype[Any]) -> None:
    """Raise SimulationError for neurons that do not go with what they would follow."""
    where, model = f"{place(node)}node '{node.name}'", NEURONS.get(spiking.neuron)
    pool = pool_before(graph, node)
    if model.operates and (node.op.can_spike or not node.op.can_operate):
        raise SimulationError(
            f"{where} is of op '{node.op.kind}', which neurons '{model.name}' do not follow; take "
            "neuron 'if', or none where the op is linear"
        )
    if node.op.can_operate and not (node.op.can_spike or model.operates):
        follows = node.op.to_windows(*graph.in_shapes(node.name)) is not None
        raise SimulationError(
            f"{where} is of op '{node.op.kind}', which neurons '{model.name}' do not compute; take "
            "neuron 'expectation'"
            + (", or take its 'spiking' out, and it follows counts" if follows else "")
        )
    adds_up = issubclass(model, Integrator) and spiking.reset == "soft"
    others = model.operates or model.differential or spiking.neuron == IMBALANCED
    if pool is not None and (others or not adds_up):
        raise SimulationError(
            f"{where} stands behind the max pool '{pool.name}', and its neurons are "
            f"'{model.name}' with {spiking.reset} reset; expected neurons that keep all charge, "
            "such as 'if' with soft reset"
        )
    if dtype.kind == "i" and (model.operates or pool is not None):
        raise SimulationError(
            f"{where} follows a function of its mean input, which has fractions; precision 'int' "
            "has none: take --precision float32"
        )


def _scale(
    name: str, shape: Shape, spiking: Spiking | str, readout: Readout, dtype: np.dtype[Any]
) -> Floats:
    """Return each neuron's units that stand for 1, in the population's shape."""
    if dtype.kind == "f" or spiking in ("input", MaxPool.name):
        return np.ones(shape)
    scale = spiking.scale if isinstance(spiking, Spiking) else readout.scale
    if scale is None:
        raise SimulationError(
            f"node '{name}' has no scale for precision 'int': convert with the pass 'quantize' as "
            "the last of a recipe (such as 'int8'), or take --precision float32"
        )
    return spread(scale, shape)


def _population(
    name: str,
    shape: Shape,
    rank: int,
    spiking: Spiking | str,
    flow: Inflow | None,
    scale: Floats,
    dtype: np.dtype[Any],
) -> Population:
    order = engine_order(shape)
    current = np.zeros(len(order))
    if flow is not None and flow.bias is not None:
        current += np.broadcast_to(flow.bias, shape).ravel()[order]
    if isinstance(spiking, str):
        never = np.inf if dtype.kind == "f" else np.iinfo(dtype).max
        theta = np.full(len(order), never if spiking in ("readout", "operand") else 1, dtype)
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
        _theta(name, theta * scale, dtype),
        rounded(v_init * scale, dtype, f"v_init of node '{name}'"),
        current + shift,
        spiking.reset == "hard",
        _v_reset(name, spiking.v_reset, scale, dtype),
        spiking.levels,
        np.inf if spiking.tau is None else spiking.tau,
        spiking.parameters,
    )


def _theta(name: str, theta: Floats, dtype: np.dtype[Any]) -> Reals:
    found = rounded(theta, dtype, f"the threshold of node '{name}'")
    if dtype.kind == "i" and not found.all():
        raise SimulationError(
            f"node '{name}': a threshold is {theta.min():.2g} units of precision 'int' and rounds "
            "to 0; take more bits (--set quantize.bits=N)"
        )
    return found


def _v_reset(name: str, v_reset: float, scale: Floats, dtype: np.dtype[Any]) -> float:
    if dtype.kind == "f" or not v_reset:
        return v_reset
    if (scale != scale[0]).any():
        raise SimulationError(
            f"node '{name}': v_reset is {v_reset:g}, and its channels differ in scale; quantize "
            "it by layer (--set quantize.granularity=layer)"
        )
    return float(rounded(v_reset * scale[:1], dtype, f"v_reset of node '{name}'")[0])
