"""The kernels of all neuron models: what they need besides the wiring, and how they are called."""

import numpy as np
from numpy.typing import NDArray

from thresher.cython_ext.models_async import run_models_async
from thresher.cython_ext.models_lockstep import run_models_lockstep
from thresher.cython_ext.populations import Populations
from thresher.cython_ext.wiring import Wiring
from thresher.sim.contract import Options, Run, SampleRun, Stimulus
from thresher.sim.decision import first_decision
from thresher.sim.network import Ints, Network, Population, Reals, SparseSynapses
from thresher.sim.neurons import (
    Differential,
    Graded,
    IntegrateAndFire,
    LeakyIntegrateAndFire,
    MaxPool,
    Time,
    ceiling_of,
    model_of,
)

CODES = (IntegrateAndFire, Differential, Graded, LeakyIntegrateAndFire, MaxPool)
"""As `neurons.h` numbers the models; `Graded` stands for all others that are."""


def needs_models(network: Network, options: Options) -> bool:
    """Tell whether a run is more than the faster kernels of `if` know."""
    models = {model_of(population) for population in network.populations}
    operates = any(population.operation is not None for population in network.populations)
    return options.settles or operates or models != {IntegrateAndFire}


def prepare_models(network: Network, options: Options, wiring: Wiring) -> Run:
    """Lay the populations out, and return a function that runs one sample."""
    populations = lay_out_populations(network, options)
    kept, watch = np.array(options.record, np.uint8), np.array(options.watch, np.int64)
    ramp = np.zeros(0) if network.is_whole else options.ramp(network.dtype)
    start, confidence = network.readout.t_start, options.confidence
    evidence = first_decision(network, options)

    def run(stimulus: Stimulus) -> SampleRun:
        if options.schedule == "lockstep":
            fields = run_models_lockstep(
                wiring,
                populations,
                stimulus.current.copy(),  # differential spikes change it
                options.steps,
                options.settle_limit,
                start,
                confidence,
                evidence,
                stimulus.ticks,
                stimulus.neurons,
                stimulus.signs,
                kept,
                watch,
                options.stop,
            )
        else:
            fields = run_models_async(
                wiring,
                populations,
                stimulus.current.copy(),  # settling changes it
                ramp,
                options.ticks,
                options.last_tick,
                options.refractory,
                options.netted,
                options.ticks_per_step,
                start,
                confidence,
                evidence,
                stimulus.ticks,
                stimulus.neurons,
                stimulus.signs,
                kept,
                watch,
                options.stop,
            )
        return SampleRun(*fields)

    return run


def lay_out_populations(network: Network, options: Options) -> Populations:
    """Return what the kernels need of each population besides the wiring."""
    populations = network.populations
    time = Time(options, network.dtype)
    counter, counters, members, member = _windows(network)
    numbers, above, below, down = _rules(network, options)
    return Populations(
        np.array([_code(p) for p in populations], np.int32),
        numbers,
        np.array([ceiling_of(p) for p in populations]),
        above,
        below,
        down,
        np.array([p.hard_reset for p in populations], np.uint8),
        np.array([p.v_reset for p in populations], np.float64),
        np.array([p.tau for p in populations], np.float64),
        [_decay(network, p, time) for p in populations],
        [None if p.operation is None else p.drive for p in populations],
        counter,
        counters,
        members,
        member,
    )


def _code(population: Population) -> int:
    model = model_of(population)
    return next(code for code, known in enumerate(CODES) if issubclass(model, known))


def _rules(network: Network, options: Options) -> tuple[NDArray[np.int32], Reals, Reals, Reals]:
    """Return (rule, above, below, down) as `Populations` takes them; zeros of other models."""
    numbers = np.zeros((len(network.populations), 4), np.int32)
    arrays = np.zeros((3, network.offsets[-1]), network.dtype)
    for population in network.populations:
        model, span = model_of(population), network.span(population.rank)
        if issubclass(model, Graded):
            rule = model.rule_of(population, options.steps)
            numbers[population.rank] = rule.rounding, rule.cap, rule.least, rule.most
            arrays[:, span] = rule.above, rule.below, rule.down
    above, below, down = arrays
    return numbers, above, below, down


def _decay(network: Network, population: Population, time: Time) -> Reals:
    if not model_of(population).leaks:
        return np.zeros(0, network.dtype)
    return time.decay(population.tau, network.dtype)


def _windows(
    network: Network,
) -> tuple[Ints, int, Ints, np.ndarray[tuple[int], np.dtype[np.int32]]]:
    """Number the sources of max pools, projection by projection, and list those of each window."""
    counter = np.full(len(network.projections), -1, np.int64)
    counters, windows, numbers = 0, [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for index, projection in enumerate(network.projections):
        synapses = projection.synapses
        if projection.kind != "window" or not isinstance(synapses, SparseSynapses):
            continue
        sources = len(synapses.indptr) - 1
        counter[index] = counters
        windows.append(network.offsets[projection.target] + synapses.indices)
        numbers.append(counters + np.repeat(np.arange(sources), synapses.fan_out()))
        counters += sources
    window, number = np.concatenate(windows), np.concatenate(numbers)
    order = np.argsort(window, kind="stable")
    members = np.searchsorted(window[order], np.arange(network.offsets[-1] + 1))
    return counter, counters, members.astype(np.int64), number[order].astype(np.int32)
