"""The time-to-first-spike neuron: one spike, the earlier the larger its value."""

from typing import ClassVar

import numpy as np

from thresher.ir.time_codes import TTFS
from thresher.sim.network import Floats, Ints, Reals
from thresher.sim.neurons.model import NEURONS
from thresher.sim.neurons.time_coded import TimeCoded
from thresher.sim.neurons.window import Volley, Window, floor_levels


class FirstSpike(Window):
    """Say n of 1..T by one spike at step T + 1 - n, and 0 by none."""

    def levels(self, v: Reals, theta: Reals, steps: int, most: int) -> Reals:
        n: Reals = np.clip(floor_levels(v, theta), 0, steps)
        return n

    def spikes(self, levels: Reals, steps: int) -> Volley:
        neurons = np.flatnonzero(levels)
        at = steps + 1 - levels[neurons].astype(np.int64)
        return Volley(at, neurons, np.ones_like(neurons))

    def charge(self, at: Ints, steps: int) -> Floats:
        return (steps + 1 - at).astype(np.float64)


class TimeToFirstSpike(TimeCoded):
    """Fire once, at the time t at which x = (t_max - t) / tau, for ReLU's value x > 0.

    A layer's window is t_min..t_max, and begins where that of the layer before ends. Until t_min
    the spikes that have arrived are the slope of the membrane, dv/dt = sum of w_j / tau_j; from
    then on it rises by itself, dv/dt = 1 / tau. It fires at v >= (t_max - t_min) / tau - b, and
    where it never does, its value is 0. So its value (t_max - t) / tau is that of the ReLU,
    sum of w_j (t_min - t_j) / tau_j + b.

    Here t_max - t_min = T steps and tau = T / theta, a population's or a channel's own: theta is
    the largest value, from calibration, and larger ones clip. Step j of a window begins at time
    j - 1. Spikes stand at steps: a time is put off to the next step, which floors the value to
    theta / T * n with n = clip(floor((T x + v_init) / theta), 0, T), as `if` has it in `layered`.
    v_init = theta / 2 makes the floor rounding. A spike at step j brings (T + 1 - j) theta w, the
    slope by the time that is left; a synapse is used once at the most. Stanojevic et al. 2023 (An
    exact mapping from ReLU networks to spiking neural networks, Neural Networks 168).
    """

    name: ClassVar[str] = TTFS
    window: ClassVar[Window] = FirstSpike()


NEURONS.register(TimeToFirstSpike.name, TimeToFirstSpike)
