"""Stored traces: files of Thresher's own formats, read block by block and checked."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from thresher.errors import MissingExtraError, SimulationError, SpecError
from thresher.sim.column import Column
from thresher.sim.memory import available_bytes
from thresher.sim.trace_formats import (
    COLUMNS,
    choose_format,
    expect_fit,
    readable_format,
    readable_suffixes,
    write_trace,
)
from thresher.sim.trace_formats.trace_format import Block, ReadableFormat
from thresher.sim.trace_header import TraceHeader

ROW_BYTES = sum(dtype.itemsize for dtype in COLUMNS.values())


@dataclass(frozen=True, eq=False)
class StoredTrace:
    """A trace's header and its columns, which need not be in memory."""

    header: TraceHeader
    spikes: dict[str, Column]
    membranes: dict[str, Column]


@contextmanager
def open_trace(path: Path, folder: Path | None = None) -> Iterator[StoredTrace]:
    """Read and check a trace; its columns are kept in nameless files of `folder`, or in memory.

    Raises
    ------
    SimulationError
        Where the file is missing, damaged or no trace, or memory would not hold it.
    """
    kind = readable_format(path)
    with ExitStack() as stack:
        with _damage_named(path):
            header = kind.read_header(path)
            spikes = {
                name: stack.enter_context(closing(Column(dtype, (), folder)))
                for name, dtype in COLUMNS.items()
            }
            _read_spikes(path, kind, header, spikes, folder)
            membranes = _read_membranes(path, kind, header, folder, stack)
        yield StoredTrace(header, spikes, membranes)


def export_trace(
    source: str | Path, target: str | Path, format: str | None = None, **options: Any
) -> None:
    """Write a trace file in another format, in memory that does not grow with its spikes.

    Parameters
    ----------
    source : str or Path
        A trace of Thresher's own: .npz, .csv, .parquet or .h5.
    format : str, optional
        The format's name; by default the one that the suffix of `target` stands for.
    **options
        Of the format: `step_ms`, how long a step is (sonata, neo, nwb, events), `population`, the
        one that is written (events).

    Raises
    ------
    SimulationError
        Where the source is no such trace, or the format cannot say what it holds.
    MissingExtraError
        Where a package is needed and not installed.
    ThresherError
        Where the system refuses to write.
    """
    source, target = Path(source), Path(target)
    chosen = choose_format(target, format, **options)
    kind = readable_format(source)
    with _damage_named(source):
        header = kind.read_header(source)
    expect_fit(target, chosen, header, header.membrane_neurons)
    with open_trace(source, target.resolve().parent) as trace:
        write_trace(target, chosen, trace.header, trace.spikes, trace.membranes)


def _read_spikes(
    path: Path,
    kind: type[ReadableFormat],
    header: TraceHeader,
    columns: dict[str, Column],
    folder: Path | None,
) -> None:
    room = available_bytes() if folder is None else None
    last, rows = header.samples[0], 0
    for block in kind.read_blocks(path, header):
        _check(header, block, last, rows)
        for name, values in block.items():
            columns[name].append(values)
        rows += len(block["sample"])
        last = int(block["sample"][-1]) if len(block["sample"]) else last
        if room is not None and rows * ROW_BYTES > room:
            raise SimulationError(
                f"'{path}' has more spikes than memory holds; record fewer nodes or samples, or "
                "read the file in parts"
            )


def _read_membranes(
    path: Path,
    kind: type[ReadableFormat],
    header: TraceHeader,
    folder: Path | None,
    stack: ExitStack,
) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for name, part in kind.read_membranes(path):
        if part.ndim != 3 or part.dtype.kind not in "iuf" or name not in header.membrane_neurons:
            raise ValueError(f"the membranes of '{name}' are {part.dtype}{list(part.shape)}")
        if name not in found:
            column = Column(part.dtype, part.shape[1:], folder)
            found[name] = stack.enter_context(closing(column))
        found[name].append(part)
    return found


def _check(header: TraceHeader, block: Block, last: int, row: int) -> None:
    """Raise ValueError where a block's values are none that its header allows."""
    first, end = header.samples
    for name, values in block.items():
        if values.ndim != 1 or values.dtype.kind not in "iu":
            raise ValueError(f"column '{name}' is {values.dtype}{list(values.shape)}")
        limits = np.iinfo(COLUMNS[name])
        _expect((values >= limits.min) & (values <= limits.max), name, row)
    sizes = np.array([prod(shape) for shape in header.shapes] or [0], np.int64)
    sample, population = block["sample"], block["population"]
    _expect((sample >= first) & (sample < end), "sample", row)
    _expect(np.diff(sample.astype(np.int64), prepend=last) >= 0, "sample", row)
    recorded = [header.populations.index(name) for name in header.recorded]
    _expect(np.isin(population, recorded), "population", row)
    _expect(block["tick"] >= 1, "tick", row)
    _expect((block["neuron"] >= 0) & (block["neuron"] < sizes[population]), "neuron", row)


def _expect(good: Any, name: str, row: int) -> None:
    bad = np.flatnonzero(~good)
    if len(bad):
        raise ValueError(f"'{name}' of spike {row + int(bad[0])} is none that its header allows")


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (SimulationError, MissingExtraError):
        raise
    except OSError as error:
        raise SimulationError(f"'{path}' cannot be read: {error.strerror or error}") from error
    except (
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        AttributeError,
        TypeError,
        OverflowError,
        NotImplementedError,
        RuntimeError,
        MemoryError,
        BadZipFile,
        SpecError,
    ) as error:
        raise SimulationError(
            f"'{path}' cannot be read as a trace ({error}); expected one that "
            f"'thresher simulate --trace' or trace.save wrote ({', '.join(readable_suffixes())})"
        ) from error
