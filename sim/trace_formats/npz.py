""".npz: a trace as numpy's arrays; holds everything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.typing import NDArray

from thresher.ir.npz import npz_blocks, npz_members, read_npz_member
from thresher.sim.trace_formats import trace_format
from thresher.sim.trace_formats.trace_format import COLUMNS, TRACE_FORMATS, Block, Rows
from thresher.sim.trace_header import TraceHeader, header_of_arrays

MEMBRANE, MEMBRANE_NEURONS = "membrane:", "membrane_neurons:"
LARGEST_HEADER = 2**26
"""Bytes that an array which is no column may have."""


@dataclass(frozen=True)
class Npz:
    """One array a column, `sample` among them; texts within the header as JSON."""

    name: ClassVar[str] = "npz"
    suffix: ClassVar[str | None] = ".npz"
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    membranes: ClassVar[bool] = True

    def check(self, header: TraceHeader) -> None:
        """Let every trace pass."""

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        """Write the bytes that `numpy.savez_compressed` would."""
        members: dict[str, Rows] = {name: spikes[name] for name in COLUMNS}
        members |= header.as_arrays()
        members |= {MEMBRANE + name: rows for name, rows in membranes.items()}
        neurons = header.membrane_neurons.items()
        members |= {MEMBRANE_NEURONS + name: rows for name, rows in neurons}
        with path.open("wb") as file, ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for name, rows in members.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                    _write_rows(stream, rows)

    @classmethod
    def read_header(cls, path: Path) -> TraceHeader:
        arrays, neurons = {}, {}
        for name, dtype, shape in npz_members(path, bounded=False):
            if name in COLUMNS or name.startswith(MEMBRANE):
                continue
            if dtype.hasobject or dtype.itemsize * int(np.prod(shape)) > LARGEST_HEADER:
                raise ValueError(f"'{name}' is {dtype}{list(shape)}")
            values = read_npz_member(path, name)
            if name.startswith(MEMBRANE_NEURONS):
                neurons[name.removeprefix(MEMBRANE_NEURONS)] = values
            else:
                arrays[name] = values
        return header_of_arrays(arrays, neurons)

    @classmethod
    def read_blocks(cls, path: Path, header: TraceHeader) -> Iterator[Block]:
        columns = [npz_blocks(path, name, trace_format.CHUNK) for name in COLUMNS]
        for parts in zip(*columns, strict=True):
            yield dict(zip(COLUMNS, parts, strict=True))

    @classmethod
    def read_membranes(cls, path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
        for name, _, _ in npz_members(path, bounded=False):
            if name.startswith(MEMBRANE):
                for part in npz_blocks(path, name, 1):
                    yield name.removeprefix(MEMBRANE), part


def _write_rows(stream: IO[bytes], rows: Rows) -> None:
    if isinstance(rows, np.ndarray):
        np.lib.format.write_array(stream, rows, allow_pickle=False)
        return
    descr = np.lib.format.dtype_to_descr(rows.dtype)
    declared = {"descr": descr, "fortran_order": False, "shape": rows.shape}
    np.lib.format.write_array_header_1_0(stream, declared)
    chunk = trace_format.CHUNK
    for start in range(0, len(rows), chunk):
        stream.write(rows[start : start + chunk].data)


TRACE_FORMATS.register(Npz.name, Npz)
