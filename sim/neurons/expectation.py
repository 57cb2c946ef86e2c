"""The expectation neuron of operators: it sends what a function of its mean input asks for."""

from typing import ClassVar

import numpy as np

from thresher.ir.spiking import EXPECTATION
from thresher.sim.network import Population
from thresher.sim.neurons.graded import LARGEST_PAYLOAD, UNBOUNDED, Graded, Rounding, Rule
from thresher.sim.neurons.model import NEURONS
from thresher.sim.neurons.parameter import Parameter, WholeRule
from thresher.sim.neurons.window import GradedCount, SignedCount, Window


class Expectation(Graded):
    """Follow t f(A_t / t), with A_t what has reached the node's ports in t steps; once a step

    v = t f(A_t / t) + v_init - theta n;
    v >= theta:          spike of payload p = min(floor(v / theta), G), n += p;
    v < 0, if signed:    spike of payload -p, p = min(ceil(-v / theta), G), n -= p,

    where f is the op of the node (sigmoid, softmax, a product of two inputs, ...), n the net count
    so far and G the parameter `cap`. By step t the mean sent, theta n / t, is then within a
    threshold of f(mean input), where the cap lets it: f is not taken of each step's input. With
    v_init = theta / 2 it is rounded to nearest. A function may ask for less than it did, so that
    only signed neurons follow it everywhere.

    The expectation compensation of Huang et al. 2024 (ECMT), which sends
    t f(A_t / t) - (t - 1) f(A_{t-1} / (t - 1)) as it is; here it goes in multiples of theta, and
    what one step leaves is sent in the next.
    """

    name: ClassVar[str] = EXPECTATION
    operates: ClassVar[bool] = True
    parameters: ClassVar[dict[str, Parameter]] = {
        "cap": Parameter(
            15, "", "the largest payload of one spike", WholeRule(1, maximum=LARGEST_PAYLOAD)
        ),
        "signed": Parameter(1, "", "whether spikes have both signs", WholeRule(0, maximum=1)),
    }

    @classmethod
    def rule_of(cls, population: Population, steps: int) -> Rule:
        theta, cap = population.theta, int(population.parameters["cap"])
        least = -UNBOUNDED if population.parameters["signed"] else UNBOUNDED
        zero = np.zeros_like(theta)
        return Rule(Rounding.DOWNWARDS, cap, theta, zero, theta, least, UNBOUNDED)

    @classmethod
    def floor_of(cls, population: Population, steps: int) -> int:
        rule = cls.rule_of(population, steps)
        return -rule.cap * steps if rule.falls else 0

    @classmethod
    def window_of(cls, population: Population, steps: int) -> Window | None:
        rule = cls.rule_of(population, steps)
        kind = SignedCount if rule.falls else GradedCount
        return kind(rule.cap * steps, rule.down, rule.falls, rule.cap)


NEURONS.register(Expectation.name, Expectation)
