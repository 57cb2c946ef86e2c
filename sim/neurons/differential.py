"""The multi-threshold neuron by differential coding: a spike says that its value has changed."""

from typing import ClassVar

import numpy as np

from thresher.ir.fields import FloatRule
from thresher.ir.spiking import DIFFERENTIAL
from thresher.sim.network import Ints, Population, Reals
from thresher.sim.neurons.model import NEURONS, Chosen, Signs
from thresher.sim.neurons.multi_threshold import MultiThreshold
from thresher.sim.neurons.parameter import Parameter
from thresher.sim.neurons.time import Time

ROUNDING = 1e-9
"""Thresholds: a sum of payloads over steps may be so much below the whole number that it is."""


class Differential(MultiThreshold):
    """Integrate without leak; say by each spike how the value that was said so far is to change.

    A spike of payload p in step t changes the value y that its neuron says by p theta / t. It
    brings p theta w in step t, as any spike does, and p theta w / t in every later step, so that
    by then t y w has come, as if y had been sent at every step. The neuron takes off what it says
    in the same way. With theta_i = 2^i theta, i = 0..N-1, N being the parameter `thresholds`:
    v(t) = v(t - 1) + input(t) - y(t - 1);
    v >= 3/4 theta_i and y + theta_i / t <= C:   spike of payload 2^i, v -= theta_i;
    v <= -3/4 theta_i and y - theta_i / t >= 0:  spike of payload -2^i, v += theta_i,

    for the largest i for which that holds; C is the parameter `ceiling` times theta. At every time
    t y = total input + v_init - v, the charge balance of this code. Under a constant current z
    from 0 to C and to theta_(N - 1) the error |z - y| falls as 1 / t, and a neuron for which y = z
    stays silent: it fires some log(t) times, where one that repeats its value fires t times. By t
    at most theta_(N - 1) (1 + 1/2 + ... + 1/t) is said, so that a larger z, beyond what thresholds
    were calibrated for, is reached late: 3 times it after 11 steps, 5 times it after 83.

    Huang et al. 2025 (differential neuron, with MT neurons): their m is v, e_out is y, and e_in
    what has come by t, divided by t. They have no ceiling, which stands for that of an ANN's
    clipped ReLU. Biases and analog inputs are currents, there at every step. What arrives after a
    delay is still divided by the step t in which it was sent. Only lockstep has such steps, and
    divided by t a spike is no whole number.
    """

    name: ClassVar[str] = DIFFERENTIAL
    parameters: ClassVar[dict[str, Parameter]] = {
        **MultiThreshold.parameters,
        "ceiling": Parameter(
            0.0, "", "the largest value that is said, in thresholds, or 0 for any", FloatRule(0.0)
        ),
    }
    differential: ClassVar[bool] = True
    counted: ClassVar[bool] = False

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        self.ceiling = ceiling_of(population)
        self.said = np.zeros(population.size)
        """y, in thresholds."""

    def signs(self, neurons: Chosen, tick: int) -> Signs:
        rule, v, said = self.rule, self.u[neurons], tick * self.said[neurons]
        theta, above = self.population.theta[neurons], rule.above[neurons]
        up = _whole(tick * self.ceiling - said, rule.cap)
        down = _whole(said, rule.cap)
        rising = np.where((v >= above) & (up >= 1), rule.payloads(v, theta, above, up), 0)
        falls = (v < rule.below[neurons]) & (down >= 1)
        signs = np.where(falls, -rule.payloads(-v, theta, above, down), rising)
        return signs.astype(np.int8)

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        super().reset(neurons, signs, tick)
        self.said[neurons] += signs.astype(np.float64) / tick
        real = self.current.dtype.type
        self.current[neurons] -= signs * self.population.theta[neurons] / real(tick)


def ceiling_of(population: Population) -> float:
    """Return the largest value that a population's neurons say, in thresholds."""
    return population.parameters.get("ceiling", 0.0) or np.inf


def _whole(room: Reals, cap: int) -> Ints:
    whole: Ints = np.minimum(np.floor(room + ROUNDING), cap).astype(np.int64)
    return whole


NEURONS.register(Differential.name, Differential)
