"""Events: what an event camera recorded, spike by spike."""

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thresher.ir.events import pixels_of, signs_of
from thresher.sim.encoders.encoder import ENCODERS, SpikeTimes


class Placed(NamedTuple):
    """The spikes of a recording, their signs, and how many events became none."""

    spikes: SpikeTimes
    signs: NDArray[np.int8]
    merged: int
    late: int


class Events:
    """Fire in tick 1 + floor(t R / step) for an event at t; polarity 0 is a negative spike.

    Of an input with several channels the polarity is the channel, and every spike positive. The
    events of one pixel and tick become one spike with the sign of their sum, or none where that is
    0; those after the last step are left out.
    """

    name: ClassVar[str] = "events"
    spikes: ClassVar[bool] = True

    def place(
        self,
        events: NDArray[Any],
        shape: tuple[int, ...],
        steps: int,
        ticks_per_step: int,
        step_ms: float,
    ) -> Placed:
        """Return the spikes of events of type `EVENT`; neurons are row-major in (C, H, W)."""
        ticks = np.floor(events["t"].astype(np.float64) * ticks_per_step / (step_ms * 1000))
        in_time = ticks < steps * ticks_per_step
        tick = ticks[in_time].astype(np.int64) + 1
        pixels = pixels_of(events[in_time], shape)
        size = int(np.prod(shape))
        keys, at = np.unique(tick * size + pixels, return_inverse=True)
        total = np.zeros(len(keys), np.int64)
        np.add.at(total, at, signs_of(events[in_time], shape))
        keys, total = keys[total != 0], total[total != 0]
        spikes = SpikeTimes(keys // size, (keys % size).astype(np.int32))
        signs = np.sign(total).astype(np.int8)
        return Placed(spikes, signs, len(tick) - len(keys), len(events) - len(tick))


ENCODERS.register(Events.name, Events())
