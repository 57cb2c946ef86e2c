"""Window: how a population that has seen its whole input fires in T steps of its own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thresher.errors import SimulationError
from thresher.sim.network import Floats, Ints, Reals


@dataclass(frozen=True, eq=False)
class Volley:
    """The spikes of a population in its window: steps 1..T, neurons (engines' order), signs."""

    steps: Ints
    neurons: Ints
    signs: Ints


def no_spikes() -> Volley:
    """Return the volley of a population that is silent."""
    return Volley(*(np.zeros(0, np.int64) for _ in range(3)))


class Window(ABC):
    """Turn potentials into levels, and levels into spikes; say what each spike brings.

    Potentials are those of T steps of input: T times the pre-activation. A neuron at level n sends
    spikes whose sum of sign * charge is what n levels stand for, in units of theta * w; its
    potential falls by theta times that sum.
    """

    whole: ClassVar[bool] = True
    """Whether every spike brings a whole multiple of theta * w, as precision `int` needs."""
    fewest: ClassVar[int] = 1
    most: ClassVar[int | None] = None
    """The steps that a window may have."""

    @property
    def payload(self) -> int:
        """The largest magnitude of a spike's sign."""
        return 1

    def check_steps(self, steps: int) -> None:
        """Raise SimulationError where a window of so many steps has no meaning."""
        if steps < self.fewest:
            raise SimulationError(f"needs at least {self.fewest} steps; got {steps}")
        if self.most is not None and steps > self.most:
            raise SimulationError(f"takes at most {self.most} steps; got {steps}")

    @abstractmethod
    def levels(self, v: Reals, theta: Reals, steps: int, most: int) -> Reals:
        """Return the level of each neuron, a whole number in the potentials' dtype.

        `most` is the largest spike count of a model that has one.
        """

    @abstractmethod
    def spikes(self, levels: Reals, steps: int) -> Volley:
        """Return the spikes with which neurons say their levels."""

    @abstractmethod
    def charge(self, at: Ints, steps: int) -> Floats:
        """Return what a spike of sign 1 brings by its step, in units of theta * w."""

    def taken(self, sent: Reals, theta: Reals) -> Reals:
        """Return by how much a potential falls whose neuron has sent so many theta * w."""
        taken: Reals = theta * sent
        return taken


def floor_levels(v: Reals, theta: Reals) -> Reals:
    """Count how often theta goes into each potential, towards minus infinity."""
    return v // theta if v.dtype.kind == "i" else np.floor(v / theta)


class SpikeCount(Window):
    """Say n by n spikes, the j-th at step ceil(j T / n); each brings theta * w.

    n = clip(floor(v / theta), 0, L): the quantised ANN's.
    """

    def levels(self, v: Reals, theta: Reals, steps: int, most: int) -> Reals:
        n: Reals = np.clip(floor_levels(v, theta), 0, most)
        return n

    def spikes(self, levels: Reals, steps: int) -> Volley:
        return evenly_spread(levels.astype(np.int64), steps, self.payload)

    def charge(self, at: Ints, steps: int) -> Floats:
        return np.ones(len(at))


@dataclass(frozen=True, eq=False)
class GradedCount(SpikeCount):
    """Say a net count n by spikes that carry up to `cap` each, or by negative ones.

    n = clip(floor(v / theta), 0, largest), and -clip(floor(-v / down), 0, largest) where `falls`; a
    negative count gives `down` back for each unit.
    """

    largest: int
    down: Reals
    falls: bool
    cap: int

    @property
    def payload(self) -> int:
        return self.cap

    def levels(self, v: Reals, theta: Reals, steps: int, most: int) -> Reals:
        n = super().levels(v, theta, steps, self.largest)
        if self.falls:
            n -= super().levels(-v, self.down.astype(v.dtype), steps, self.largest)
        return n

    def taken(self, sent: Reals, theta: Reals) -> Reals:
        unit: Reals = np.where(sent < 0, self.down.astype(theta.dtype), theta)
        return unit * sent


@dataclass(frozen=True, eq=False)
class SignedCount(GradedCount):
    """Say n = clip(floor(v / theta), -largest, largest): downwards, below 0 too."""

    def levels(self, v: Reals, theta: Reals, steps: int, most: int) -> Reals:
        n: Reals = np.clip(floor_levels(v, theta), -self.largest, self.largest)
        return n


def evenly_spread(n: Ints, steps: int, payload: int) -> Volley:
    """Spread net counts n evenly over T steps: the j-th unit of a neuron at ceil(j T / |n|).

    Units of one step share spikes of at most `payload`.
    """
    size = np.abs(n)
    neuron = np.repeat(np.arange(len(n)), size)
    unit = np.arange(len(neuron))
    nth = unit - np.repeat(np.cumsum(size) - size, size) + 1
    step = -(-nth * steps // size[neuron])
    opens = np.ones(len(neuron), np.bool_)
    opens[1:] = (np.diff(neuron) != 0) | (np.diff(step) != 0)
    within = unit - np.maximum.accumulate(np.where(opens, unit, 0))
    first = np.flatnonzero(within % payload == 0)
    units = np.diff(np.append(first, len(neuron)))
    return Volley(step[first], neuron[first], np.sign(n[neuron[first]]) * units)
