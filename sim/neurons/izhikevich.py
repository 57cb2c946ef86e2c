"""Izhikevich's simple model of a spiking neuron (2003)."""

from math import ceil
from typing import ClassVar

import numpy as np

from thresher.ir.fields import FloatRule
from thresher.sim.network import Floats, Ints, Population, Reals
from thresher.sim.neurons.model import NEURONS, Signs
from thresher.sim.neurons.parameter import MILLISECONDS, PSP, Parameter
from thresher.sim.neurons.stepped import START, Stepped
from thresher.sim.neurons.time import Time

LONGEST = 1.0
"""ms: the longest step of u; v takes two in one as long."""


class Izhikevich(Stepped):
    """A quadratic potential and a slow recovery; the four parameters choose the firing pattern.

    dv/dt = 0.04 v^2 + 5 v + 140 - u + i,   du/dt = a (b v - u)      (v in mV, t in ms)

    Spike when v >= theta (30 mV in the paper), then v = c, u = u + d. v starts at -65 + v_init and
    u at -65 b.

    Integrated as the paper's program does: forward Euler of v in steps of at most 0.5 ms, then one
    of u, with the new v, of at most 1 ms. At R = 1 and 1 ms a step these are its numbers; finer
    ticks come closer to the equations (with an error of first order: 0.26 ms after 100 ms of
    regular spiking at R = 64), and farther from the paper's numbers. A neuron that reached
    theta and may not fire yet (refractory, or in the middle of a tick) is held there.

    Regular spiking, the default: a = 0.02, b = 0.2, c = -65, d = 8. Intrinsically bursting:
    c = -55, d = 4. Chattering: c = -50, d = 2. Fast spiking: a = 0.1, d = 2. Low-threshold spiking:
    b = 0.25, d = 2. Izhikevich 2003, Simple model of spiking neurons.
    """

    name: ClassVar[str] = "izhikevich"
    own_reset: ClassVar[str] = "v = c, u = u + d"
    parameters: ClassVar[dict[str, Parameter]] = {
        "a": Parameter(0.02, "1/ms", "the rate of the recovery", FloatRule(0.0, maximum=1.0)),
        "b": Parameter(0.2, "1/ms", "how much the recovery follows the potential"),
        "c": Parameter(-65.0, "mV", "the potential after a spike", FloatRule(-150.0, maximum=0.0)),
        "d": Parameter(8.0, "mV/ms", "what a spike adds to the recovery"),
        "psp": PSP,
        "milliseconds_per_step": MILLISECONDS,
    }

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        self.u = np.full_like(self.v, population.parameters["b"] * START)
        self.steps_of_u = ceil(self.milliseconds / LONGEST)
        self.step_of_u = self.milliseconds / self.steps_of_u
        self.steps_of_v = ceil(2 * self.step_of_u / LONGEST)
        self.step_of_v = self.step_of_u / self.steps_of_v

    def advance(self, current: Floats) -> None:
        theta, (a, b) = self.population.theta, (self.population.parameters[n] for n in "ab")
        for _ in range(self.steps_of_u):
            v = start = np.minimum(self.v, theta)
            for _ in range(self.steps_of_v):
                v = v + self.step_of_v * (0.04 * v**2 + 5 * v + 140 - self.u + current)
            self.v = np.where(start < theta, v, theta)
            self.u = self.u + self.step_of_u * (a * (b * self.v - self.u))

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        self.v[neurons] = self.population.parameters["c"]
        self.u[neurons] += self.population.parameters["d"]


NEURONS.register(Izhikevich.name, Izhikevich)
