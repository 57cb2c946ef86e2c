"""The signed integrate-and-fire neuron, whose net count is the quantised ANN's at the end."""

from typing import ClassVar

import numpy as np

from thresher.ir.spiking import SIGNED
from thresher.sim.network import Population
from thresher.sim.neurons.graded import Graded, Rounding, Rule
from thresher.sim.neurons.model import NEURONS


class SignedIntegrateAndFire(Graded):
    """Integrate without leak, count the spikes, and take them back with negative ones.

    v(t) = v(t - 1) + input(t), and with the net count n, 0 <= n <= L, which starts at 0:
    v >= theta and n < L:  spike +1, v -= theta, n += 1;
    v < 0 and n > 0:       spike -1, v += theta, n -= 1.

    L is the annotation's `levels`, by default T. A spike -1 delivers -theta * w. Whatever the order
    and the delays of what arrives, once nothing is pending
    n = clip(floor((total input + v_init) / theta), 0, L). The refractory rule covers both signs.
    ST-BIF of You et al. 2024 (SpikeZIP-TF).
    """

    name: ClassVar[str] = SIGNED
    takes: ClassVar[frozenset[str]] = frozenset({"levels"})
    counted: ClassVar[bool] = True

    @classmethod
    def rule_of(cls, population: Population, steps: int) -> Rule:
        theta = population.theta
        most = population.levels or steps
        return Rule(Rounding.DOWNWARDS, 1, theta, np.zeros_like(theta), theta, 0, most)


NEURONS.register(SignedIntegrateAndFire.name, SignedIntegrateAndFire)
