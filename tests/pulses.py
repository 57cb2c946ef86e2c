"""A neuron that is given pulses at ticks that a test chooses, and what it makes of them."""

from collections.abc import Sequence

import numpy as np
from networks import chain, fires, linear
from running import Setting, run

from thresher.ir import Graph
from thresher.sim import compile_graph
from thresher.sim.contract import SampleRun, Stimulus

CELL = 1
"""The population's rank: the input's neuron, which sends the pulses, comes before."""


def pulsed_graph(pulse: float, neuron: str, threshold: float, **annotation: object) -> Graph:
    """Build a neuron to which a spike of the input brings `pulse`, and a readout of its spikes."""
    return chain(
        (1,),
        ("synapse", linear("synapse", [[pulse]])),
        ("cell", *fires(threshold, neuron=neuron, **annotation)),
        ("out", linear("out", [[1.0]])),
        threshold=1.0,
    )


def run_pulsed(
    graph: Graph, ticks: Sequence[int], setting: Setting, signs: Sequence[int] | None = None
) -> SampleRun:
    """Run the graph on the reference engine, in float64, with input spikes at these ticks."""
    network = compile_graph(graph, spiking_input=True, dtype=np.float64)
    current = np.concatenate([population.current for population in network.populations])
    chosen = [1] * len(ticks) if signs is None else signs
    stimulus = Stimulus(
        current,
        np.array(ticks, np.int64),
        np.zeros(len(ticks), np.int32),
        np.array(chosen, np.int8),
    )
    return run(network, stimulus, setting, "reference", watch=True)


def spike_ticks(sample: SampleRun) -> list[int]:
    """Return the ticks at which the population fired."""
    return sample.ticks[sample.populations == CELL].tolist()
