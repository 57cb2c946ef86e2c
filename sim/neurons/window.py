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

    def check_steps(self, steps: int) -> None:
        """Raise SimulationError where a window of so many steps has no meaning."""
        if steps < self.fewest:
            raise SimulationError(f"needs at least {self.fewest} steps; got {steps}")
        if self.most is not None and steps > self.most:
            raise SimulationError(f"takes at most {self.most} steps; got {steps}")

    @abstractmethod
    def levels(self, v: Reals, theta: Reals, steps: int, most: int) -> Reals:
        """Return the level 0, 1, ... of each neuron, a whole number in the potentials' dtype.

        `most` is the largest spike count of a model that has one.
        """

    @abstractmethod
    def spikes(self, levels: Reals, steps: int) -> Volley:
        """Return the spikes with which neurons say their levels."""

    @abstractmethod
    def charge(self, at: Ints, steps: int) -> Floats:
        """Return what a spike of sign 1 brings by its step, in units of theta * w."""


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
        n = levels.astype(np.int64)
        neurons = np.repeat(np.arange(len(n)), n)
        nth = np.arange(len(neurons)) - np.repeat(np.cumsum(n) - n, n) + 1
        at = np.ceil(nth * steps / n[neurons]).astype(np.int64)
        return Volley(at, neurons, np.ones_like(neurons))

    def charge(self, at: Ints, steps: int) -> Floats:
        return np.ones(len(at))
