"""The neurons of a max pool between populations: they follow the largest count."""

from typing import ClassVar

import numpy as np

from thresher.sim.contract import NEVER
from thresher.sim.network import Ints, Population, Projection, Reals
from thresher.sim.neurons.model import EVERY, PARTS, Chosen, Neuron, Signs
from thresher.sim.neurons.time import Time


class MaxPool(Neuron):
    """Keep the count of each source in the window; send on every change of their maximum at once.

    n_j += sign of each spike that arrives from source j, and with m the largest n_j:
    spike m - n, n = m, where n is the net count sent so far.

    The rule of LIPool (Li and Zeng 2022): what was sent is the largest of what the sources sent,
    at every time; counts that only grow (`if`, `burst`) are followed upwards. An arrival changes m
    by its payload at the most, and all arrivals of a tick that are netted by the largest, since a
    source sends at most one spike a tick then. The potential is m. A synapse (one update of one
    window because of one spike) is a synaptic operation. No refractory rule holds: with one the
    pool would be late by as much as its sources are early.
    """

    name: ClassVar[str] = "max_pool"
    has_kernel: ClassVar[bool] = True
    counted: ClassVar[bool] = True
    rests: ClassVar[bool] = False

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        self.counts: list[dict[tuple[int, int], int]] = [{} for _ in range(population.size)]
        self.largest = np.zeros(population.size, population.v_init.dtype)
        self.n = self.largest.copy()

    def potential(self, tick: int, neurons: Chosen = EVERY) -> Reals:
        return self.largest[neurons]

    def receive(self, projection: Projection, neuron: int, sign: int, tick: int) -> Ints:
        windows, _ = projection.synapses.of(neuron)
        source = (projection.source, neuron)
        for window in windows:
            counts = self.counts[window]
            counts[source] = counts.get(source, 0) + sign
            self.largest[window] = max(0, *counts.values())
        return windows

    def begin_step(self, step: int) -> None: ...

    def end_step(self, step: int) -> None: ...

    def signs(self, neurons: Chosen, tick: int) -> Signs:
        signs: Signs = (self.largest[neurons] - self.n[neurons]).astype(np.int8)
        return signs

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        self.n[neurons] += signs

    def next_tick(self, neurons: Ints, earliest: Ints) -> Ints:
        return np.full(len(neurons), NEVER)


PARTS[MaxPool.name] = MaxPool
