"""Recordings of event cameras: found, checked from end to end, and read a sample at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thresher.datasets.source import MAX_BYTES, Array, Shape
from thresher.errors import DataError
from thresher.ir.events import EVENT, frame_of

BLOCK = 2**16
"""Events that are checked at once."""
FIELDS = ("t", "x", "y", "p")


class EventRows(Protocol):
    """Events (n,) with the fields t, x, y and p, and `sample` where they are of several."""

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> Array: ...


@dataclass(frozen=True)
class EventSource:
    """Events that are found and not checked yet.

    `sensor` is its (height, width), where the file says so; `begins` the time that counts as 0.
    """

    name: str
    rows: EventRows
    labels: Array | None = None
    sensor: tuple[int, int] | None = None
    begins: int = 0


class EventImages:
    """Recordings of a network's input (C, H, W), see `thresher.ir.events.Recordings`.

    `images[start:stop]` gives frames, `images.events(i)` the events of one sample.
    """

    def __init__(self, source: EventSource, shape: Shape) -> None:
        self._source, self._kept = source, shape
        self._starts = _check(source, shape)
        self._first, self.shape = 0, (len(self._starts) - 1, *shape)

    @property
    def dtype(self) -> np.dtype[np.float32]:
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        """Return the frames of samples start..stop - 1."""
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise DataError(f"frames are read in their order; expected [A:B], got a step of {step}")
        frames = [frame_of(self.events(i), self._kept) for i in range(start, stop)]
        return np.stack(frames) if frames else np.zeros((0, *self._kept), np.float32)

    def events(self, index: int) -> NDArray[Any]:
        """Return the events of a sample, of type `EVENT`, in the order of their times."""
        start, stop = self._starts[self._first + index], self._starts[self._first + index + 1]
        rows = self._source.rows.read(int(start), int(stop))
        events = np.zeros(len(rows), EVENT)
        for name in FIELDS:
            events[name] = np.maximum(rows[name], 0) if name == "p" else rows[name]
        events["t"] -= self._source.begins
        return events

    def selected(self, first: int, length: int) -> "EventImages":
        """Return samples first..first + length - 1, without another check."""
        chosen = object.__new__(EventImages)
        chosen.__dict__ = dict(self.__dict__)
        chosen._first, chosen.shape = self._first + first, (length, *self._kept)
        return chosen


def recordings(samples: Sequence[Array], shape: Shape) -> EventImages:
    """Take structured arrays (t, x, y, p), one a sample, as recordings of an input (C, H, W).

    Parameters
    ----------
    samples : sequence of arrays
        t in whole microseconds from the sample's start, ascending; p is 0 or 1 (-1 or 1) where
        the input has one channel, and the channel where it has several.

    Raises
    ------
    DataError
        Where a field is missing or of another type, a value outside, or a time goes back.
    """
    if not len(samples):
        raise DataError("there are no recordings; expected at least one")
    fields = [*EVENT.descr, ("sample", "<i8")]
    parts = []
    for index, events in enumerate(samples):
        name = f"recording {index}"
        _check_fields(name, np.asarray(events).dtype)
        part = np.zeros(len(events), fields)
        for field in FIELDS:
            part[field] = events[field]
            if (part[field] != events[field]).any():
                raise DataError(f"{name}: a value of '{field}' is beyond what an event holds")
        part["sample"] = index
        parts.append(part)
    source = EventSource("recordings", _InMemory(np.concatenate(parts), len(samples)))
    return EventImages(source, shape)


class _InMemory:
    """Events in an array; `samples` says how many there are, where the last may be empty."""

    def __init__(self, rows: Array, samples: int | None = None) -> None:
        self.rows, self.samples = rows, samples

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.rows.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, start: int, stop: int) -> Array:
        return self.rows[start:stop]


def in_memory(rows: Array) -> EventRows:
    """Return events that are in memory already."""
    return _InMemory(rows)


def _check(source: EventSource, shape: Shape) -> NDArray[np.int64]:
    """Read all events once, and return where each sample's begin, and the end."""
    name, rows = source.name, source.rows
    _check_fields(name, rows.dtype)
    _check_shape(source, shape)
    several = "sample" in (rows.dtype.names or ())
    known = rows.samples if isinstance(rows, _InMemory) else None
    if source.labels is not None:
        known = len(source.labels)
    last_sample, last_time, starts = 0, source.begins, [0]
    for start in range(0, len(rows), BLOCK):
        block = rows.read(start, min(start + BLOCK, len(rows)))
        _check_places(name, block, start, shape)
        times = block["t"].astype(np.int64)
        samples = block["sample"].astype(np.int64) if several else np.zeros(len(block), np.int64)
        _refuse(name, start, np.diff(samples, prepend=last_sample) < 0, "its sample goes back")
        if known is None and len(starts) + int(samples[-1]) - last_sample > len(rows):
            raise DataError(
                f"{name}: sample {samples[-1]} of {len(rows)} events; expected samples numbered "
                "0, 1, ... in the order of the file"
            )
        if known is not None:
            _refuse(name, start, samples >= known, f"its sample is not among the {known}")
        fresh = np.diff(samples, prepend=last_sample) > 0
        before = np.where(fresh, source.begins, np.concatenate([[last_time], times[:-1]]))
        _refuse(name, start, times < before, "its time goes back; expected ascending times from 0")
        for at in np.flatnonzero(fresh).tolist():
            starts += [start + at] * int(samples[at] - (samples[at - 1] if at else last_sample))
        last_sample, last_time = int(samples[-1]), int(times[-1])
    n_samples = last_sample + 1 if known is None else known
    starts += [len(rows)] * (n_samples + 1 - len(starts))
    found = np.array(starts, np.int64)
    most = int(np.diff(found).max(initial=0))
    if most * rows.dtype.itemsize > MAX_BYTES:
        raise DataError(f"{name}: a sample has {most:,} events, more than memory is given to")
    return found


