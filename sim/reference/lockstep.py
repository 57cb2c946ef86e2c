"""The lockstep schedule: every neuron once a step, in rank order."""

import numpy as np

from thresher.sim.contract import Options, SampleRun, Stimulus
from thresher.sim.network import Network
from thresher.sim.neurons.model import EVERY
from thresher.sim.reference.state import State


class LockstepRun(State):
    """Run one sample step by step.

    For step t = 1..T, for each population in rank order: sum the constant current and the
    potentials of every spike that is due in this step, and add the sum to v (which rounds as the
    ANN's sums do); fire each neuron that is to fire once. The spikes of a projection with shared
    weights are added by the position at which they enter its kernel, then in index order. A run
    that settles goes on without the current until no spike is due and no neuron is to fire.
    """

    def __init__(self, network: Network, options: Options, stimulus: Stimulus) -> None:
        super().__init__(network, options, stimulus)
        # emitted[population][step] = [(neuron, sign), ...]
        self.emitted: list[dict[int, list[tuple[int, int]]]] = [{} for _ in self.neurons]
        self.last_due = 0

    def run(self) -> SampleRun:
        for step in range(1, self.options.last_tick + 1):
            for rank in range(len(self.neurons)):
                self._advance(rank, step)
            self.close_tick(step)
            if self.options.settles and step >= self.options.steps and not self._pending(step):
                self.quiescent = step
                break
            if self.options.stop[0]:
                break
        return self.result(step)

    def _pending(self, step: int) -> bool:
        """Tell whether a spike is on its way after a step, or a neuron is still to fire."""
        return self.last_due > step or any(neurons.pending(step) for neurons in self.neurons)

    def _advance(self, rank: int, step: int) -> None:
        if self.network.populations[rank].neuron == "input":
            spikes = list(self.input_spikes(step))
        else:
            self._receive(rank, step)
            spikes = self._fire(rank, step)
        self.emitted[rank][step] = spikes
        if spikes:
            due = [step + projection.delay for projection in self.outgoing[rank]]
            self.last_due = max([self.last_due, *due])
        for neuron, sign in spikes:
            self.count_spike(step, rank, neuron, sign)

    def _receive(self, rank: int, step: int) -> None:
        """Add up what is due at a population in this step."""
        self.neurons[rank].begin_step(step)
        for projection in self.incoming[rank]:
            due = self.emitted[projection.source].get(step - projection.delay, [])
            order = projection.synapses.entry_order(np.array([n for n, _ in due], np.int64))
            for entry in order:
                neuron, sign = due[entry]
                self.deliver(projection, neuron, sign, step)
            self.events += len(due)
        self.neurons[rank].end_step(step)

    def _fire(self, rank: int, step: int) -> list[tuple[int, int]]:
        """Fire the neurons of a population that are to; return them with their signs."""
        signs = self.neurons[rank].signs(EVERY, step)
        fired = np.flatnonzero(signs)
        self.neurons[rank].reset(fired, signs[fired], step)
        return list(zip(fired.tolist(), signs[fired].tolist(), strict=True))
