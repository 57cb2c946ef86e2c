"""The layered schedule: each population sees its whole input of T steps before it fires."""

import numpy as np

from thresher.errors import SimulationError
from thresher.sim.contract import NEVER, Options, Run, SampleRun, Stimulus
from thresher.sim.decision import first_decision
from thresher.sim.network import Floats, Network, Population, Reals, SparseSynapses
from thresher.sim.neurons import MaxPool, Volley, Window, model_of, no_spikes
from thresher.sim.synapses import transmit


def prepare_layered(network: Network, options: Options) -> Run:
    """Return a function that runs one sample of `network` population by population.

    Each sees its whole input of T steps, T times the ANN's pre-activation, and then fires in T
    steps of its own, as its neurons' `Window` says: a population at depth d in steps dT + 1 ..
    (d + 1) T. Of `if` and `signed_if` clip(floor((T * current + PSPs + v_init) / theta), 0, L)
    spikes, which is the quantised ANN; L is T, or what a signed population says. Graded neurons
    put as many of one step into a spike as it carries. A max pool fires with the populations that
    it follows, an operator as its function of the mean of all T steps asks for. There is one
    implementation, which every engine shares: it has no order of events to differ in. Sums are
    float64, or int64 where the network is whole.

    Raises
    ------
    SimulationError
        Where a window of T steps has no meaning for a neuron, or a max pool follows two kinds.
    """
    windows, depths = windows_of(network, options.steps), depth_of(network)

    def run(stimulus: Stimulus) -> SampleRun:
        return LayeredRun(network, options, stimulus, windows, depths).run()

    return run


def windows_of(network: Network, steps: int) -> dict[int, Window]:
    """Return the windows of the populations that fire and are no input, by rank.

    A max pool's is that of the populations that it follows, of those whose spikes carry most.

    Raises
    ------
    SimulationError
        Where a window of so many steps has no meaning, or a max pool would follow two kinds.
    """
    windows: dict[int, Window] = {}
    for population in network.spiking:
        window = model_of(population).window_of(population, steps)
        if population.neuron == MaxPool.name:
            window = _followed(network, population.rank, windows)
        if window is None or population.neuron == "input":
            continue
        try:
            window.check_steps(steps)
        except SimulationError as error:
            raise SimulationError(
                f"node '{population.name}': neuron '{population.neuron}' {error}"
            ) from error
        windows[population.rank] = window
    return windows


def _followed(network: Network, pool: int, windows: dict[int, Window]) -> Window:
    sources = [p.source for p in network.projections if p.target == pool]
    if len({type(windows[rank]) for rank in sources}) > 1:
        kinds = sorted({network.populations[rank].neuron for rank in sources})
        raise SimulationError(
            f"node '{network.populations[pool].name}' is a max pool of neurons "
            f"{' and '.join(repr(kind) for kind in kinds)}, whose spikes do not compare; expected "
            "one kind"
        )
    return max((windows[rank] for rank in sources), key=lambda window: window.payload)


def depth_of(network: Network) -> list[int]:
    """Return each population's depth: 0 where only the analog input feeds it, else one more.

    A max pool is as deep as the deepest that it follows, an operator as its operand.
    """
    depths = [0] * len(network.populations)
    for projection in sorted(network.projections, key=lambda p: p.target):
        target = network.populations[projection.target]
        depth = depths[projection.source] + (target.neuron != MaxPool.name)
        depths[target.rank] = max(depths[target.rank], depth)
        if target.neuron == "operand":
            depths[target.rank + 1] = depths[target.rank]
    return depths


def layered_steps(network: Network, steps: int) -> int:
    """Return the step at which the decision stands: T for every layer that fires."""
    depths = depth_of(network)
    return steps * (1 + max((depths[p.rank] for p in network.spiking), default=0))


