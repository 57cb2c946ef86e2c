"""Structured event arrays (t, x, y, p) in .npy, as event cameras give them and Tonic reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from thresher.errors import SimulationError
from thresher.ir.linear_map import Shape
from thresher.sim.trace_formats.survey import expect_step
from thresher.sim.trace_formats.trace_format import COLUMNS, TRACE_FORMATS, Block, Rows, blocks
from thresher.sim.trace_header import TraceHeader

FIELDS = [("t", "<i8"), ("x", "<i4"), ("y", "<i4"), ("p", "i1")]
SAMPLE = ("sample", "<i4")


@dataclass(frozen=True)
class EventArray:
    """The spikes of one population: t in whole microseconds of its sample, x, y, and p.

    Of a population (C, H, W) with C > 1, p is the channel; with C = 1, p is 1, and 0 where a
    spike's payload is negative; one of (N,) lies along x, with y = 0. Where more than one sample
    was recorded a fifth field, `sample`, tells them apart, and t starts anew with each. A spike
    of tick k stands at (k - 1) / R steps, rounded up to a microsecond.
    """

    name: ClassVar[str] = "events"
    suffix: ClassVar[str | None] = ".npy"
    suffixes: ClassVar[tuple[str, ...]] = (".npy",)
    membranes: ClassVar[bool] = False
    step_ms: float = 1.0
    population: str | None = None

    def check(self, header: TraceHeader) -> None:
        expect_step(self.step_ms)
        if self.step_ms * 1000 < header.ticks_per_step:
            raise SimulationError(
                f"a tick of {self.step_ms / header.ticks_per_step:g} ms is less than a "
                "microsecond, the unit of events; give longer steps (--step-ms)"
            )
        index = self._index(header)
        channels = _volume(header.shapes[index])[0]
        if channels > np.iinfo(np.int8).max:
            raise SimulationError(
                f"population '{header.populations[index]}' has {channels} channels; an event's p "
                "tells 127 apart"
            )

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        index = self._index(header)
        first, end = header.samples
        fields = np.dtype(FIELDS if end - first == 1 else [*FIELDS, SAMPLE])
        n = sum(int((block["population"] == index).sum()) for block in blocks(spikes))
        declared = {"descr": fields.descr, "fortran_order": False, "shape": (n,)}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, declared)
            for block in blocks(spikes):
                chosen = block["population"] == index
                part = {name: block[name][chosen] for name in COLUMNS}
                file.write(self._events(part, header, index, fields).tobytes())

    def _events(
        self, part: Block, header: TraceHeader, index: int, fields: np.dtype[np.void]
    ) -> np.ndarray[tuple[int], np.dtype[np.void]]:
        channels, height, width = _volume(header.shapes[index])
        channel, y, x = np.unravel_index(part["neuron"], (channels, height, width))
        events = np.zeros(len(x), fields)
        micros = (part["tick"] - 1) * (self.step_ms * 1000) / header.ticks_per_step
        events["t"] = np.ceil(np.round(micros, 6))
        events["x"], events["y"] = x, y
        negative = part["sign"] < 0
        name = header.populations[index]
        if (channels > 1 and negative.any()) or (np.abs(part["sign"]) != 1).any():
            raise SimulationError(
                f"spikes of '{name}' carry numbers for which an event has no place (p is the "
                "channel of several, or the sign of one); take another format (.parquet, .h5)"
            )
        events["p"] = channel if channels > 1 else ~negative
        if SAMPLE[0] in (fields.names or ()):
            events[SAMPLE[0]] = part["sample"]
        return events

    def _index(self, header: TraceHeader) -> int:
        named = ", ".join(f"'{name}'" for name in header.recorded) or "none"
        if self.population is None and len(header.recorded) != 1:
            raise SimulationError(
                f"an event array holds one population, and those of {named} were recorded; give "
                "one (--population NAME, or --record NAME)"
            )
        name = header.recorded[0] if self.population is None else self.population
        if name not in header.recorded:
            raise SimulationError(
                f"the spikes of '{name}' were not recorded; those of {named} were"
            )
        return header.populations.index(name)


def _volume(shape: Shape) -> tuple[int, int, int]:
    """Return a population's shape as channels, height, width."""
    if len(shape) == 1:
        return 1, 1, shape[0]
    channels, *rest = shape
    return channels, 1 if len(rest) == 1 else rest[0], rest[-1]


TRACE_FORMATS.register(EventArray.name, EventArray)
