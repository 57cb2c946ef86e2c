""".h5: a trace as HDF5 datasets; holds everything."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.errors import MissingExtraError
from thresher.sim.trace_formats import trace_format
from thresher.sim.trace_formats.trace_format import COLUMNS, TRACE_FORMATS, Block, Rows, blocks
from thresher.sim.trace_header import TraceHeader, header_of_json

LARGEST_RATIO = 1100
"""How many times larger data may be than gzip stored it: deflate reaches 1032."""


@dataclass(frozen=True)
class Hdf5:
    """`/spikes/COLUMN` (n,), `/membranes/I/potentials` and `neurons`; the header as JSON."""

    name: ClassVar[str] = "hdf5"
    suffix: ClassVar[str | None] = ".h5"
    suffixes: ClassVar[tuple[str, ...]] = (".h5",)
    membranes: ClassVar[bool] = True

    def check(self, header: TraceHeader) -> None:
        open_hdf5()

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        with open_hdf5().File(path, "w") as file:
            file.attrs["format"], file.attrs["version"] = "thresher trace", 1
            file.create_dataset("header", data=header.as_json())
            length = len(spikes["sample"])
            for name, dtype in COLUMNS.items():
                stored(file, f"spikes/{name}", (length,), dtype)
            start = 0
            for block in blocks(spikes):
                end = start + len(block["sample"])
                for name in COLUMNS:
                    file[f"spikes/{name}"][start:end] = block[name]
                start = end
            for index, (name, rows) in enumerate(membranes.items()):
                group = file.create_group(f"membranes/{index}")
                group.attrs["node"] = name
                group.create_dataset("neurons", data=header.membrane_neurons[name])
                potentials = stored(group, "potentials", rows.shape, rows.dtype)
                for sample in range(len(rows)):
                    potentials[sample : sample + 1] = rows[sample : sample + 1]

    @classmethod
    def read_header(cls, path: Path) -> TraceHeader:
        with open_hdf5().File(path, "r") as file:
            if file.attrs.get("format") != "thresher trace":
                raise ValueError("an HDF5 file of another kind: no attribute 'format' that says so")
            header = header_of_json(json.loads(file["header"].asstr()[()]))
            groups = file.get("membranes", {}).values()
            neurons = {group.attrs["node"]: believed(group["neurons"])[:] for group in groups}
        return header.with_membranes(neurons)

    @classmethod
    def read_blocks(cls, path: Path, header: TraceHeader) -> Iterator[Block]:
        with open_hdf5().File(path, "r") as file:
            columns = {name: believed(file[f"spikes/{name}"]) for name in COLUMNS}
            if len({column.shape for column in columns.values()}) != 1:
                raise ValueError("its columns differ in length")
            for start in range(0, len(columns["sample"]), trace_format.CHUNK):
                end = start + trace_format.CHUNK
                yield {name: column[start:end] for name, column in columns.items()}

    @classmethod
    def read_membranes(cls, path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
        with open_hdf5().File(path, "r") as file:
            for group in file.get("membranes", {}).values():
                potentials = believed(group["potentials"])
                for sample in range(len(potentials)):
                    yield group.attrs["node"], potentials[sample : sample + 1]


def open_hdf5() -> Any:
    """Return the package h5py, or raise MissingExtraError."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("h5py", "trace", "an HDF5 file") from error
    return h5py


def stored(group: Any, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    """Make a dataset that is packed, and without the time at which it was made."""
    packed = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
    if not prod(shape):
        packed = {}
    elif len(shape) == 1:
        packed["chunks"] = (min(shape[0], trace_format.CHUNK),)
    return group.create_dataset(name, shape, dtype, track_times=False, **packed)


def believed(dataset: Any) -> Any:
    """Return a dataset of numbers whose declared size is one that its bytes can unpack to."""
    if not isinstance(dataset.dtype, np.dtype) or dataset.dtype.kind not in "iuf":
        raise ValueError(f"'{dataset.name}' is of type {dataset.dtype}; expected numbers")
    declared = prod(dataset.shape) * dataset.dtype.itemsize
    held = dataset.id.get_storage_size()
    if declared > LARGEST_RATIO * held:
        raise ValueError(
            f"'{dataset.name}' declares {declared:,} bytes, which its {held:,} cannot hold"
        )
    return dataset


TRACE_FORMATS.register(Hdf5.name, Hdf5)
