"""Run a graph through an engine directly, past `simulate`, and look at all of what it measured."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from thresher.ir import Graph
from thresher.sim import (
    ENCODERS,
    ENGINES,
    Network,
    Projection,
    compile_graph,
    compiled_available,
)
from thresher.sim.bounds import Extent, fit_membranes
from thresher.sim.contract import Options, SampleRun, Stimulus
from thresher.sim.layered import prepare_layered
from thresher.sim.stimulus import Stimuli

DTYPES = {"float32": np.float32, "float64": np.float64, "int": np.int64}
DIFFER_BY_ENGINE = {"events", "peak_queue"}
Floats = NDArray[np.float64]
AVAILABLE, WHY_NOT = compiled_available()
ENGINE_PARAMS = [
    pytest.param(name, marks=pytest.mark.skipif(name == "cython" and not AVAILABLE, reason=WHY_NOT))
    for name in ENGINES
]
every_engine = pytest.mark.parametrize("engine", ENGINE_PARAMS)
every_other_engine = pytest.mark.parametrize(
    "engine", [param for param in ENGINE_PARAMS if param.values != ("reference",)]
)


@dataclass(frozen=True)
class Setting:
    """How to run a graph."""

    schedule: str = "lockstep"
    steps: int = 4
    ticks_per_step: int = 1
    refractory: int = 0
    netted: bool = True
    delay: int = 0
    encoder: str = "constant"
    precision: str = "float32"
    t_start: int = 0
    confidence: float = 0.9
    seed: int = 0
    settle_limit: int = 0

    @property
    def ticks(self) -> int:
        return self.steps * self.ticks_per_step


def network_of(graph: Graph, setting: Setting) -> Network:
    """Compile a graph as a setting wants it."""
    network = compile_graph(
        graph,
        readout=replace(graph.readout, t_start=setting.t_start),
        spiking_input=ENCODERS.get(setting.encoder).spikes,
        delay=setting.delay,
        dtype=DTYPES[setting.precision],
    )
    ticks = setting.ticks + setting.settle_limit * setting.ticks_per_step
    extent = Extent(setting.steps, ticks, setting.refractory)
    largest = graph.inputs[0].threshold or 1.0
    return fit_membranes(network, extent, largest) if network.is_whole else network


def stimulus_of(
    graph: Graph, network: Network, image: NDArray[np.floating], setting: Setting
) -> Stimulus:
    """Return what the engines are fed for one preprocessed image."""
    encoder, time = ENCODERS.get(setting.encoder), (setting.steps, setting.ticks_per_step)
    return Stimuli(graph, network, encoder, *time, setting.seed).of(image, 0)[0]


def run(
    network: Network, stimulus: Stimulus, setting: Setting, engine: str, watch: bool = False
) -> SampleRun:
    """Run one sample, recording every spike; with `watch` every potential at every tick."""
    options = Options(
        setting.schedule,
        setting.steps,
        setting.ticks_per_step,
        setting.refractory,
        setting.netted,
        setting.confidence,
        (True,) * len(network.populations),
        tuple(range(network.offsets[-1])) if watch else (),
        settle_limit=setting.settle_limit,
    )
    if setting.schedule == "layered":
        return prepare_layered(network, options)(stimulus)
    return ENGINES.get(engine).prepare(network, options)(stimulus)


def assert_same_run(found: SampleRun, expected: SampleRun) -> None:
    """Compare all that engines must agree on, to the last bit."""
    for field in fields(SampleRun):
        if field.name not in DIFFER_BY_ENGINE:
            one, two = (np.asarray(getattr(item, field.name)) for item in (found, expected))
            np.testing.assert_array_equal(one, two, err_msg=field.name)
            assert one.dtype == two.dtype, field.name
            assert one.tobytes() == two.tobytes(), f"{field.name} differs in a sign of zero"


def spikes_by_tick(network: Network, sample: SampleRun, rank: int, ticks: int) -> Floats:
    """Count a population's net spikes at every tick: (ticks + 1, neurons), engines' order."""
    counts = np.zeros((ticks + 1, network.populations[rank].size))
    of = sample.populations == rank
    np.add.at(counts, (sample.ticks[of], sample.neurons[of]), sample.signs[of])
    return counts


def weights_of(network: Network, projection: Projection) -> Floats:
    """Write a projection's weights as a matrix (sources, targets), engines' order."""
    source, target = (network.populations[rank] for rank in (projection.source, projection.target))
    matrix = np.zeros((source.size, target.size))
    for neuron in range(source.size):
        targets, weights = projection.synapses.of(neuron)
        matrix[neuron, targets] += weights
    return matrix


def row_major(network: Network, rank: int, values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Bring a population's values from the engines' order into its shape."""
    population = network.populations[rank]
    ordered = np.empty_like(values)
    ordered[population.row_major] = values
    return ordered.reshape(population.shape)
