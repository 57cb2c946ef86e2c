"""The staircase of a population: the activation that its count stands for under even input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thresher.ir.linear_map import Shape
from thresher.ir.spiking import Spiking, spread

Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Steps: an input that is so little below a step is on it; means of T are rounded, counts hit."""


@dataclass(frozen=True, eq=False)
class Staircase:
    """h'(z) = theta / T * clip(floor((T z + start) / theta), l, L), start = v_init + T * shift.

    z is the mean input current of a step; the count that floor gives is what an integrate-and-fire
    neuron with soft reset fires when its input comes evenly (Deng and Gu 2021; with start =
    theta / 2, QCFS of Bu et al. 2022). `theta` and `start` have the population's shape; `levels`
    is L: T, or what neurons can say that are signed or whose spikes carry more. `lowest` is l: 0,
    but for operators, whose z is their function of the mean input and may be negative, and for
    neurons that stand for a leaky ReLU.
    """

    theta: Floats
    start: Floats
    steps: int
    levels: float
    lowest: float = 0

    @property
    def bottom(self) -> Floats:
        """The least value."""
        return self.theta * (self.lowest / self.steps)

    @property
    def top(self) -> Floats:
        """The largest value: what a neuron that fires at its ceiling stands for."""
        return self.theta * (self.levels / self.steps)

    @property
    def uniform_error(self) -> Floats:
        """The mean of |h'(z) - z| where z is uniform on [0, top]; NaN where `start` is no part.

        With q = theta / T the staircase leaves the line by a triangle of legs start / T below each
        step's middle and one of legs (theta - start) / T above it, so that the area between both
        over [0, theta] is ((theta - start)^2 + start^2) / (2 T). It is least at start = theta / 2,
        where it is theta^2 / (4 T): the bound of a layer in Deng and Gu 2021. The bound is that
        *area*; the mean is the area divided by theta, theta / (4 T). No single error is larger than
        theta / (2 T), and other distributions of z may have a larger mean or a smaller one.
        """
        area = ((self.theta - self.start) ** 2 + self.start**2) / (2 * self.steps)
        return np.where((self.start >= 0) & (self.start < self.theta), area / self.theta, np.nan)

    def value(self, count: Floats) -> Floats:
        """Return the activation that a count of spikes stands for."""
        return self.theta * count / self.steps

    def __call__(self, z: Floats) -> Floats:
        """Return the activation for mean inputs z (N, *shape)."""
        level = np.floor((self.steps * z + self.start) / self.theta + ROUNDING)
        return self.value(np.clip(level, self.lowest, self.levels))


def staircase_of(
    spiking: Spiking,
    shape: Shape,
    steps: int,
    levels: float,
    dtype: type[np.floating],
    lowest: float = 0,
) -> Staircase:
    """Return the staircase of a population, its threshold rounded as the engine rounds it."""
    theta, v_init = (
        spread(value, shape).astype(dtype).astype(np.float64)
        for value in (spiking.threshold, spiking.v_init)
    )
    start = v_init + steps * spread(spiking.shift, shape)
    return Staircase(theta, start, steps, levels, lowest)
