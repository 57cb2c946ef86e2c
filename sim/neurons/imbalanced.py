"""The signed neuron with imbalanced thresholds, which stands for a leaky ReLU."""

from typing import ClassVar

import numpy as np

from thresher.ir.fields import FloatRule
from thresher.ir.spiking import IMBALANCED
from thresher.sim.network import Population, Reals
from thresher.sim.neurons.graded import UNBOUNDED, Graded, Rounding, Rule, just_above
from thresher.sim.neurons.model import NEURONS
from thresher.sim.neurons.parameter import Parameter


class ImbalancedIntegrateAndFire(Graded):
    """Integrate without leak; fire spikes of both signs, the negative ones more rarely.

    v >= theta:             spike +1, v -= theta;
    v <= -theta / slope:    spike -1, v += theta / slope.

    A spike -1 delivers -theta * w. Under a constant current z, with v_init = 0, the net count is
    clip(floor(z t / theta), 0, t) where z > 0 and -clip(floor(-z t slope / theta), 0, t) elsewhere:
    the staircase of a leaky ReLU of this `slope`. theta / slope is rounded once to the engine's
    precision. Kim et al. 2020 (Spiking-YOLO).
    """

    name: ClassVar[str] = IMBALANCED
    parameters: ClassVar[dict[str, Parameter]] = {
        "slope": Parameter(
            0.1, "", "the leaky ReLU's slope below 0", FloatRule(0.0, exclusive=True)
        )
    }

    @classmethod
    def rule_of(cls, population: Population, steps: int) -> Rule:
        theta = population.theta
        down = negative_threshold(theta, population.parameters["slope"])
        below = just_above(-down)
        return Rule(Rounding.TOWARDS_ZERO, 1, theta, below, down, -UNBOUNDED, UNBOUNDED)


def negative_threshold(theta: Reals, slope: float) -> Reals:
    """Return theta / slope in the precision of theta; whole numbers to the nearest even."""
    down = theta.astype(np.float64) / slope
    rounded: Reals = (np.rint(down) if theta.dtype.kind == "i" else down).astype(theta.dtype)
    return rounded


NEURONS.register(ImbalancedIntegrateAndFire.name, ImbalancedIntegrateAndFire)
