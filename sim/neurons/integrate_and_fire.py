"""The integrate-and-fire neuron; the potentials of every model that integrates without leak."""

from abc import abstractmethod
from typing import ClassVar

import numpy as np

from thresher.sim.network import Ints, Population, Projection, Reals
from thresher.sim.neurons.model import (
    EVERY,
    NEURONS,
    PARTS,
    Bools,
    Chosen,
    Neuron,
    Signs,
    first_tick,
)
from thresher.sim.neurons.time import Time
from thresher.sim.neurons.window import SpikeCount, Window


class Integrator(Neuron):
    """Potentials that add up all that comes: v(k) = u + i * (k / R); in lockstep v is u.

    `u` holds v_init, the potentials received and the resets; a lockstep step is summed on its own,
    its current first, and then added to u, which rounds as the ANN's sums do. What a spike of a
    differential neuron goes on bringing is added to the current, for the steps that follow.

    Once the input is over `u` takes up what the current brought, so that v is u. Only then does a
    reset move v itself, and rounding cannot undo it: v >= theta leaves v - theta >= 0, v < 0 leaves
    v + theta <= theta. Beside a large charge it could, and a neuron that spikes take back to
    within rounding of a bound would fire both ways for ever.
    """

    decodes: ClassVar[bool] = True
    window: ClassVar[Window | None] = SpikeCount()

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current.copy(), time)
        self.u = population.v_init.copy()
        self.sum = self.u

    def potential(self, tick: int, neurons: Chosen = EVERY) -> Reals:
        u = self.u[neurons]
        return u if self.time.lockstep else u + self.time.charge(self.current[neurons], tick)

    def receive(self, projection: Projection, neuron: int, sign: int, tick: int) -> Ints:
        targets, weights = projection.synapses.of(neuron)
        psp = weights.astype(self.u.dtype)
        self.sum[targets] += sign * psp
        if projection.differential:
            real = self.u.dtype.type
            self.current[targets] += real(sign) / real(tick - projection.delay) * psp
        return targets

    def begin_step(self, step: int) -> None:
        self.sum = self.time.step_of(self.current, step)

    def end_step(self, step: int) -> None:
        self.u += self.sum

    def end_input(self) -> None:
        self.u[:] = self.potential(self.time.end)
        self.current = np.zeros_like(self.current)

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        self.u[neurons] -= signs * self.population.theta[neurons]

    @abstractmethod
    def signs_at(self, neurons: Chosen, v: Reals) -> Signs:
        """Return the payload with which each would fire at potential v, 0 where it would not."""

    def signs(self, neurons: Chosen, tick: int) -> Signs:
        return self.signs_at(neurons, self.potential(tick, neurons))

    def next_tick(self, neurons: Ints, earliest: Ints) -> Ints:
        u, current = self.u[neurons], self.current[neurons]

        def fires(at: Ints) -> Bools:
            return self.signs_at(neurons, u + self.time.charge(current, at)).astype(np.bool_)

        return first_tick(fires, self.opens(neurons), earliest, self.time.end)

    @abstractmethod
    def opens(self, neurons: Ints) -> Bools:
        """Tell whose constant current may bring it to fire."""


class IntegrateAndFire(Integrator):
    """Integrate without leak; fire at the threshold.

    v(t) = v(t - 1) + input(t);  spike when v >= theta, then
    soft reset: v -= theta;      hard reset: v = v_reset.

    With soft reset, theta * spikes = total input + v_init - v at every time (charge balance).
    Rueckauer et al. 2017; Deng and Gu 2021.
    """

    name: ClassVar[str] = "if"
    has_kernel: ClassVar[bool] = True
    counted: ClassVar[bool] = True

    @classmethod
    def ceiling_of(cls, population: Population, steps: int) -> int | None:
        return steps

    def signs_at(self, neurons: Chosen, v: Reals) -> Signs:
        return (v >= self.population.theta[neurons]).astype(np.int8)

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        if not self.population.hard_reset:
            super().reset(neurons, signs, tick)
            return
        charge = 0 if self.time.lockstep else self.time.charge(self.current[neurons], tick)
        self.u[neurons] = self.u.dtype.type(self.population.v_reset) - charge

    def opens(self, neurons: Ints) -> Bools:
        rising: Bools = self.current[neurons] > 0
        return rising


NEURONS.register(IntegrateAndFire.name, IntegrateAndFire)
PARTS["input"] = PARTS["readout"] = PARTS["operand"] = IntegrateAndFire
"""A readout and an operand have infinite thresholds; an input fires when its encoder says so."""
