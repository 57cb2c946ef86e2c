"""Time to first spike: one spike a pixel, the earlier the brighter."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.sim.encoders.encoder import ENCODERS, SpikeTimes


class TimeToFirstSpike:
    """Fire once, at time (1 - rate) T, that is in tick 1 + floor((1 - rate) T R); never at rate 0.

    Linear latency, as in Park et al. 2020 (T2FSNN) and Rueckauer and Liu 2018. The value lies in
    the time alone: each spike stands for the input's threshold, whatever the pixel.
    """

    name: ClassVar[str] = "ttfs"
    spikes: ClassVar[bool] = True

    def encode(
        self,
        rate: NDArray[np.float64],
        steps: int,
        ticks_per_step: int,
        rng: np.random.Generator,
    ) -> SpikeTimes:
        ticks = steps * ticks_per_step
        (neurons,) = np.nonzero(rate > 0)
        at = 1 + np.floor((1 - rate[neurons]) * ticks).astype(np.int64)
        at = np.minimum(at, ticks)  # a rate so near 0 that 1 - rate is 1
        order = np.argsort(at, kind="stable")
        return SpikeTimes(at[order], neurons[order].astype(np.int32))


ENCODERS.register(TimeToFirstSpike.name, TimeToFirstSpike())
