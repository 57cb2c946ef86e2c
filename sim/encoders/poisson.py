"""Poisson: independent draws, the discrete counterpart of a Poisson process."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.sim.encoders.encoder import ENCODERS, SpikeTimes, from_mask, tick_blocks


class Poisson:
    """Fire at each tick with probability rate / ticks per step (Bernoulli; Diehl et al. 2015)."""

    name: ClassVar[str] = "poisson"
    spikes: ClassVar[bool] = True

    def encode(
        self,
        rate: NDArray[np.float64],
        steps: int,
        ticks_per_step: int,
        rng: np.random.Generator,
    ) -> SpikeTimes:
        probability = rate / ticks_per_step
        blocks = tick_blocks(len(rate), steps * ticks_per_step)
        return from_mask([rng.random((len(block), len(rate))) < probability for block in blocks])


ENCODERS.register(Poisson.name, Poisson())
