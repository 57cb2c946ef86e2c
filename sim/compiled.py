"""The compiled engine: lays a network out for the kernels and calls them."""

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.sim.contract import ENGINES, Options, Run, SampleRun, Stimulus
from thresher.sim.decision import first_decision
from thresher.sim.network import Network, Population, RunSynapses
from thresher.sim.neurons import model_of

try:
    from thresher.cython_ext.async_engine import run_async
    from thresher.cython_ext.lockstep_engine import run_lockstep
    from thresher.cython_ext.wiring import Wiring
    from thresher.sim.model_kernels import needs_models, prepare_models
except ImportError as error:
    WHY_NOT = f"the kernels were not compiled when Thresher was installed: {error}"
else:
    WHY_NOT = ""

BLOCK = 64
"""Neurons that share a predicted date, at least, where there are as many."""


class CompiledEngine:
    """Run samples in the Cython kernels; threads may share it, since they release the GIL."""

    def prepare(self, network: Network, options: Options) -> Run:
        """Lay the network out.

        Raises
        ------
        SimulationError
            Where the kernels cannot run the network; see `obstacle`.
        """
        reason = obstacle(network)
        if reason:
            raise SimulationError(reason)
        wiring = lay_out(network)
        if needs_models(network, options):
            return prepare_models(network, options, wiring)
        kept = np.array(options.record, np.uint8)
        watch = np.array(options.watch, np.int64)
        evidence = first_decision(network, options)
        ramp = options.ramp(network.dtype)
        start, confidence = network.readout.t_start, options.confidence

        def run(stimulus: Stimulus) -> SampleRun:
            spikes = (stimulus.ticks, stimulus.neurons, stimulus.signs)
            if options.schedule == "lockstep":
                fields = run_lockstep(
                    wiring,
                    stimulus.current,
                    stimulus.start,
                    options.steps,
                    start,
                    confidence,
                    evidence,
                    *spikes,
                    kept,
                    watch,
                    options.stop,
                )
            else:
                fields = run_async(
                    wiring,
                    stimulus.current,
                    ramp,
                    options.ticks,
                    options.refractory,
                    options.netted,
                    options.ticks_per_step,
                    start,
                    confidence,
                    evidence,
                    *spikes,
                    kept,
                    watch,
                    options.stop,
                )
            return SampleRun(*fields)

        return run


def compiled_available() -> tuple[bool, str]:
    """Tell whether the kernels were built, and if not, why."""
    return not WHY_NOT, WHY_NOT


def obstacle(network: Network) -> str:
    """Say what keeps the kernels from running a network, and what to do; nothing where they can."""
    if WHY_NOT:
        return (
            f"engine 'cython' is not available ({WHY_NOT}); install a C compiler and run "
            "'pip install --force-reinstall thresher', or take --engine reference"
        )
    for population in network.spiking:
        if not model_of(population).has_kernel:
            return (
                f"node '{population.name}': engine 'cython' has no kernel for neuron "
                f"'{population.neuron}'; take --engine reference"
            )
    return ""


def lay_out(network: Network) -> "Wiring":
    """Return the network's arrays as the kernels take them."""

    def flags(values: list[bool]) -> NDArray[np.uint8]:
        return np.array(values, np.uint8)

    populations = network.populations
    output = populations[-1]
    weight = output.psp if output.fires else np.ones(output.size)
    return Wiring(
        network.offsets,
        flags([p.fires for p in populations]),
        flags([p.neuron == "input" for p in populations]),
        flags([p.hard_reset for p in populations]),
        np.array([p.v_reset for p in populations]),
        np.array([block_size(p) for p in populations], np.int32),
        np.concatenate([p.theta for p in populations]),
        np.concatenate([p.v_init for p in populations]),
        weight,
        network.scale[-output.size :].copy(),
        [_synapses(network, number) for number in range(len(network.projections))],
    )


def block_size(population: Population) -> int:
    """Return how many neurons share a predicted date: the channels of one position, or more."""
    channels = population.shape[0] if len(population.shape) > 1 else 1
    return min(population.size, channels * max(1, BLOCK // channels))


def _synapses(network: Network, number: int) -> tuple[object, ...]:
    projection = network.projections[number]
    synapses = projection.synapses
    head = (projection.source, projection.target, projection.delay)
    if isinstance(synapses, RunSynapses):
        none = np.zeros(1, np.int32)
        turned = synapses.by_output() if synapses.groups == 1 else (none, none, none)
        position, channel = np.divmod(synapses.rows, np.int32(len(synapses.weights)))
        rows = (position, channel, *_merge_runs(synapses), synapses.reach())
        return (*head, *rows, synapses.weights, synapses.groups, *turned)
    return (*head, synapses.indptr, synapses.indices, synapses.weights)


def _merge_runs(synapses: RunSynapses) -> tuple[NDArray[np.int32], ...]:
    """Join the runs of a position whose targets and weights follow each other.

    Returns (indptr over positions, first target, first weight in its channel's, targets).
    """
    length = synapses.weights.shape[2]
    first = np.ones(len(synapses.start), bool)
    first[1:] = (np.diff(synapses.start) != length) | (np.diff(synapses.tap) != 1)
    first[synapses.indptr[:-1][synapses.indptr[:-1] < len(first)]] = True
    begins = np.flatnonzero(first)
    indptr = np.searchsorted(begins, synapses.indptr)
    extent = np.diff(np.append(begins, len(first))) * length
    columns = (indptr, synapses.start[begins], synapses.tap[begins] * length, extent)
    return tuple(np.ascontiguousarray(column, np.int32) for column in columns)


ENGINES.register("cython", CompiledEngine())
