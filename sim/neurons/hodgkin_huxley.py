"""The Hodgkin-Huxley model of the squid's giant axon (1952), one compartment."""

from math import ceil
from typing import ClassVar

import numpy as np

from thresher.ir.fields import FloatRule
from thresher.sim.network import Floats, Ints, Population, Reals
from thresher.sim.neurons.model import NEURONS, Chosen, Signs
from thresher.sim.neurons.parameter import MILLISECONDS, POSITIVE, PSP, Parameter
from thresher.sim.neurons.stepped import START, Stepped
from thresher.sim.neurons.time import Time

LONGEST = 0.025
"""ms: the longest step of the integration."""
SPEED = 4.0
"""The largest product of that step and the rate (sum of g) / C of an open membrane."""
LOWEST, HIGHEST = -120.0, 200.0
"""mV: outside, the gates move as they do at the nearer end."""
TINY = 1e-30


class HodgkinHuxley(Stepped):
    """Sodium, potassium and leak currents through gates that open and close with the potential.

    C dv/dt = i - g_na m^3 h (v - e_na) - g_k n^4 (v - e_k) - g_l (v - e_l)
    dx/dt = alpha_x(v) (1 - x) - beta_x(v) x   for x = m, h, n, in 1/ms at 6.3 degrees Celsius:

    alpha_m = 0.1 (v + 40) / (1 - exp(-(v + 40) / 10))     beta_m = 4 exp(-(v + 65) / 18)
    alpha_h = 0.07 exp(-(v + 65) / 20)                     beta_h = 1 / (1 + exp(-(v + 35) / 10))
    alpha_n = 0.01 (v + 55) / (1 - exp(-(v + 55) / 10))    beta_n = 0.125 exp(-(v + 65) / 80)

    v is in mV (inside less outside, rest -65: the modern sign), i in uA/cm2, C in uF/cm2, g in
    mS/cm2. v starts at -65 + v_init, the gates at their steady state of -65.

    Spike when v comes to theta from below, even if it falls again within the tick; nothing is
    reset. The first action potential reaches 40 mV, later ones of a train less, the stronger the
    current (31 mV at 7 uA/cm2, 19 mV at 30): take a theta of 1 to 10. A neuron that may not fire
    yet (refractory) fires when it may.

    Integrated by Runge and Kutta's classical scheme of fourth order in equal steps of at most
    0.025 ms and 4 C / (g_na + g_k + g_l): spike times follow the equations to 0.002 ms over 200 ms,
    before they are rounded up to ticks. Rates are held outside -120..200 mV, where the step would
    not be stable. Hodgkin and Huxley 1952, A quantitative description of membrane current.
    """

    name: ClassVar[str] = "hodgkin_huxley"
    own_reset: ClassVar[str] = "the potential falls by itself"
    parameters: ClassVar[dict[str, Parameter]] = {
        "capacitance": Parameter(1.0, "uF/cm2", "the membrane's capacitance", POSITIVE),
        "g_na": Parameter(
            120.0, "mS/cm2", "the sodium conductance, all gates open", FloatRule(0.0)
        ),
        "g_k": Parameter(
            36.0, "mS/cm2", "the potassium conductance, all gates open", FloatRule(0.0)
        ),
        "g_l": Parameter(0.3, "mS/cm2", "the leak's conductance", POSITIVE),
        "e_na": Parameter(50.0, "mV", "the sodium current's reversal potential"),
        "e_k": Parameter(-77.0, "mV", "the potassium current's reversal potential"),
        "e_l": Parameter(-54.387, "mV", "the leak's reversal potential"),
        "psp": PSP,
        "milliseconds_per_step": MILLISECONDS,
    }

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        p = population.parameters
        alpha, beta = _rates(np.full_like(self.v, START))
        self.gates: Floats = alpha / (alpha + beta)
        """m, h and n: (3, neurons)"""
        self.armed = np.ones(population.size, np.bool_)
        """Whether v was below theta since the last spike."""
        self.crossed = np.zeros(population.size, np.bool_)
        """Whether v has crossed theta since the last spike."""
        longest = min(LONGEST, SPEED * p["capacitance"] / (p["g_na"] + p["g_k"] + p["g_l"]))
        self.n_steps = ceil(self.milliseconds / longest)

    def advance(self, current: Floats) -> None:
        h, theta = self.milliseconds / self.n_steps, self.population.theta
        for _ in range(self.n_steps):
            y = np.concatenate([self.v[None], self.gates])
            k1 = self._slope(y, current)
            k2 = self._slope(y + h / 2 * k1, current)
            k3 = self._slope(y + h / 2 * k2, current)
            k4 = self._slope(y + h * k3, current)
            y += h / 6 * (k1 + 2 * (k2 + k3) + k4)
            self.v, self.gates = y[0], y[1:]
            over = self.v >= theta
            self.crossed |= self.armed & over
            self.armed |= ~over

    def signs(self, neurons: Chosen, tick: int) -> Signs:
        over = super().signs(neurons, tick).astype(np.bool_)
        fires: Signs = (self.crossed[neurons] | (self.armed[neurons] & over)).astype(np.int8)
        return fires

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        self.crossed[neurons] = False
        self.armed[neurons] = self.v[neurons] < self.population.theta[neurons]

    def _slope(self, y: Floats, current: Floats) -> Floats:
        """Return the derivatives (4, neurons) of v, m, h and n, in 1/ms."""
        v, gates, (m, h, n) = y[0], y[1:], y[1:]
        p = self.population.parameters
        inward = p["g_na"] * (m * m * m * h) * (v - p["e_na"])
        outward = p["g_k"] * (n * n) ** 2 * (v - p["e_k"]) + p["g_l"] * (v - p["e_l"])
        alpha, beta = _rates(v)
        slope = np.empty_like(y)
        slope[0] = (current - inward - outward) / p["capacitance"]
        slope[1:] = alpha * (1 - gates) - beta * gates
        return slope


def _rates(v: Floats) -> tuple[Floats, Floats]:
    """Return alpha and beta (3, neurons) of m, h and n at potentials in mV."""
    v = np.minimum(np.maximum(v, LOWEST), HIGHEST)
    alpha, beta = np.empty((2, 3, len(v)))
    alpha[0] = _ratio((v + 40) / 10)
    alpha[1] = 0.07 * np.exp(-(v + 65) / 20)
    alpha[2] = 0.1 * _ratio((v + 55) / 10)
    beta[0] = 4 * np.exp(-(v + 65) / 18)
    beta[1] = 1 / (1 + np.exp(-(v + 35) / 10))
    beta[2] = 0.125 * np.exp(-(v + 65) / 80)
    return alpha, beta


def _ratio(x: Floats) -> Floats:
    """Return x / (1 - exp(-x)), which is 1 at 0."""
    safe = x + TINY * (x == 0)
    ratio: Floats = safe / -np.expm1(-safe)
    return ratio


NEURONS.register(HodgkinHuxley.name, HodgkinHuxley)
