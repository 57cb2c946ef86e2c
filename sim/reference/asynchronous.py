"""The asynchronous schedule: one event after another, no barrier."""

import numpy as np

from thresher.sim.contract import NEVER, Options, SampleRun, Stimulus
from thresher.sim.network import Ints, Network, Reals
from thresher.sim.reference.queue import ARRIVAL, RAMP, Event, EventQueue
from thresher.sim.reference.state import State


class AsyncRun(State):
    """Run one sample event by event.

    The potential of a neuron at tick k is v(k) = u + current * (k / R). Ramp crossings are
    predicted and stand in the queue, beside the arrivals; an arrival moves the predictions of the
    neurons that it touches.
    """

    def __init__(self, network: Network, options: Options, stimulus: Stimulus) -> None:
        super().__init__(network, options, stimulus)
        self.ramp = options.ramp(network.dtype)
        self.queue = EventQueue()
        self.seq = 0
        sizes = [population.size for population in network.populations]
        self.allowed = [np.ones(size, np.int64) for size in sizes]
        self.crossing = [np.full(size, NEVER, np.int64) for size in sizes]
        for rank, size in enumerate(sizes):
            self._predict(rank, np.arange(size), 0)

    def run(self) -> SampleRun:
        for tick in range(1, self.options.ticks + 1):
            for neuron, sign in self.input_spikes(tick):
                self._emit(0, neuron, sign, tick)
            while self.queue and self.queue.next().tick == tick:
                if self.options.netted:
                    self._barrier(tick, self.queue.next().rank)
                else:
                    self._handle(self.queue.pop())
            self.close_tick(tick, self._potentials(tick))
            if self.options.stop[0]:
                break
        self.peak_queue = self.queue.peak
        return self.result(self._potentials(self.options.ticks))

    def _potentials(self, tick: int) -> list[Reals]:
        ramp = self.ramp[tick]
        return [u + current * ramp for u, current in zip(self.u, self.current, strict=True)]

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
        every = np.arange(len(self.u[rank]))
        self._fire(rank, every, tick)
        self._predict(rank, every, tick)

    def _arrive(self, event: Event) -> Ints:
        projection = self.network.projections[event.projection]
        u = self.u[event.rank]
        return self.deliver(projection, event.neuron, event.sign, event.tick, u)

    def _fire(self, rank: int, candidates: Ints, tick: int) -> None:
        """Fire the candidates at or over theta that are not refractory, in index order."""
        population, u = self.network.populations[rank], self.u[rank]
        ramp = self.current[rank][candidates] * self.ramp[tick]
        over = u[candidates] + ramp >= population.theta[candidates]
        fires = over & (self.allowed[rank][candidates] <= tick)
        fired = candidates[fires]
        model = self.neurons[rank]
        if model is not None:
            model.reset(population, u, fired, ramp[fires])
        self.allowed[rank][fired] = tick + 1 + self.options.refractory
        for neuron in fired:
            self._emit(rank, int(neuron), 1, tick)

    def _emit(self, rank: int, neuron: int, sign: int, tick: int) -> None:
        self.count_spike(tick, rank, neuron, sign)
        for number, projection in enumerate(self.network.projections):
            if projection.source == rank and tick + projection.delay <= self.options.ticks:
                arrival = tick + projection.delay
                self.queue.add(
                    Event(arrival, projection.target, ARRIVAL, self.seq, number, neuron, sign)
                )
                self.seq += 1

    def _predict(self, rank: int, neurons: Ints, tick: int) -> None:
        """Put the next ramp crossings of these neurons into the queue, in place of the old."""
        if not self.network.populations[rank].fires:
            return
        crossing = self.crossing[rank]
        predicted = self._next_crossing(rank, neurons, tick)
        for entry in np.flatnonzero(predicted != crossing[neurons]):
            neuron, old, new = int(neurons[entry]), int(crossing[neurons[entry]]), predicted[entry]
            if old != NEVER:
                self.queue.remove(Event(old, rank, RAMP, neuron))
            if new != NEVER:
                self.queue.add(Event(int(new), rank, RAMP, neuron))
            crossing[neuron] = new

    def _next_crossing(self, rank: int, neurons: Ints, tick: int) -> Ints:
        """Return the first tick after `tick` at which each ramp's comparison will let it fire."""
        last = self.options.ticks
        earliest = np.maximum(self.allowed[rank][neurons], tick + 1)
        u, current = self.u[rank][neurons], self.current[rank][neurons]
        theta = self.network.populations[rank].theta[neurons]

        def over(at: Ints) -> np.ndarray:
            over: np.ndarray = u + current * self.ramp[np.minimum(at, last)] >= theta
            return over

        rising = current > 0
        low, high = earliest, np.full_like(earliest, last + 1)
        while (low < high).any():  # v(k) of a rising ramp never falls in k: bisect
            middle = (low + high) // 2
            below = ~over(middle) & (middle < high)
            low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
        found = np.where(rising | over(earliest), np.where(over(earliest), earliest, low), last + 1)
        return np.where(found <= last, found, NEVER)
