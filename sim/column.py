"""Column: rows that are appended while a run goes on, in memory or in a file without a name."""

import os
import tempfile
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from thresher.ir.linear_map import Shape

Array = NDArray[Any]


class Column:
    """Hold rows of one type and shape, appended block by block.

    Parameters
    ----------
    shape : tuple of int
        Of one row.
    folder : Path, optional
        Where the rows are kept in a file that has no name and vanishes with the process, however
        that ends; by default they are kept in memory.
    """

    def __init__(self, dtype: np.dtype[Any], shape: Shape = (), folder: Path | None = None) -> None:
        self.dtype, self.shape = dtype, (0, *shape)
        self._stream: IO[bytes] = BytesIO() if folder is None else _nameless(folder)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> Array:
        """Read rows start..stop - 1: a copy, and read-only."""
        start, stop, _ = part.indices(len(self))
        row_bytes = prod(self.shape[1:]) * self.dtype.itemsize
        self._stream.seek(start * row_bytes)
        content = self._stream.read(max(0, stop - start) * row_bytes)
        self._stream.seek(0, os.SEEK_END)
        return np.frombuffer(content, self.dtype).reshape(-1, *self.shape[1:])

    def append(self, rows: Array) -> None:
        """Add rows (n, *shape), converted to the column's type."""
        self._stream.write(np.ascontiguousarray(rows, self.dtype).data)
        self.shape = (len(self) + len(rows), *self.shape[1:])

    def close(self) -> None:
        """Give the memory or the file back."""
        self._stream.close()


def _nameless(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder)


def scratch_array(dtype: np.dtype[Any], length: int, folder: Path) -> Array:
    """Return an array (length,) to write in any order, kept in a file that has no name."""
    if not length:
        return np.zeros(0, dtype)
    with _nameless(folder) as file:
        file.truncate(length * dtype.itemsize)
        return np.memmap(file, dtype, "r+", shape=(length,))
