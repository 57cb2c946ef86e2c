"""Two-phase runs: steps that show which neurons would be off, then the steps that count."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from thresher.errors import SimulationError
from thresher.ir import Probe
from thresher.sim.contract import NEVER, Options, Run, SampleRun, Stimulus
from thresher.sim.network import Network, Population, Reals

LEAST = 1e-3
"""Thresholds: a neuron left with no more after the probe is silenced."""
SILENT = -1e30
"""A start from which no neuron reaches its threshold."""
MARGIN = 1e-3
"""Thresholds by which a moved start clears the spike that it adds or takes away."""

Prepare = Callable[[Options], Run]


def probed(network: Network, options: Options, probe: Probe, prepare: Prepare) -> Run:
    """Return a run that probes every sample before its steps, and counts what that costs.

    Spikes, synaptic operations, events and latencies are those of both phases; decisions, and the
    spikes that are recorded, those of the second.
    """
    sees_all = probe.method == "cos"
    watch = tuple(range(int(network.offsets[-1]))) if sees_all else ()
    record = (sees_all,) * len(options.record)
    first = prepare(replace(options, steps=probe.steps, record=record, watch=watch))
    second = prepare(options)
    start_after = {"srp": _without_the_silent, "cos": _moved}[probe.method]

    def run(stimulus: Stimulus) -> SampleRun:
        start, probes = start_after(network, stimulus, first)
        found = second(replace(stimulus, start=start))
        return _both(found, probes, probe.steps * len(probes))

    return run


def steps_of_probe(network: Network, probe: Probe) -> int:
    """Return how many steps are run before those that count."""
    return probe.steps * (1 if probe.method == "srp" else len(_moving(network)))


def expect_probe(network: Network, schedule: str, encoder: str, settles: bool) -> None:
    """Raise SimulationError where a run cannot be probed."""
    for name, found, wanted in (
        ("schedule", schedule, "lockstep"),
        ("encoder", encoder, "constant"),
    ):
        if found != wanted:
            raise SimulationError(
                f"the graph asks for a probe, which {name} '{found}' has not; take --{name} "
                f"{wanted}, or a recipe without a probe"
            )
    follows = [p for p in network.populations if p.operation is not None]
    others = [p for p in network.populations if p.neuron not in ("if", "readout") or p.hard_reset]
    if follows or others or settles or network.is_whole:
        found = "precision 'int' and runs that settle cannot be probed"
        if others:
            found = f"node '{others[0].name}' is no 'if' with soft reset"
        if follows:
            found = f"node '{follows[0].name}' follows the largest, or another function, of inputs"
        raise SimulationError(
            f"the graph asks for a probe, and {found}; take a recipe without a probe"
        )
    if any(projection.delay for projection in network.projections):
        raise SimulationError("the graph asks for a probe, which knows no delays; take --delay 0")


def _moving(network: Network) -> list[Population]:
    return [p for p in network.populations if p.fires]


def _v_init(network: Network) -> Reals:
    return np.concatenate([p.v_init for p in network.populations])


def _without_the_silent(
    network: Network, stimulus: Stimulus, first: Run
) -> tuple[Reals, list[SampleRun]]:
    """Silence what the probe leaves at v <= 0: its mean input is hardly positive (SRP)."""
    start, seen = _v_init(network), first(stimulus)
    for population in _moving(network):
        own = slice(network.offsets[population.rank], network.offsets[population.rank + 1])
        silent = seen.potentials[own] <= LEAST * population.theta
        start[own][silent] = SILENT
    return start, [seen]


def _moved(network: Network, stimulus: Stimulus, first: Run) -> tuple[Reals, list[SampleRun]]:
    """Move the starts, population by population, by what takes away or adds one spike (COS).

    With v before the reset, in units of theta: a neuron that has fired and ends below 0 starts
    lower by max(1, min v at its spikes - 1), one that ends at 1 or above higher by
    max(1, 1 - max v where it was silent); both with a margin.
    """
    start, runs = _v_init(network), []
    for population in _moving(network):
        own = slice(network.offsets[population.rank], network.offsets[population.rank + 1])
        theta = population.theta
        seen = first(replace(stimulus, start=start.copy()))
        runs.append(seen)
        mine = seen.populations == population.rank
        fired = np.zeros((len(seen.watched), population.size), np.bool_)
        fired[seen.ticks[mine] - 1, seen.neurons[mine]] = True
        before = seen.watched[:, own] / theta + fired
        after = seen.potentials[own] / theta
        least = np.where(fired, before, np.inf).min(axis=0)
        most = np.where(fired, -np.inf, before).max(axis=0)
        once_too_often = (after < 0) & fired.any(axis=0)
        once_too_seldom = (after >= 1) & ~fired.all(axis=0)
        move = np.zeros(population.size)
        move[once_too_often] = -np.maximum(1, least - 1 + MARGIN)[once_too_often]
        move[once_too_seldom] = np.maximum(1, 1 + MARGIN - most)[once_too_seldom]
        start[own] += (move * theta).astype(start.dtype)
    return start, runs


def _both(found: SampleRun, probes: list[SampleRun], steps: int) -> SampleRun:
    def later(tick: int) -> int:
        return tick if tick == NEVER else tick + steps

    return replace(
        found,
        first_evidence=later(found.first_evidence),
        settled=later(found.settled),
        confident=later(found.confident),
        spike_counts=found.spike_counts + sum(p.spike_counts for p in probes),
        synaptic_operations=found.synaptic_operations + sum(p.synaptic_operations for p in probes),
        events=found.events + sum(p.events for p in probes),
        peak_queue=max(found.peak_queue, *(p.peak_queue for p in probes)),
    )
