"""What both reference schedules keep while they run a sample."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from thresher.sim.contract import NEVER, Options, SampleRun, Stimulus
from thresher.sim.decision import Decision
from thresher.sim.network import Ints, Network, Population, Projection, Reals
from thresher.sim.neurons import Neuron, Operator, Time, neuron_of


class State:
    """Potentials, counters and the trace of one sample."""

    def __init__(self, network: Network, options: Options, stimulus: Stimulus) -> None:
        self.network = network
        self.options = options
        time = Time(options, network.dtype)
        ends = zip(network.offsets[:-1], network.offsets[1:], strict=True)
        self.neurons: list[Neuron] = [
            neuron_of(population)(
                _starting(population, stimulus.start, start, end),
                stimulus.current[start:end],
                time,
            )
            for population, (start, end) in zip(network.populations, ends, strict=True)
        ]
        for rank, neurons in enumerate(self.neurons):
            if isinstance(neurons, Operator):
                neurons.attach(self.neurons[rank - 1])
        self.outgoing: list[list[Projection]] = [[] for _ in network.populations]
        self.incoming: list[list[Projection]] = [[] for _ in network.populations]
        for projection in network.projections:
            self.outgoing[projection.source].append(projection)
            self.incoming[projection.target].append(projection)
        self.stimulus = stimulus
        self.decision = Decision(network, options)
        self.output_counts = np.zeros(network.populations[-1].size)
        self.spike_counts = np.zeros(len(network.populations), np.int64)
        self.synaptic_operations = self.events = self.pending = self.peak_queue = 0
        self.quiescent = NEVER
        self.trace: list[tuple[int, int, int, int]] = []
        self.watched: list[list[float]] = []

    def input_spikes(self, tick: int) -> Iterator[tuple[int, int]]:
        """Yield the encoder's (neuron, sign) at a tick, in index order."""
        first, last = np.searchsorted(self.stimulus.ticks, [tick, tick + 1])
        for entry in range(first, last):
            yield int(self.stimulus.neurons[entry]), int(self.stimulus.signs[entry])

    def deliver(self, projection: Projection, neuron: int, sign: int, tick: int) -> Ints:
        """Let one spike reach its targets, and return them."""
        targets = self.neurons[projection.target].receive(projection, neuron, sign, tick)
        self.synaptic_operations += len(targets)
        output = self.network.populations[-1]
        if len(targets) and projection.target == output.rank and not output.fires:
            self.decision.saw_evidence(tick)
        return targets

    def count_spike(self, tick: int, population: int, neuron: int, sign: int) -> None:
        """Count one spike, and keep it where it is to be recorded."""
        self.spike_counts[population] += 1
        if self.options.record[population]:
            self.trace.append((tick, population, neuron, sign))
        if population == len(self.neurons) - 1:
            self.output_counts[neuron] += sign
            self.decision.saw_evidence(tick)

    def close_tick(self, tick: int) -> None:
        """Let the decision and the watched neurons see the potentials after a tick."""
        fires = self.network.populations[-1].fires
        output = self.output_counts if fires else self.neurons[-1].potential(tick)
        self.decision.observe(tick, output)
        if self.options.watch and tick <= self.options.ticks:
            self.watched.append(list(self._potentials(tick)[list(self.options.watch)]))

    def _potentials(self, tick: int) -> Reals:
        return np.concatenate([neurons.potential(tick) for neurons in self.neurons])

    def result(self, tick: int) -> SampleRun:
        """Gather what was measured up to the last tick."""
        columns = np.array(self.trace, np.int64).reshape(-1, 4).T
        watched = np.array(self.watched, self.network.dtype)
        return SampleRun(
            self.decision.predictions,
            self.decision.first_evidence,
            self.decision.settled,
            self.decision.confident,
            self.spike_counts,
            self.synaptic_operations,
            self.events,
            self.peak_queue,
            self._potentials(tick),
            columns[0],
            columns[1].astype(np.int16),
            columns[2].astype(np.int32),
            columns[3].astype(np.int8),
            watched.reshape(len(self.watched), len(self.options.watch)),
            self.quiescent,
        )


def _starting(population: Population, potentials: Reals | None, start: int, end: int) -> Population:
    if potentials is None:
        return population
    return replace(population, v_init=potentials[start:end])
