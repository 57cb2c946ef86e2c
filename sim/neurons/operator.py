"""The neurons of an operator: a rule of spikes over a function of what an operand has gathered."""

from typing import ClassVar

import numpy as np

from thresher.sim.contract import NEVER
from thresher.sim.network import Ints, Population, Projection, Reals
from thresher.sim.neurons.integrate_and_fire import Integrator
from thresher.sim.neurons.model import EVERY, NEURONS, PARTS, Chosen, Neuron, Signs
from thresher.sim.neurons.time import Time

OPERATOR = "operator"
"""Stands for the populations that follow an operation, whatever their rule."""


class Operator(Neuron):
    """Compare once a step, at its end, with the potential that the operation and the count leave.

    v = t f(A_t / t) + t shift + v_init - theta n, with the operand's potentials A_t and the net
    count n; what fires then is for the annotation's model to say, `expectation` or the one behind a
    max pool of currents. In `async` the comparison comes in the last tick of each step, after what
    reaches the operand in it; in between nothing moves v but the shift. No refractory rule holds
    for one comparison a step.
    """

    rests: ClassVar[bool] = False

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        model = NEURONS.get(population.neuron)
        assert issubclass(model, Integrator)
        self.cell = model(population, current, time)
        self.n = np.zeros(population.size, np.int64)
        self.compared = 0
        self.operand: Neuron

    def attach(self, operand: Neuron) -> None:
        """Take the population whose potentials the operation reads."""
        self.operand = operand

    def potential(self, tick: int, neurons: Chosen = EVERY) -> Reals:
        return self.cell.potential(tick, neurons)

    def receive(self, projection: Projection, neuron: int, sign: int, tick: int) -> Ints:
        raise AssertionError("no projection leads to an operator: its operand receives")

    def begin_step(self, step: int) -> None: ...

    def end_step(self, step: int) -> None: ...

    def signs(self, neurons: Chosen, tick: int) -> Signs:
        if tick % self.time.ticks_per_step:
            return np.zeros(self.n[neurons].shape, np.int8)
        if tick != self.compared:
            self._follow(tick)
        return self.cell.signs_at(neurons, self.potential(tick, neurons))

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        self.cell.reset(neurons, signs, tick)
        self.n[neurons] += signs

    def next_tick(self, neurons: Ints, earliest: Ints) -> Ints:
        step = self.time.ticks_per_step
        ends = -(-earliest // step) * step
        return np.where(ends <= self.time.end, ends, NEVER)

    def _follow(self, tick: int) -> None:
        """Set the potentials to what the end of a step leaves."""
        population, self.compared = self.population, tick
        steps = tick // self.time.ticks_per_step
        sought = population.drive(self.operand.potential(tick), steps) + population.v_init
        self.cell.u = sought - population.theta * self.n.astype(sought.dtype)
        if self.time.lockstep:
            self.cell.u += self.current * sought.dtype.type(steps)


PARTS[OPERATOR] = Operator