def _check_fields(name: str, dtype: np.dtype[Any]) -> None:
    held = dtype.names or ()
    missing = [field for field in FIELDS if field not in held]
    if missing:
        raise DataError(
            f"{name}: an array of {dtype}; expected events with the fields t, x, y and p"
        )
    for field in (*FIELDS, *(["sample"] if "sample" in held else [])):
        if dtype[field].kind not in ("iub" if field == "p" else "iu"):
            raise DataError(
                f"{name}: field '{field}' is of type {dtype[field]}; expected whole numbers (t in "
                "microseconds)"
            )


def _check_shape(source: EventSource, shape: Shape) -> None:
    if len(shape) != 3:
        raise DataError(
            f"{source.name}: events have a place and a polarity, and the network's input is "
            f"{list(shape)}; expected (channels, height, width)"
        )
    if source.sensor is not None and source.sensor != shape[1:]:
        height, width = source.sensor
        raise DataError(
            f"{source.name}: the sensor has {height} x {width} pixels (height, width), and the "
            f"network's input is {list(shape)}; crop or scale the recording first"
        )


def _check_places(name: str, block: Array, start: int, shape: Shape) -> None:
    channels, height, width = shape
    largest = np.iinfo(np.int64).max
    _refuse(name, start, (block["t"] < 0) | (block["t"] > largest), "its time is none")
    for field, size in (("x", width), ("y", height)):
        outside = (block[field] < 0) | (block[field] >= size)
        what = f"its {field} lies outside the network's input, which has 0..{size - 1}"
        _refuse(name, start, outside, what)
    least, end = (-1, 2) if channels <= 2 else (0, channels)
    polarity = block["p"].astype(np.int64)
    expected = "0 or 1 (-1 or 1)" if channels <= 2 else f"a channel, 0..{channels - 1}"
    _refuse(name, start, (polarity < least) | (polarity >= end), f"its p is not {expected}")


def _refuse(name: str, start: int, bad: NDArray[np.bool_], what: str) -> None:
    found = np.flatnonzero(bad)
    if len(found):
        raise DataError(f"{name}: event {start + int(found[0])}: {what}")
