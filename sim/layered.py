"""The layered schedule: each population sees its whole input of T steps before it fires."""

import numpy as np

from thresher.sim.contract import NEVER, Options, Run, SampleRun, Stimulus
from thresher.sim.decision import first_decision
from thresher.sim.network import Floats, Network, Population, Projection, Reals, SparseSynapses
from thresher.sim.neurons import MaxPool
from thresher.sim.synapses import transmit


def prepare_layered(network: Network, options: Options) -> Run:
    """Return a function that runs one sample of `network` population by population.

    spikes = clip(floor((T * current + PSPs + v_init) / theta), 0, L), which is the quantised ANN; L
    is T, or what a signed population says. A population at depth d fires the j-th of its n spikes
    at step d T + ceil(j T / n); a max pool fires with the populations that it follows. There is
    one implementation, which every engine shares: it has no order of events to differ in. Sums are
    float64, or int64 where the network is whole.
    """

    def run(stimulus: Stimulus) -> SampleRun:
        return LayeredRun(network, options, stimulus).run()

    return run


def depth_of(network: Network) -> list[int]:
    """Return each population's depth: 0 where only the analog input feeds it, else one more.

    A max pool is as deep as the deepest that it follows.
    """
    depths = [0] * len(network.populations)
    for projection in sorted(network.projections, key=lambda p: p.target):
        target = network.populations[projection.target]
        depth = depths[projection.source] + (target.neuron != MaxPool.name)
        depths[target.rank] = max(depths[target.rank], depth)
    return depths


def layered_steps(network: Network, steps: int) -> int:
    """Return the step at which the decision stands: T for every layer that fires."""
    depths = depth_of(network)
    return steps * (1 + max((depths[p.rank] for p in network.spiking), default=0))


class LayeredRun:
    """Run one sample: potentials and counts of all neurons, one population after another."""

    def __init__(self, network: Network, options: Options, stimulus: Stimulus) -> None:
        self.network, self.options, self.stimulus = network, options, stimulus
        self.dtype = np.dtype(np.int64 if network.is_whole else np.float64)
        v_init = np.concatenate([p.v_init for p in network.populations]).astype(self.dtype)
        self.potentials: Reals = v_init + options.steps * stimulus.current.astype(self.dtype)
        self.counts = np.zeros(len(self.potentials))  # signed where the input is
        self.synaptic_operations = self.events = 0
        self.evidence = first_decision(network, options) != NEVER

    def span(self, rank: int) -> slice:
        return slice(self.network.offsets[rank], self.network.offsets[rank + 1])

    def run(self) -> SampleRun:
        spikes = [self._fire(rank) for rank in range(len(self.network.populations))]
        spike_counts = np.array([len(ticks) for ticks, _, _ in spikes])
        kept = [rank for rank, keep in enumerate(self.options.record) if keep]
        ticks, neurons, signs = (
            np.concatenate([spikes[rank][column] for rank in kept] or [np.zeros(0)])
            for column in range(3)
        )
        populations = np.repeat(kept, spike_counts[kept]) if kept else np.zeros(0)
        order = np.argsort(ticks, kind="stable")
        decided = layered_steps(self.network, self.options.steps) if self.evidence else NEVER
        return SampleRun(
            np.array([self._decision() if self.evidence else NEVER]),
            decided,
            decided,
            NEVER,
            spike_counts,
            self.synaptic_operations,
            self.events,
            0,
            self.potentials.astype(self.network.dtype),
            ticks[order].astype(np.int64),
            populations[order].astype(np.int16),
            neurons[order].astype(np.int32),
            signs[order].astype(np.int8),
            np.zeros((0, 0), self.network.dtype),
            layered_steps(self.network, self.options.steps) if self.options.settles else NEVER,
        )

    def _fire(self, rank: int) -> tuple[Floats, Floats, Floats]:
        """Take the input of a population, fire it; return its spikes' steps, neurons, signs."""
        population, span = self.network.populations[rank], self.span(rank)
        if population.neuron == "input":
            stimulus = self.stimulus
            np.add.at(self.counts, stimulus.neurons, stimulus.signs)
            return (
                stimulus.ticks.astype(np.float64),
                stimulus.neurons.astype(np.float64),
                stimulus.signs.astype(np.float64),
            )
        self._receive(rank)
        if not population.fires:
            return np.zeros(0), np.zeros(0), np.zeros(0)
        steps, n = self.options.steps, self._count(population, span)
        self.counts[span] = n
        self.evidence |= rank == len(self.network.populations) - 1 and bool(n.any())
        neurons = np.repeat(np.arange(population.size), n.astype(np.int64))
        nth = np.arange(len(neurons)) - np.repeat(np.cumsum(n) - n, n.astype(np.int64)) + 1
        ticks = depth_of(self.network)[rank] * steps + np.ceil(nth * steps / n[neurons])
        return ticks, neurons.astype(np.float64), np.ones(len(neurons))

    def _count(self, population: Population, span: slice) -> Reals:
        """Return the spikes of each neuron, and take what they carry off the potentials."""
        if population.neuron == MaxPool.name:
            return self.potentials[span]
        theta = population.theta.astype(self.dtype)
        levels = population.levels or self.options.steps
        n: Reals = np.clip(self._floor(self.potentials[span], theta), 0, levels)
        self.potentials[span] -= n * theta
        return n

    def _floor(self, potentials: Reals, theta: Reals) -> Reals:
        """Count how often theta goes into each potential, towards minus infinity."""
        return potentials // theta if self.network.is_whole else np.floor(potentials / theta)

    def _receive(self, rank: int) -> None:
        span = self.span(rank)
        for projection in self.network.projections:
            if projection.target == rank:
                sent = self.counts[self.span(projection.source)]
                self._add(projection, sent, span)
                self.events += int(np.abs(sent).sum())
                operations = int(np.abs(sent) @ projection.synapses.fan_out())
                self.synaptic_operations += operations
                readout = not self.network.populations[rank].fires
                self.evidence |= readout and operations > 0

    def _add(self, projection: Projection, sent: Floats, span: slice) -> None:
        """Add what the sources' counts bring, or take the largest of a window."""
        synapses, potentials = projection.synapses, self.potentials[span]
        if isinstance(synapses, SparseSynapses) and projection.kind == "window":
            counts = np.repeat(sent, np.diff(synapses.indptr)).astype(self.dtype)
            np.maximum.at(potentials, synapses.indices, counts)
        else:
            potentials += transmit(synapses, sent, len(potentials)).astype(self.dtype)

    def _decision(self) -> int:
        output = self.network.populations[-1]
        values = self.counts if output.fires else self.potentials
        return int(np.argmax(values[self.span(output.rank)]))