class LayeredRun:
    """Run one sample: potentials and spikes of all neurons, one population after another.

    `levels` holds what a neuron's spikes say (`if`: how many they are), `sent` how many theta * w
    they bring in all (`if`: as many), `n_spikes` how many there are.
    """

    def __init__(
        self,
        network: Network,
        options: Options,
        stimulus: Stimulus,
        windows: dict[int, Window],
        depths: list[int],
    ) -> None:
        self.network, self.options, self.stimulus = network, options, stimulus
        self.windows, self.depths = windows, depths
        self.dtype = np.dtype(np.int64 if network.is_whole else np.float64)
        v_init = np.concatenate([p.v_init for p in network.populations]).astype(self.dtype)
        self.potentials: Reals = v_init + options.steps * stimulus.current.astype(self.dtype)
        self.levels, self.sent = np.zeros((2, len(self.potentials)))
        self.n_spikes = np.zeros(len(self.potentials), np.int64)
        self.synaptic_operations = self.events = 0
        self.evidence = first_decision(network, options) != NEVER

    def span(self, rank: int) -> slice:
        return slice(self.network.offsets[rank], self.network.offsets[rank + 1])

    def run(self) -> SampleRun:
        volleys = [self._fire(rank) for rank in range(len(self.network.populations))]
        spike_counts = np.array([len(volley.steps) for volley in volleys])
        kept = [rank for rank, keep in enumerate(self.options.record) if keep]
        recorded = [volleys[rank] for rank in kept] or [no_spikes()]
        populations = np.repeat(kept, spike_counts[kept]) if kept else np.zeros(0)
        ticks = np.concatenate([volley.steps for volley in recorded])
        neurons = np.concatenate([volley.neurons for volley in recorded])
        signs = np.concatenate([volley.signs for volley in recorded])
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
            ticks[order],
            populations[order].astype(np.int16),
            neurons[order].astype(np.int32),
            signs[order].astype(np.int8),
            np.zeros((0, 0), self.network.dtype),
            layered_steps(self.network, self.options.steps) if self.options.settles else NEVER,
        )

    def _fire(self, rank: int) -> Volley:
        """Take the input of a population and fire it; return its spikes, at absolute steps."""
        population, steps = self.network.populations[rank], self.options.steps
        if population.neuron == "input":
            given = self.stimulus
            spikes = Volley(given.ticks, given.neurons.astype(np.int64), given.signs.astype(int))
            self._send(rank, spikes, np.ones(len(given.ticks)))
            return spikes
        self._receive(rank)
        if population.operation is not None:
            total = self.potentials[self.span(rank - 1)]
            self.potentials[self.span(rank)] += population.drive(total, steps)
        if not population.fires:
            return no_spikes()
        window, levels = self.windows[rank], self._levels(population)
        spikes = window.spikes(levels, steps)
        self._send(rank, spikes, window.charge(spikes.steps, steps))
        self.levels[self.span(rank)] = levels
        self.evidence |= rank == len(self.network.populations) - 1 and bool(levels.any())
        if population.neuron != MaxPool.name:
            sent = self.sent[self.span(rank)].astype(self.dtype)
            self.potentials[self.span(rank)] -= window.taken(
                sent, population.theta.astype(self.dtype)
            )
        return Volley(self.depths[rank] * steps + spikes.steps, spikes.neurons, spikes.signs)

    def _levels(self, population: Population) -> Reals:
        """Return the level of each neuron; a max pool's is the largest of its window."""
        v = self.potentials[self.span(population.rank)]
        if population.neuron == MaxPool.name:
            return v
        theta, steps = population.theta.astype(self.dtype), self.options.steps
        window = self.windows[population.rank]
        return window.levels(v, theta, steps, population.levels or steps)

    def _send(self, rank: int, spikes: Volley, charge: Floats) -> None:
        """Note how many spikes each neuron of a population fires, and what they bring in all."""
        size, span = self.network.populations[rank].size, self.span(rank)
        self.n_spikes[span] = np.bincount(spikes.neurons, minlength=size)
        self.sent[span] = np.bincount(spikes.neurons, spikes.signs * charge, size)

    def _receive(self, rank: int) -> None:
        """Add what the spikes of a population's sources bring, or take the largest of a window."""
        potentials = self.potentials[self.span(rank)]
        for projection in self.network.projections:
            if projection.target != rank:
                continue
            source, synapses = self.span(projection.source), projection.synapses
            if isinstance(synapses, SparseSynapses) and projection.kind == "window":
                levels = np.repeat(self.levels[source], np.diff(synapses.indptr))
                np.maximum.at(potentials, synapses.indices, levels.astype(self.dtype))
            else:
                brought = transmit(synapses, self.sent[source], len(potentials))
                potentials += brought.astype(self.dtype)
            self.events += int(self.n_spikes[source].sum())
            operations = int(self.n_spikes[source] @ synapses.fan_out())
            self.synaptic_operations += operations
            decides = rank == len(self.network.populations) - 1
            self.evidence |= decides and not self.network.populations[rank].fires and operations > 0

    def _decision(self) -> int:
        output = self.network.populations[-1]
        values = self.levels if output.fires else self.potentials
        return int(np.argmax(values[self.span(output.rank)]))
