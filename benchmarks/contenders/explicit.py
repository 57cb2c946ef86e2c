"""The workload as neurons and synapses listed one by one, for simulators of such networks."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Workload
from thresher.sim import Network, Projection, compile_graph


@dataclass(frozen=True, eq=False)
class Synapses:
    """Synapses from one population to another: arrays (synapses,)."""

    source: int
    target: int
    pre: NDArray[np.int32]
    post: NDArray[np.int32]
    weight: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Explicit:
    """Populations by size (the readout last), every synapse, and the currents (images, neurons)."""

    sizes: tuple[int, ...]
    synapses: tuple[Synapses, ...]
    currents: tuple[NDArray[np.float32], ...]


def list_synapses(workload: Workload) -> Explicit:
    """List the network that Thresher compiles the workload to: about 16 million synapses."""
    network = compile_graph(workload.graph)
    sizes = tuple(population.size for population in network.populations)
    synapses = tuple(_expand(projection, network) for projection in network.projections)
    return Explicit(sizes, synapses, tuple(_currents(workload, network)))


def _expand(projection: Projection, network: Network) -> Synapses:
    reached = [
        projection.synapses.of(neuron)
        for neuron in range(network.populations[projection.source].size)
    ]
    counts = [len(targets) for targets, _ in reached]
    return Synapses(
        projection.source,
        projection.target,
        np.repeat(np.arange(len(reached), dtype=np.int32), counts),
        np.concatenate([targets for targets, _ in reached]).astype(np.int32),
        np.concatenate([weights for _, weights in reached]).astype(np.float32),
    )


def _currents(workload: Workload, network: Network) -> Iterator[NDArray[np.float32]]:
    """Yield each population's current per step: its bias, and what the image feeds it."""
    analog = dict(network.analog)
    for population in network.populations:
        current = np.tile(population.current, (len(workload.images), 1))
        if population.rank in analog:
            fed = analog[population.rank].apply(workload.images)
            current += fed.reshape(len(fed), -1)[:, population.row_major]
        yield current.astype(np.float32)
