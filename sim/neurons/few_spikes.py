"""The few-spikes neuron: a value in binary, one bit a step, the largest first."""

from typing import ClassVar

import numpy as np

from thresher.ir.time_codes import FEW_SPIKES
from thresher.sim.network import Floats, Ints, Reals
from thresher.sim.neurons.model import NEURONS
from thresher.sim.neurons.time_coded import TimeCoded
from thresher.sim.neurons.window import Volley, Window


class Bits(Window):
    """Say n < 2^T by a spike at step t wherever bit t of its T bits, the largest first, is set."""

    whole: ClassVar[bool] = False
    most: ClassVar[int | None] = 52
    """Float64 holds the bits of a level and of what its spikes bring."""

    def levels(self, v: Reals, theta: Reals, steps: int, most: int) -> Reals:
        left, n = v.copy(), np.zeros_like(v)
        for step in range(1, steps + 1):
            height = theta * self.charge(np.array([step]), steps)
            fires = left >= height
            left -= fires * height
            n = 2 * n + fires
        return n

    def spikes(self, levels: Reals, steps: int) -> Volley:
        n = levels.astype(np.int64)
        at = np.arange(1, steps + 1)
        step, neuron = np.nonzero(n >> (steps - at[:, None]) & 1)
        return Volley(at[step], neuron, np.ones_like(neuron))

    def charge(self, at: Ints, steps: int) -> Floats:
        brings: Floats = steps * np.ldexp(1.0, -at)
        return brings


class FewSpikes(TimeCoded):
    """Say the K-bit floor of clip(x, 0, alpha (1 - 2^-K)), bit by bit (K = T, alpha = theta).

    Of x, the pre-activation, v(1) = x; for t = 1..K:
    z(t) = [v(t) >= T(t)],  v(t + 1) = v(t) - h(t) z(t),  output sum of d(t) z(t),
    h(t) = d(t) = T(t) = alpha 2^-t.

    A spike at step t of the window brings d(t) * w, which is T theta 2^-t w of the potentials here,
    where x has come T times. v_init = theta T / 2^(T + 1), half a level, makes the floor rounding.
    A synapse is used once for every bit that is set. Stoeckl and Maass 2021 (their FS-neurons, the
    case of a ReLU; Nature Machine Intelligence 3, 230-238).
    """

    name: ClassVar[str] = FEW_SPIKES
    window: ClassVar[Window] = Bits()


NEURONS.register(FewSpikes.name, FewSpikes)
