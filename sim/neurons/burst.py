"""The burst neuron: all the thresholds that its potential holds, up to a cap, in one spike."""

from typing import ClassVar

import numpy as np

from thresher.sim.network import Population
from thresher.sim.neurons.graded import LARGEST_PAYLOAD, UNBOUNDED, Graded, Rounding, Rule
from thresher.sim.neurons.model import NEURONS
from thresher.sim.neurons.parameter import Parameter, WholeRule

CAP = Parameter(5, "", "the largest payload of one spike", WholeRule(1, maximum=LARGEST_PAYLOAD))


class Burst(Graded):
    """Integrate without leak; fire as often at once as the potential holds the threshold.

    v >= theta:  spike of payload p = min(floor(v / theta), G), v -= p theta,

    G is the parameter `cap`. With G = 1 it is `if` with soft reset. The burst IF of Li and Zeng
    2022; the Group Neuron of m members (Lv et al. 2024), whose thresholds are k theta / m for
    k = 1..m over one membrane and whose spikes are worth theta / m each, is this one with
    threshold theta / m and cap m. The net count is at most G T.
    """

    name: ClassVar[str] = "burst"
    counted: ClassVar[bool] = True
    parameters: ClassVar[dict[str, Parameter]] = {"cap": CAP}

    @classmethod
    def rule_of(cls, population: Population, steps: int) -> Rule:
        theta, cap = population.theta, int(population.parameters["cap"])
        zero = np.zeros_like(theta)
        return Rule(Rounding.DOWNWARDS, cap, theta, zero, theta, UNBOUNDED, UNBOUNDED)


NEURONS.register(Burst.name, Burst)
