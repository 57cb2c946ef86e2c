"""Trace files: .npz and .csv, written from columns that need not be in memory."""

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.files import replacing
from thresher.sim.trace_header import TraceHeader

COLUMNS: dict[str, np.dtype[Any]] = {
    "sample": np.dtype(np.int32),
    "tick": np.dtype(np.int64),
    "population": np.dtype(np.int16),
    "neuron": np.dtype(np.int32),
    "sign": np.dtype(np.int8),
}
MEMBRANE, MEMBRANE_NEURONS = "membrane:", "membrane_neurons:"
CHUNK = 2**16
"""Rows that are read and written at once."""


class Rows(Protocol):
    """What a file's column is written from: an array, or a `Column`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[Any]: ...


def expect_format(path: Path, membranes: Mapping[str, Any]) -> None:
    """Raise SimulationError where a trace with these nodes' membranes has no such format."""
    if path.suffix not in _WRITERS:
        raise SimulationError(
            f"trace '{path.name}': unknown format '{path.suffix}'; expected one of "
            + ", ".join(_WRITERS)
        )
    if membranes and path.suffix == ".csv":
        raise SimulationError(
            f"trace '{path.name}': .csv has one line a spike and no place for the membranes of "
            + ", ".join(f"'{name}'" for name in membranes)
            + "; save it as .npz"
        )


def write_trace(
    path: Path, header: TraceHeader, spikes: Mapping[str, Rows], membranes: Mapping[str, Rows]
) -> None:
    """Write a trace in the format that the suffix names, whole or not at all.

    Parameters
    ----------
    spikes : mapping
        The rows (n,) of every name in `COLUMNS`.
    membranes : mapping of node to rows
        Potentials: (samples, ticks, neurons).

    Raises
    ------
    SimulationError
        For an unknown suffix, or membranes and a .csv, before anything is written.
    """
    expect_format(path, membranes)
    with replacing(path) as temporary:
        _WRITERS[path.suffix](temporary, header, spikes, membranes)


def _write_npz(
    path: Path, header: TraceHeader, spikes: Mapping[str, Rows], membranes: Mapping[str, Rows]
) -> None:
    """Write the bytes that `numpy.savez_compressed` would."""
    members: dict[str, Rows] = {name: spikes[name] for name in COLUMNS}
    members |= header.as_arrays()
    members |= {MEMBRANE + name: rows for name, rows in membranes.items()}
    members |= {MEMBRANE_NEURONS + name: rows for name, rows in header.membrane_neurons.items()}
    with path.open("wb") as file, ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, rows in members.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                _write_rows(stream, rows)


def _write_rows(stream: IO[bytes], rows: Rows) -> None:
    if isinstance(rows, np.ndarray):
        np.lib.format.write_array(stream, rows, allow_pickle=False)
        return
    descr = np.lib.format.dtype_to_descr(rows.dtype)
    declared = {"descr": descr, "fortran_order": False, "shape": rows.shape}
    np.lib.format.write_array_header_1_0(stream, declared)
    for start in range(0, len(rows), CHUNK):
        stream.write(rows[start : start + CHUNK].data)


def _write_csv(
    path: Path, header: TraceHeader, spikes: Mapping[str, Rows], membranes: Mapping[str, Rows]
) -> None:
    """Write one line a spike, populations by name; the header in a comment on the first line."""
    names = np.array(header.populations)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {header.as_json()}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for start in range(0, len(spikes["sample"]), CHUNK):
            chunk = {name: spikes[name][start : start + CHUNK] for name in COLUMNS}
            chunk["population"] = names[chunk["population"]]
            writer.writerows(zip(*(values.tolist() for values in chunk.values()), strict=True))


Writer = Callable[[Path, TraceHeader, Mapping[str, Rows], Mapping[str, Rows]], None]
_WRITERS: dict[str, Writer] = {".npz": _write_npz, ".csv": _write_csv}
TRACE_FORMATS = tuple(_WRITERS)
