"""Time: how ticks pass for the neurons of a run, and what a constant current brings by then."""

from typing import Any

import numpy as np

from thresher.sim.contract import Options
from thresher.sim.network import Ints, Reals

VANISHES = 750
"""exp(-VANISHES) is 0 in float64."""


class Time:
    """The ticks of a run; the input ends with step T, the run later where it settles."""

    def __init__(self, options: Options, dtype: np.dtype[Any]) -> None:
        self.lockstep = options.schedule == "lockstep"
        self.steps, self.ticks_per_step = options.steps, options.ticks_per_step
        self.end = options.ticks
        """The last tick at which a constant current flows."""
        self.last = options.last_tick
        self._ramp = None if dtype.kind == "i" else options.ramp(dtype)

    def charge(self, current: Reals, tick: int | Ints) -> Reals:
        """Return what constant currents have brought by a tick, or each by its own.

        i * (k / R), k / R rounded once; of whole currents floor(i * k / R), divided in 64 bits.
        """
        flowed = np.minimum(tick, self.end)
        if self._ramp is None:
            whole: Reals = current.astype(np.int64) * flowed // self.ticks_per_step
            return whole.astype(current.dtype)
        ramped: Reals = current * self._ramp[flowed]
        return ramped

    def decay(self, tau: float, dtype: np.dtype[Any]) -> Reals:
        """Return exp(-n / (R * tau)) for n = 0, 1, ..., rounded once, up to the run's end or 0."""
        vanishes = np.ceil(VANISHES * tau * self.ticks_per_step)
        n = np.arange(int(min(vanishes, self.last)) + 1)
        decay = np.exp(-n / (self.ticks_per_step * tau)).astype(dtype)
        falling: Reals = np.minimum.accumulate(decay)
        return falling

    def step_of(self, current: Reals, step: int) -> Reals:
        """Return a copy of what constant currents bring in one step (lockstep)."""
        return current.copy() if step <= self.end else np.zeros_like(current)
