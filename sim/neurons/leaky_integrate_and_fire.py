"""The leaky integrate-and-fire neuron, in closed form between events."""

from typing import ClassVar

import numpy as np

from thresher.errors import SimulationError
from thresher.ir.spiking import Spiking
from thresher.sim.network import Ints, Population, Projection, Reals
from thresher.sim.neurons.model import (
    EVERY,
    NEURONS,
    Bools,
    Chosen,
    Neuron,
    Signs,
    first_tick,
)
from thresher.sim.neurons.time import Time


class LeakyIntegrateAndFire(Neuron):
    """Integrate with a leak; fire at the threshold.

    tau dv/dt = -v + tau * i with tau in steps and the constant current i per step, as `if` has it
    (which this is where tau is infinite); an arrival adds its potential to v at once. Between two
    events at a neuron (arrivals, its own spikes, the end of the input), the first at tick k0,

    v(k) = v_inf + (v(k0) - v_inf) * d[k - k0],   v_inf = i * tau,   d[n] = exp(-n / (R * tau)),

    which is exact (Rotter and Diesmann 1999); when the input has ended v_inf is 0. v_inf and d are
    computed in float64 and rounded once to the engine's precision; v(k) is a subtraction, a
    multiplication and an addition. Spike when v >= theta, then
    soft reset: v -= theta;      hard reset: v = v_reset.

    In lockstep every step is an interval: v(t) = v_inf + (v(t - 1) - v_inf) * d[1], then the sum of
    the step's potentials is added. Under a constant current with v_inf > theta, hard reset gives
    the period tau * ln((v_inf - v_reset) / (v_inf - theta)), rounded up to ticks.

    A leak makes counts depend on when the input came: `layered` and `int` have no meaning.
    """

    name: ClassVar[str] = "lif"
    has_kernel: ClassVar[bool] = True
    takes: ClassVar[frozenset[str]] = frozenset({"tau"})
    leaks: ClassVar[bool] = True

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        self.v = population.v_init.copy()
        self.since = np.zeros(population.size, np.int64)
        self.v_inf = (current.astype(np.float64) * population.tau).astype(current.dtype)
        self.decay = time.decay(population.tau, current.dtype)
        self.sum = np.zeros_like(self.v)

    @classmethod
    def check(cls, spiking: Spiking) -> None:
        super().check(spiking)
        if spiking.tau is None:
            raise SimulationError(
                f"neuron '{cls.name}' needs its leak's time constant in steps, such as 'tau: 10'"
            )

    def potential(self, tick: int, neurons: Chosen = EVERY) -> Reals:
        return self._at(tick, neurons)

    def receive(self, projection: Projection, neuron: int, sign: int, tick: int) -> Ints:
        targets, weights = projection.synapses.of(neuron)
        if self.time.lockstep:
            self.sum[targets] += sign * weights
        else:
            self.v[targets] = self._at(tick, targets) + sign * weights
            self.since[targets] = tick
        return targets

    def begin_step(self, step: int) -> None:
        self.sum = np.zeros_like(self.v)

    def end_step(self, step: int) -> None:
        self.v = self._at(step, EVERY) + self.sum
        self.since[:] = step

    def signs(self, neurons: Chosen, tick: int) -> Signs:
        return (self._at(tick, neurons) >= self.population.theta[neurons]).astype(np.int8)

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        if self.population.hard_reset:
            self.v[neurons] = self.v.dtype.type(self.population.v_reset)
        else:
            self.v[neurons] = self._at(tick, neurons) - self.population.theta[neurons]
        self.since[neurons] = tick

    def next_tick(self, neurons: Ints, earliest: Ints) -> Ints:
        theta = self.population.theta[neurons]

        def over(at: Ints) -> Bools:
            return self._at(at, neurons) >= theta

        rising = self.v_inf[neurons] > self.v[neurons]
        return first_tick(over, rising, earliest, self.time.end)

    def _at(self, tick: int | Ints, neurons: Chosen) -> Reals:
        """Let the potentials relax towards v_inf until the input ends, and then towards 0."""
        end, since, v_inf = self.time.end, self.since[neurons], self.v_inf[neurons]
        driven = np.minimum(tick, end) - np.minimum(since, end)
        v = self._relaxed(self.v[neurons], v_inf, driven)
        return self._relaxed(v, np.zeros_like(v), np.maximum(tick, end) - np.maximum(since, end))

    def _relaxed(self, v: Reals, v_inf: Reals, ticks: Ints) -> Reals:
        decay = self.decay[np.minimum(ticks, len(self.decay) - 1)]
        return np.where(ticks > 0, v_inf + (v - v_inf) * decay, v)


NEURONS.register(LeakyIntegrateAndFire.name, LeakyIntegrateAndFire)
