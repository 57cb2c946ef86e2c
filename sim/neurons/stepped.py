"""Stepped neurons: what models share whose equations have no closed form between events."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from thresher.errors import SimulationError
from thresher.ir.spiking import Spiking
from thresher.ir.tensor import Tensor
from thresher.sim.network import Floats, Ints, Population, Projection, Reals
from thresher.sim.neurons.model import EVERY, Chosen, Neuron, Signs
from thresher.sim.neurons.time import Time

START = -65.0
"""mV: the potential at which the neurons of these models start."""
LOWEST = -60.0
"""mV: the lowest v_init; one that is lower was meant to be a potential, not a displacement."""


class Stepped(Neuron):
    """Potentials in mV that are stepped from tick to tick, all neurons of a population at once.

    A step lasts `milliseconds_per_step` and a tick 1 / R of it. What is asked about a tick is
    stepped there first; an arrival adds its potential to v at once. In lockstep a tick is a step:
    v is stepped under the constant current, and then the sum of the step's potentials is added. A
    current of 1 is one that brings 1 mV a ms to a membrane on which nothing else acts. The state is
    kept in float64 in every precision; what is seen of it is rounded.

    v starts at -65 + v_init mV, so that `v_init`, 0 unless it is said, displaces it from there. A
    spike brings `psp` * w mV, not theta * w: theta is a potential of the model, and no activation
    of an ANN. In `async` every tick of every neuron is an event, since no spike is known ahead:
    `settle` is refused, and so are `layered` and `int`. Counts under constant current, charge
    balance and what follows from them (identities 1 to 4 and 7) do not hold.
    """

    leaks: ClassVar[bool] = True
    stepped: ClassVar[bool] = True

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        self.v: Floats = START + population.v_init.astype(np.float64)
        self.sum, self.flow = np.zeros_like(self.v), current.astype(np.float64)
        self.milliseconds = population.parameters["milliseconds_per_step"] / time.ticks_per_step
        """How long a tick lasts."""
        self.tick = 0

    @classmethod
    def check(cls, spiking: Spiking) -> None:
        super().check(spiking)
        v_init = spiking.v_init
        lowest = float(v_init.values.min()) if isinstance(v_init, Tensor) else v_init
        if lowest < LOWEST:
            raise SimulationError(
                f"neuron '{cls.name}' starts at {START:g} mV, and v_init adds to that: {lowest:g} "
                f"gives {START + lowest:g} mV; expected at least {LOWEST:g}, or nothing"
            )

    @abstractmethod
    def advance(self, current: Floats) -> None:
        """Step the state through one tick under a constant current (mV / ms)."""

    def potential(self, tick: int, neurons: Chosen = EVERY) -> Reals:
        self._reach(tick)
        return self.v[neurons].astype(self.current.dtype)

    def receive(self, projection: Projection, neuron: int, sign: int, tick: int) -> Ints:
        targets, weights = projection.synapses.of(neuron)
        if self.time.lockstep:
            self.sum[targets] += sign * weights
        else:
            self._reach(tick)
            self.v[targets] += sign * weights
        return targets

    def begin_step(self, step: int) -> None:
        self.sum = np.zeros_like(self.v)

    def end_step(self, step: int) -> None:
        self._reach(step)
        self.v += self.sum

    def signs(self, neurons: Chosen, tick: int) -> Signs:
        self._reach(tick)
        return (self.v[neurons] >= self.population.theta[neurons]).astype(np.int8)

    def next_tick(self, neurons: Ints, earliest: Ints) -> Ints:
        return earliest.copy()

    def _reach(self, tick: int) -> None:
        while self.tick < tick:
            self.tick += 1
            self.advance(self.flow if self.tick <= self.time.end else np.zeros_like(self.flow))
