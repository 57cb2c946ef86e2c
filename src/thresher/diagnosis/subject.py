"""Subject: the layers of a spiking network that are diagnosed, and what to know of each."""

from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from thresher.diagnosis.even_run import even_run_of
from thresher.diagnosis.staircase import Staircase, staircase_of
from thresher.errors import SimulationError
from thresher.ir import Graph, Node
from thresher.ir.inflow import inflow_of
from thresher.ir.linear_map import Shape
from thresher.ir.ops import Qcfs
from thresher.sim import NEURONS, Network, Population
from thresher.sim.neurons import model_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Dtype = type[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Layer:
    """A population, a max pool or the readout: arrays of its shape, row-major.

    `neuron` is the model, "max_pool" or "readout"; `before` the layers that it depends on, in rank
    order. A spike more stands for `unit` / T, of a `differential` neuron in step t for `unit` / t.
    `fan_out` holds, for each projection that leaves the layer, its delay and the synapses of each
    neuron; `delays` the delay of each one that arrives. The staircase of an operator is that of
    what its function gives of its mean inputs. `own_levels` are those that the ANN's own function
    rounds to, where a step of the neurons is a level.
    """

    name: str
    shape: Shape
    neuron: str
    before: tuple[str, ...]
    staircase: Staircase | None
    unit: Floats
    fan_out: tuple[tuple[int, Ints], ...]
    delays: dict[str, int]
    differential: bool = False
    hard_reset: bool = False
    own_levels: int | None = None

    @property
    def fires(self) -> bool:
        return self.neuron != "readout"


def layers_of(
    graph: Graph, network: Network, steps: int, dtype: Dtype, *, layered: bool = False
) -> tuple[Layer, ...]:
    """Return the layers in rank order, what decides last; `layered` is the schedule.

    Raises
    ------
    SimulationError
        For a population whose count depends on more than its input: one that leaks, or whose
        spikes mean something only in a window of their own.
    """
    pools = any(p.neuron == "max_pool" for p in network.populations)
    counts = {name: flow.count for name, flow in inflow_of(graph).items()} if pools else {}
    layers: list[Layer] = []
    for population in network.populations:
        if population.neuron == "operand":
            continue
        name, shape = population.name, population.shape
        staircase, count, unit = None, counts.get(name), np.ones(shape)
        if population.fires and count is None:
            staircase = _staircase(graph[name], population, steps, dtype, layered)
            unit = staircase.theta
        receives = population.rank - (population.operation is not None)
        ancestors = nx.ancestors(graph.structure, name)
        layers.append(
            Layer(
                name,
                shape,
                population.neuron,
                tuple(layer.name for layer in layers if layer.name in ancestors),
                staircase,
                unit if count is None else count,
                _fan_out(network, population),
                {
                    network.populations[projection.source].name: projection.delay
                    for projection in network.projections
                    if projection.target == receives
                },
                population.fires and model_of(population).differential,
                population.hard_reset,
                _own_levels(graph[name], staircase),
            )
        )
    return tuple(layers)


def _staircase(
    node: Node, population: Population, steps: int, dtype: Dtype, layered: bool
) -> Staircase:
    spiking, model = node.spiking, NEURONS.get(population.neuron)
    assert spiking is not None
    levels = model.ceiling_of(population, steps)
    if levels is not None and not population.hard_reset:
        lowest = model.floor_of(population, steps)
        return staircase_of(spiking, population.shape, steps, levels, dtype, lowest)
    found = even_run_of(spiking, population, steps, dtype, layered)
    if found is None:
        raise SimulationError(
            f"node '{node.name}': what neuron '{population.neuron}' says depends on more than its "
            "input: on when that came, or on a window of its own. Its error has no parts to tell "
            "apart; diagnose takes neurons that integrate without leak"
        )
    return found


def _own_levels(node: Node, staircase: Staircase | None) -> int | None:
    """Return to how many levels the ANN rounds where neurons say as many as there are steps."""
    counts = staircase is not None and staircase.levels == staircase.steps
    return node.op.levels if counts and isinstance(node.op, Qcfs) else None


def _fan_out(network: Network, population: Population) -> tuple[tuple[int, Ints], ...]:
    found = []
    for projection in network.projections:
        if projection.source == population.rank:
            synapses = np.empty(population.size, np.int64)
            synapses[population.row_major] = projection.synapses.fan_out()
            found.append((projection.delay, synapses))
    return tuple(found)
