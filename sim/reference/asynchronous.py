"""The asynchronous schedule: one event after another, no barrier."""

import numpy as np

from thresher.sim.contract import NEVER, Options, SampleRun, Stimulus
from thresher.sim.network import Ints, Network
from thresher.sim.reference.queue import ARRIVAL, RAMP, Event, EventQueue
from thresher.sim.reference.state import State

UNENDING = np.iinfo(np.int64).max


class AsyncRun(State):
    """Run one sample event by event.

    Crossings under the constant current are predicted and stand in the queue, beside the arrivals;
    an arrival moves the predictions of the neurons that it touches. A run that settles goes on from
    event to event, without the input, until the queue is empty.
    """

    def __init__(self, network: Network, options: Options, stimulus: Stimulus) -> None:
        super().__init__(network, options, stimulus)
        self.queue = EventQueue()
        self.seq = 0
        self.horizon = UNENDING if options.settles else options.ticks
        sizes = [population.size for population in network.populations]
        self.allowed = [np.ones(size, np.int64) for size in sizes]
        self.crossing = [np.full(size, NEVER, np.int64) for size in sizes]
        for rank, size in enumerate(sizes):
            self._predict(rank, np.arange(size), 0)

    def run(self) -> SampleRun:
        tick = 0
        while tick < self.options.ticks and not self.options.stop[0]:
            tick += 1
            self._pass(tick)
        if self.options.settles:
            for neurons in self.neurons:
                neurons.end_input()
        while self.queue and self.queue.next().tick <= self.options.last_tick:
            if self.options.stop[0]:
                break
            tick = self.queue.next().tick
            self._pass(tick)
        if self.options.settles and not self.queue:
            self.quiescent = tick
        self.peak_queue = self.queue.peak
        return self.result(tick)

    def _pass(self, tick: int) -> None:
        """Let all happen that is due at a tick."""
        for neuron, sign in self.input_spikes(tick):
            self._emit(0, neuron, sign, tick)
        while self.queue and self.queue.next().tick == tick:
            if self.options.netted:
                self._barrier(tick, self.queue.next().rank)
            else:
                self._handle(self.queue.pop())
        self.close_tick(tick)

    def _handle(self, event: Event) -> None:
        """Let a ramp cross, or one spike arrive and the neurons that it touches fire."""
        self.events += 1
        if event.phase == RAMP:
            self.crossing[event.rank][event.order] = NEVER
            touched = np.array([event.order])
        else:
            touched = self._arrive(event)
        self._fire(event.rank, touched, event.tick)
        self._predict(event.rank, touched, event.tick)

    def _barrier(self, tick: int, rank: int) -> None:
        """Add everything due at this tick at a population, then compare all its neurons."""
        while self.queue and (self.queue.next().tick, self.queue.next().rank) == (tick, rank):
            event = self.queue.pop()
            self.events += 1
            if event.phase == RAMP:
                self.crossing[rank][event.order] = NEVER
            else:
                self._arrive(event)
        every = np.arange(self.network.populations[rank].size)
        self._fire(rank, every, tick)
        self._predict(rank, every, tick)

    def _arrive(self, event: Event) -> Ints:
        projection = self.network.projections[event.projection]
        return self.deliver(projection, event.neuron, event.sign, event.tick)

    def _fire(self, rank: int, candidates: Ints, tick: int) -> None:
        """Fire the candidates that are to and are not refractory, in index order."""
        signs = self.neurons[rank].signs(candidates, tick)
        fires = (signs != 0) & (self.allowed[rank][candidates] <= tick)
        fired = candidates[fires]
        self.neurons[rank].reset(fired, signs[fires], tick)
        if self.neurons[rank].rests:
            self.allowed[rank][fired] = tick + 1 + self.options.refractory
        for neuron, sign in zip(fired.tolist(), signs[fires].tolist(), strict=True):
            self._emit(rank, neuron, sign, tick)

    def _emit(self, rank: int, neuron: int, sign: int, tick: int) -> None:
        self.count_spike(tick, rank, neuron, sign)
        for number, projection in enumerate(self.network.projections):
            if projection.source == rank and tick + projection.delay <= self.horizon:
                arrival = tick + projection.delay
                self.queue.add(
                    Event(arrival, projection.target, ARRIVAL, self.seq, number, neuron, sign)
                )
                self.seq += 1

    def _predict(self, rank: int, neurons: Ints, tick: int) -> None:
        """Put the next crossings of these neurons into the queue, in place of the old."""
        if not self.network.populations[rank].fires:
            return
        crossing = self.crossing[rank]
        earliest = np.maximum(self.allowed[rank][neurons], tick + 1)
        predicted = self.neurons[rank].next_tick(neurons, earliest)
        predicted[predicted > self.horizon] = NEVER
        for entry in np.flatnonzero(predicted != crossing[neurons]):
            neuron, old, new = int(neurons[entry]), int(crossing[neurons[entry]]), predicted[entry]
            if old != NEVER:
                self.queue.remove(Event(old, rank, RAMP, neuron))
            if new != NEVER:
                self.queue.add(Event(int(new), rank, RAMP, neuron))
            crossing[neuron] = new
