"""Constant: the preprocessed image as an analog current, the same at every step."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.sim.encoders.encoder import ENCODERS, SpikeTimes


class Constant:
    """No spikes: the first layer's weights are applied to the analog image (Deng and Gu 2021)."""

    name: ClassVar[str] = "constant"
    spikes: ClassVar[bool] = False

    def encode(
        self,
        rate: NDArray[np.float64],
        steps: int,
        ticks_per_step: int,
        rng: np.random.Generator,
    ) -> SpikeTimes:
        return SpikeTimes(np.zeros(0, np.int64), np.zeros(0, np.int32))


ENCODERS.register(Constant.name, Constant())
