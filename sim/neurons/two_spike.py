"""The two-spike neuron: the time between a spike that switches on and one that switches off."""

from typing import ClassVar

import numpy as np

from thresher.ir.time_codes import TWO_SPIKE, time_levels
from thresher.sim.network import Floats, Ints, Reals
from thresher.sim.neurons.model import NEURONS
from thresher.sim.neurons.time_coded import TimeCoded
from thresher.sim.neurons.window import Volley, Window, floor_levels


class Switch(Window):
    """Say n of 1..T - 1 by spike +1 at step 1 and spike -1 at step 1 + n, and 0 by none."""

    whole: ClassVar[bool] = False
    fewest: ClassVar[int] = 2

    def levels(self, v: Reals, theta: Reals, steps: int, most: int) -> Reals:
        parts = time_levels(TWO_SPIKE, steps)
        n: Reals = np.clip(floor_levels(v, theta * (steps / parts)), 0, parts)
        return n

    def spikes(self, levels: Reals, steps: int) -> Volley:
        on = np.flatnonzero(levels)
        ones, off = np.ones_like(on), 1 + levels[on].astype(np.int64)
        return Volley(
            np.concatenate([ones, off]),
            np.concatenate([on, on]),
            np.concatenate([ones, -ones]),
        )

    def charge(self, at: Ints, steps: int) -> Floats:
        brings: Floats = steps * (steps - at) / time_levels(TWO_SPIKE, steps)
        return brings


class TwoSpike(TimeCoded):
    """Say a value by the steps between two spikes (temporal switch coding, TSC).

    n = clip(floor(x (T - 1) / theta), 0, T - 1); where n > 0: a spike of sign 1 at step 1 of the
    window, and one of sign -1 at step 1 + n. The value is theta n / (T - 1).

    The first adds w to the current into the target's membrane, the second takes it off again: a
    spike at step j brings sign * (T - j) theta w T / (T - 1), the current by the time that is left.
    A synapse is used twice at the most. v_init = theta T / (2 (T - 1)), half a level, makes the
    floor rounding. Han and Roy 2020 (Deep spiking neural network: energy efficiency through time
    based coding, ECCV); that the first spike opens the window is how their input is encoded.
    """

    name: ClassVar[str] = TWO_SPIKE
    window: ClassVar[Window] = Switch()


NEURONS.register(TwoSpike.name, TwoSpike)
