"""The multi-threshold neuron: one spike of the largest power of two that its potential holds."""

from typing import ClassVar

import numpy as np

from thresher.sim.network import Population, Reals
from thresher.sim.neurons.graded import UNBOUNDED, Graded, Rounding, Rule, just_above
from thresher.sim.neurons.model import NEURONS
from thresher.sim.neurons.parameter import Parameter, WholeRule
from thresher.sim.neurons.window import Window


class MultiThreshold(Graded):
    """Integrate without leak; fire the largest of several thresholds that is near enough.

    The thresholds are theta_i = 2^i theta, i = 0..N-1, N being the parameter `thresholds`; with the
    net count n >= 0, which starts at 0, in units of theta:
    v >= 3/4 theta_i:                   spike of payload 2^i, v -= theta_i, n += 2^i;
    v <= -3/4 theta_i and n >= 2^i:     spike of payload -2^i, v += theta_i, n -= 2^i,

    for the largest i for which that holds. 3/4 lies halfway between theta_i and the next smaller
    one, so that the nearest is sent, rounding included: potentials start at 0. In whole numbers
    3/4 theta is rounded up, and doubled for each larger threshold.

    Huang et al. 2025 (MT neuron), where theta_0 is the largest threshold; their differential coding
    is not in it. No staircase gives its counts, so `layered` has no meaning.
    """

    name: ClassVar[str] = "multi_threshold"
    parameters: ClassVar[dict[str, Parameter]] = {
        "thresholds": Parameter(4, "", "how many thresholds there are", WholeRule(1, maximum=7))
    }
    counted: ClassVar[bool] = True
    window: ClassVar[Window | None] = None

    @classmethod
    def window_of(cls, population: Population, steps: int) -> Window | None:
        return cls.window

    @classmethod
    def rule_of(cls, population: Population, steps: int) -> Rule:
        theta, n = population.theta, int(population.parameters["thresholds"])
        above = three_quarters(theta)
        return Rule(Rounding.POWERS, 2 ** (n - 1), above, just_above(-above), theta, 0, UNBOUNDED)


def three_quarters(theta: Reals) -> Reals:
    """Return 3/4 theta in its precision; whole numbers rounded up."""
    part: Reals = np.ceil(theta * 0.75).astype(theta.dtype)
    return part if theta.dtype.kind == "i" else theta * theta.dtype.type(0.75)


NEURONS.register(MultiThreshold.name, MultiThreshold)
