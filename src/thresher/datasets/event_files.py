"""Event files: .npy, .npz with `events`, and what .es and .aedat4 hold, by their libraries."""

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from thresher.datasets.events import EventSource, in_memory
from thresher.datasets.npz import stored_array
from thresher.datasets.rows import Rows
from thresher.datasets.source import Array
from thresher.errors import DataError, MissingExtraError
from thresher.ir.events import EVENT
from thresher.ir.npz import read_npy_header

SUFFIXES = (".npy", ".es", ".aedat4")
MOST_EVENTS = 2**28
"""Of one camera's recording, which is a sample and so in memory as a whole."""

ES_HEADER = 20
"""Bytes before the events of Event Stream: name, version, type, width and height."""
ES_PAUSE = 127
"""Microseconds that a byte without an event stands for, in a file of dvs events."""
ES_LARGEST_REST = 2**16
"""Bytes after the last event that are looked at."""
LARGEST_RATIO = 200
"""What packed events may grow by; recordings grow by less than 20."""


def open_event_file(path: Path) -> EventSource:
    """Find the events of a file that holds nothing else."""
    if path.suffix == ".npy":
        return _open_npy(path)
    return _open_es(path) if path.suffix == ".es" else _open_aedat(path)


def open_event_npz(path: Path) -> EventSource:
    """Find `events`, with a field `sample` where they are of several, and labels `y`."""
    _expect_no_bomb(path)
    events = stored_array(path, "events")
    labels = stored_array(path, "y")
    if events is None or not isinstance(events, Rows) or len(events.shape) != 1:
        raise DataError(f"{path}: 'events' is no array (n,) of events with t, x, y and p")
    if labels is None:
        return EventSource(str(path), events)
    if labels.dtype.kind not in "ui" or len(labels.shape) != 1:
        raise DataError(
            f"{path}: 'y' is {labels.dtype}{list(labels.shape)}; expected whole numbers, one a "
            "sample"
        )
    return EventSource(str(path), events, labels.read(0, labels.shape[0]))


def _expect_no_bomb(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for item in archive.infolist():
            if item.file_size > max(2**20, LARGEST_RATIO * item.compress_size):
                raise DataError(
                    f"{path}: '{item.filename}' unpacks to {item.file_size:,} bytes from "
                    f"{item.compress_size:,}, as no recording does; the file is damaged, or made "
                    "to swell"
                )


def _open_npy(path: Path) -> EventSource:
    with path.open("rb") as file:
        shape, dtype, _ = read_npy_header(file)
        head = file.tell()
    if dtype.hasobject:
        raise DataError(
            f"{path}: holds Python objects, which are stored as pickle and never read; expected "
            "an array of events with the fields t, x, y and p"
        )
    if len(shape) != 1:
        raise DataError(
            f"{path}: an array {dtype}{list(shape)}; expected events (n,) with the fields t, x, y "
            "and p, or images in an .npz file"
        )
    declared, held = head + shape[0] * dtype.itemsize, path.stat().st_size
    if declared != held:
        raise DataError(
            f"{path}: declares {shape[0]:,} events, {declared:,} bytes, but has {held:,}; the file "
            "is damaged"
        )
    return EventSource(str(path), Rows(path, lambda: path.open("rb"), head, shape, dtype))


def _open_es(path: Path) -> EventSource:
    try:
        import event_stream
    except ImportError as error:
        raise MissingExtraError("event_stream", "events", f"'{path.name}'") from error
    with event_stream.Decoder(str(path)) as decoder:
        if decoder.type not in ("dvs", "atis"):
            raise DataError(f"{path}: holds events of type '{decoder.type}'; expected dvs or atis")
        rows = _gathered(path, _changes(decoder, decoder.type))
        if decoder.type == "dvs":
            _expect_whole_events(path, rows)
        return _recording(path, rows, (decoder.height, decoder.width))


def _expect_whole_events(path: Path, rows: Array) -> None:
    """Raise DataError where a file of dvs events ends within one, which its decoder leaves out.

    Event Stream 2 writes an event as 5 bytes, after a byte 255 for each 127 microseconds since the
    one before; nothing but such bytes may follow the last.
    """
    pauses = np.diff(rows["t"].astype(np.int64), prepend=0) // ES_PAUSE
    whole = ES_HEADER + 5 * len(rows) + int(pauses.sum())
    with path.open("rb") as file:
        version = file.read(13)[12:]
        file.seek(whole)
        rest = file.read(ES_LARGEST_REST)
    if version == b"\2" and rest.strip(b"\xff"):
        raise DataError(
            f"{path}: {len(rows):,} events take {whole:,} bytes, and {len(rest):,} are left, which "
            "are no whole event; the file is cut off or damaged"
        )


def _changes(chunks: Iterable[Array], kind: str) -> Iterator[dict[str, Array]]:
    """Yield the changes of brightness; an ATIS has others, which measure exposure."""
    for chunk in chunks:
        part = chunk if kind == "dvs" else chunk[~chunk["exposure"]]
        yield {"t": part["t"], "x": part["x"], "y": part["y"]} | {
            "p": part["on" if kind == "dvs" else "polarity"]
        }


def _open_aedat(path: Path) -> EventSource:
    try:
        import aedat
    except ImportError as error:
        raise MissingExtraError("aedat", "events", f"'{path.name}'") from error
    with _panics_named():
        return _read_aedat(path, aedat.Decoder(str(path)))


@contextmanager
def _panics_named() -> Iterator[None]:
    """Make an error of a panic in Rust, which is no Exception in Python."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"its decoder gave up: {error}") from error


def _read_aedat(path: Path, decoder: Any) -> EventSource:
    streams = {
        number: stream
        for number, stream in decoder.id_to_stream().items()
        if stream["type"] == "events"
    }
    if len(streams) != 1:
        raise DataError(f"{path}: has {len(streams)} streams of events; expected one")
    (number, stream), *_ = streams.items()
    packets = (
        {name: packet["events"][name] for name in ("t", "x", "y", "p")}
        for packet in decoder
        if packet["stream_id"] == number and "events" in packet
    )
    return _recording(path, _gathered(path, packets), (stream["height"], stream["width"]))


def _gathered(path: Path, parts: Iterable[dict[str, Array]]) -> Array:
    found, n = [np.zeros(0, EVENT)], 0
    for part in parts:
        events = np.zeros(len(part["t"]), EVENT)
        for name, values in part.items():
            events[name] = values
        n += len(events)
        if n > MOST_EVENTS:
            raise DataError(f"{path}: has more than {MOST_EVENTS:,} events; cut it into parts")
        found.append(events)
    return np.concatenate(found)


def _recording(path: Path, rows: Array, sensor: tuple[Any, Any]) -> EventSource:
    begins = int(rows["t"][0]) if len(rows) else 0
    return EventSource(str(path), in_memory(rows), None, (int(sensor[0]), int(sensor[1])), begins)
