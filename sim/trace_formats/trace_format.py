"""TraceFormat: the interface and the registry; the columns that every trace has."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.registry import Registry
from thresher.sim.trace_header import TraceHeader

COLUMNS: dict[str, np.dtype[Any]] = {
    "sample": np.dtype(np.int32),
    "tick": np.dtype(np.int64),
    "population": np.dtype(np.int16),
    "neuron": np.dtype(np.int32),
    "sign": np.dtype(np.int8),
}
CHUNK = 2**16
"""Rows that are read and written at once."""

Block = dict[str, NDArray[Any]]
"""Some rows of every column."""


class Rows(Protocol):
    """What a file's column is written from: an array, or a `Column`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[Any]: ...


class TraceFormat(Protocol):
    """Write traces as one kind of file; a value whose fields are the format's options."""

    name: ClassVar[str]
    suffix: ClassVar[str | None]
    """The suffix that stands for it where no format is named, and which no other has."""
    suffixes: ClassVar[tuple[str, ...]]
    """All that its files may have."""
    membranes: ClassVar[bool]
    """Whether it has a place for potentials."""

    def check(self, header: TraceHeader) -> None:
        """Raise where the format cannot say what such a trace holds, before anything runs.

        Raises
        ------
        MissingExtraError
            Where a package that it needs is not installed.
        """
        ...

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        """Write the rows (n,) of every name in `COLUMNS`, and potentials by node."""
        ...


@runtime_checkable
class ReadableFormat(Protocol):
    """A format of Thresher's own, which holds all of a trace and reads it back."""

    @classmethod
    def read_header(cls, path: Path) -> TraceHeader: ...

    @classmethod
    def read_blocks(cls, path: Path, header: TraceHeader) -> Iterator[Block]:
        """Yield the spikes block by block, in their order."""
        ...

    @classmethod
    def read_membranes(cls, path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
        """Yield the potentials of each node, (samples, ticks, neurons), part by part."""
        ...


TRACE_FORMATS: Registry[type[TraceFormat]] = Registry("trace format", SimulationError)


def blocks(spikes: Mapping[str, Rows]) -> Iterator[Block]:
    """Yield the rows of every column, `CHUNK` at a time."""
    for start in range(0, len(spikes["sample"]), CHUNK):
        yield {name: spikes[name][start : start + CHUNK] for name in COLUMNS}
