"""Survey: what a format that lays spikes out by population must know before it writes the first."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.sim.trace_formats.trace_format import Block, Rows, blocks
from thresher.sim.trace_header import TraceHeader


@dataclass(frozen=True, eq=False)
class Survey:
    """Counts over a whole trace.

    Parameters
    ----------
    counts : (populations, samples)
        Spikes; samples are counted from the first recorded.
    payloads : (populations,)
        Whether a spike of the population carries anything but 1.
    last_tick : int
        Of the input, or of the last spike where a run settled later.
    """

    counts: NDArray[np.int64]
    payloads: NDArray[np.bool_]
    last_tick: int


def survey(header: TraceHeader, spikes: Mapping[str, Rows]) -> Survey:
    """Read a trace once."""
    first, end = header.samples
    counts = np.zeros((len(header.populations), end - first), np.int64)
    payloads = np.zeros(len(header.populations), np.bool_)
    last = header.steps * header.ticks_per_step
    for block in blocks(spikes):
        np.add.at(counts, (block["population"], block["sample"] - first), 1)
        payloads[block["population"][block["sign"] != 1]] = True
        last = max(last, int(block["tick"].max(initial=0)))
    return Survey(counts, payloads, last)


@dataclass(frozen=True)
class Windows:
    """The time axis of formats without one of samples: a window for each, one after another.

    A tick is the time from (tick - 1) / R to tick / R steps; a spike stands at its beginning, so
    that those of the sample at position s lie in [s, s + 1) times the window, s counted from the
    first recorded. Windows are as long as the input, or the steps in which all had settled.
    """

    first_sample: int
    ticks_per_step: int
    window_steps: int
    step_ms: float

    @property
    def window_ms(self) -> float:
        return self.window_steps * self.step_ms

    def ms(self, block: Block) -> NDArray[np.float64]:
        """Return the times of spikes in milliseconds."""
        window = self.window_steps * self.ticks_per_step
        ticks = (block["sample"].astype(np.int64) - self.first_sample) * window + block["tick"] - 1
        times: NDArray[np.float64] = ticks * self.step_ms / self.ticks_per_step
        return times


def windows_of(header: TraceHeader, found: Survey, step_ms: float) -> Windows:
    """Lay the samples of a trace one after another."""
    steps = -(-found.last_tick // header.ticks_per_step)
    return Windows(header.samples[0], header.ticks_per_step, steps, step_ms)


def expect_step(step_ms: Any) -> None:
    """Raise SimulationError where a step's length is no number of milliseconds."""
    if not isinstance(step_ms, int | float) or not 0 < step_ms < float("inf"):
        raise SimulationError(f"a step of {step_ms!r} ms; expected a number above 0 (--step-ms 1)")


def expect_group_names(header: TraceHeader, what: str) -> None:
    """Raise SimulationError for a recorded population whose name HDF5 takes for a path."""
    for name in header.recorded:
        if "/" in name or name in (".", ".."):
            raise SimulationError(
                f"population '{name}' cannot be a group's name in {what}, where '/' separates "
                "groups; rename the node, or record others (--record NODES)"
            )


def recorded_sizes(header: TraceHeader) -> dict[int, tuple[str, int]]:
    """Return name and size of each recorded population by its index."""
    return {
        index: (name, prod(header.shapes[index]))
        for index, name in enumerate(header.populations)
        if name in header.recorded
    }
