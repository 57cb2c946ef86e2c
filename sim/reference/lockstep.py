"""The lockstep schedule: every neuron once a step, in rank order."""

import numpy as np

from thresher.sim.contract import Options, SampleRun, Stimulus
from thresher.sim.network import Network
from thresher.sim.reference.state import State


class LockstepRun(State):
    """Run one sample step by step.

    For step t = 1..T, for each population in rank order: sum the constant current and the
    potentials of every spike that is due in this step, and add the sum to v (which rounds as the
    ANN's sums do); fire each neuron with v >= theta once. The spikes of a projection with shared
    weights are added by the position at which they enter its kernel, then in index order.
    """

    def __init__(self, network: Network, options: Options, stimulus: Stimulus) -> None:
        super().__init__(network, options, stimulus)
        # emitted[population][step] = [(neuron, sign), ...]
        self.emitted: list[dict[int, list[tuple[int, int]]]] = [{} for _ in self.u]

    def run(self) -> SampleRun:
        for step in range(1, self.options.steps + 1):
            for rank in range(len(self.u)):
                self._advance(rank, step)
            self.close_tick(step, self.u)
            if self.options.stop[0]:
                break
        return self.result(self.u)

    def _advance(self, rank: int, step: int) -> None:
        population, v = self.network.populations[rank], self.u[rank]
        if population.neuron == "input":
            spikes = list(self.input_spikes(step))
        else:
            total = self.current[rank].copy()
            for projection in self.incoming[rank]:
                due = self.emitted[projection.source].get(step - projection.delay, [])
                order = projection.synapses.entry_order(np.array([n for n, _ in due], np.int64))
                for entry in order:
                    neuron, sign = due[entry]
                    self.deliver(projection, neuron, sign, step, total)
                self.events += len(due)
            v += total
            fired = np.flatnonzero(v >= population.theta)
            spikes = [(int(neuron), 1) for neuron in fired]
            model = self.neurons[rank]
            if model is not None:
                model.reset(population, v, fired, 0.0)
        self.emitted[rank][step] = spikes
        for neuron, sign in spikes:
            self.count_spike(step, rank, neuron, sign)
