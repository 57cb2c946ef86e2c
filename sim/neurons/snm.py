"""The signed neuron with memory: takes a spike back once its potential is a threshold below 0."""

from typing import ClassVar

from thresher.sim.network import Population
from thresher.sim.neurons.graded import UNBOUNDED, Graded, Rounding, Rule, just_above
from thresher.sim.neurons.model import NEURONS


class SignedNeuronWithMemory(Graded):
    """Integrate without leak, and fire negative spikes where positive ones went before.

    With the net count n >= 0, which starts at 0:
    v >= theta:              spike +1, v -= theta, n += 1;
    v <= -theta and n > 0:   spike -1, v += theta, n -= 1.

    The memory is n theta, the sum of what was sent. Wang et al. 2022 (SNM). Once nothing is pending
    v < theta, and v > -theta where n > 0: the count is within 1 of `signed_if`'s.
    """

    name: ClassVar[str] = "snm"
    counted: ClassVar[bool] = True

    @classmethod
    def rule_of(cls, population: Population, steps: int) -> Rule:
        theta = population.theta
        below = just_above(-theta)
        return Rule(Rounding.TOWARDS_ZERO, 1, theta, below, theta, 0, UNBOUNDED)


NEURONS.register(SignedNeuronWithMemory.name, SignedNeuronWithMemory)
