"""Regular: evenly spaced spikes at the pixel's rate."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.sim.encoders.encoder import ENCODERS, SpikeTimes, from_mask, tick_blocks


class Regular:
    """Have fired floor(rate * k / R + 1/2) spikes by tick k: even, and right on average."""

    name: ClassVar[str] = "regular"
    spikes: ClassVar[bool] = True

    def encode(
        self,
        rate: NDArray[np.float64],
        steps: int,
        ticks_per_step: int,
        rng: np.random.Generator,
    ) -> SpikeTimes:
        blocks = []
        for block in tick_blocks(len(rate), steps * ticks_per_step):
            time = np.arange(block.start - 1, block.stop) / ticks_per_step
            counts = np.floor(time[:, None] * rate + 0.5)
            blocks.append(np.diff(counts, axis=0) > 0)
        return from_mask(blocks)


ENCODERS.register(Regular.name, Regular())
