"""Neurons whose spikes carry a whole number: the rule of which their models are cases."""

from abc import abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

import numpy as np

from thresher.sim.network import Ints, Population, Reals
from thresher.sim.neurons.integrate_and_fire import Integrator
from thresher.sim.neurons.model import Bools, Chosen, Signs
from thresher.sim.neurons.time import Time
from thresher.sim.neurons.window import GradedCount, Window, floor_levels

UNBOUNDED = 2**31 - 1
"""A net count that no run comes to."""
LARGEST_PAYLOAD = 127
"""What the `sign` of a trace holds."""


class Rounding(IntEnum):
    """How a neuron counts the units in its potential."""

    DOWNWARDS = 0
    TOWARDS_ZERO = 1
    POWERS = 2
    """The largest power of two, 2^i, with |v| >= 2^i above."""


@dataclass(frozen=True, eq=False)
class Rule:
    """When a neuron of potential v and net count n fires, and the payload of the spike.

    v >= above and n < most:   payload p = v / theta, rounded; v -= p theta;
    v < below and n > least:   payload -p = v / down, rounded; v += p down;
    n += payload,

    where 1 <= p <= cap, and n stays within [least, most]. A spike delivers payload * theta * w.
    Arrays are (neurons,), in the engine's precision; v / theta is divided in it.
    """

    rounding: Rounding
    cap: int
    above: Reals
    below: Reals
    down: Reals
    least: int
    most: int

    @property
    def falls(self) -> bool:
        """Whether negative spikes occur."""
        return self.least < UNBOUNDED

    @property
    def floors(self) -> bool:
        """Whether a negative potential counts away from zero."""
        return self.rounding == Rounding.DOWNWARDS

    @property
    def levels(self) -> int:
        """Count the payloads that a comparison may give, 0 among them."""
        upwards = self.cap.bit_length() if self.rounding == Rounding.POWERS else self.cap
        return 1 + upwards * (1 + self.falls)

    def payloads(self, v: Reals, unit: Reals, above: Reals, room: Ints, away: bool = False) -> Ints:
        """Return the payload for potentials v > 0 that fire; meaningless where none does.

        `room` is what the bounds of the net count leave; `away` rounds away from zero.
        """
        room = np.minimum(room, self.cap)
        if self.rounding == Rounding.POWERS:
            size = np.ones_like(room)
            for power in 2 ** np.arange(1, self.cap.bit_length()):
                size = np.where(
                    (power <= room) & (v >= above * above.dtype.type(power)), power, size
                )
            return size
        times = -floor_levels(-v, unit) if away else floor_levels(v, unit)
        return np.maximum(np.minimum(times, room), 1).astype(np.int64)


class Graded(Integrator):
    """Integrate without leak and fire by a `Rule`; what a model is stands in its `rule_of`."""

    has_kernel: ClassVar[bool] = True
    own_reset: ClassVar[str] = "a spike takes off what it carries"

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        self.rule = self.rule_of(population, time.steps)
        self.n = np.zeros(population.size, np.int64)

    @classmethod
    @abstractmethod
    def rule_of(cls, population: Population, steps: int) -> Rule:
        """Return the rule of a population in a run of T steps."""

    @classmethod
    def levels_of(cls, population: Population, steps: int) -> int:
        return cls.rule_of(population, steps).levels

    @classmethod
    def payload_of(cls, population: Population, steps: int) -> int:
        return cls.rule_of(population, steps).cap

    @classmethod
    def window_of(cls, population: Population, steps: int) -> Window | None:
        rule = cls.rule_of(population, steps)
        return GradedCount(cls._most(rule, steps), rule.down, rule.least < 0, rule.cap)

    @classmethod
    def ceiling_of(cls, population: Population, steps: int) -> int | None:
        rule = cls.rule_of(population, steps)
        return cls._most(rule, steps) if rule.rounding == Rounding.DOWNWARDS else None

    @classmethod
    def _most(cls, rule: Rule, steps: int) -> int:
        """Return the largest net count in T steps."""
        return rule.most if "levels" in cls.takes else rule.cap * steps

    def signs_at(self, neurons: Chosen, v: Reals) -> Signs:
        rule, n = self.rule, self.n[neurons]
        theta, down = self.population.theta[neurons], rule.down[neurons]
        above = rule.above[neurons]
        up = (v >= above) & (n < rule.most)
        fall = (v < rule.below[neurons]) & (n > rule.least)
        rising = rule.payloads(v, theta, above, rule.most - n)
        falling = rule.payloads(-v, down, above, n - rule.least, away=rule.floors)
        signs: Signs = np.where(up, rising, -np.where(fall, falling, 0)).astype(np.int8)
        return signs

    def opens(self, neurons: Ints) -> Bools:
        n, current = self.n[neurons], self.current[neurons]
        up, down = (current > 0) & (n < self.rule.most), (current < 0) & (n > self.rule.least)
        opens: Bools = up | down
        return opens

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        unit = np.where(signs < 0, self.rule.down[neurons], self.population.theta[neurons])
        self.u[neurons] -= signs * unit
        self.n[neurons] += signs


def just_above(bound: Reals) -> Reals:
    """Return the next larger numbers, so that v < just_above(bound) says v <= bound."""
    if bound.dtype.kind == "i":
        return bound + 1
    above: Reals = np.nextafter(bound, bound.dtype.type(np.inf))
    return above
