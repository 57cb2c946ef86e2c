"""Rows of an array in a file, zipped or not, read a block at a time and in order."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from thresher.datasets.source import Array, Shape, reading

CHUNK = 2**20
"""Bytes that are taken from a stream at once."""


class Rows:
    """Read rows of a C-ordered array (N, ...) that begins `head` bytes into a stream.

    The stream stays open between two reads, so that rows read in order are unpacked once; to go
    back it is opened again.
    """

    def __init__(
        self,
        path: Path,
        opened: Callable[[], IO[bytes]],
        head: int,
        shape: Shape,
        dtype: np.dtype[Any],
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._path, self._opened, self._head = path, opened, head
        self._stream: IO[bytes] | None = None
        self._next = 0

    def __del__(self) -> None:
        self._close()

    def read(self, start: int, stop: int) -> Array:
        """Return rows start..stop - 1.

        Raises
        ------
        DataError
            Where the stream is damaged, ends too early, or its checksum does not agree at the end.
        """
        values = np.empty((stop - start, *self.shape[1:]), self.dtype)
        if not len(values):
            return values
        with reading(self._path):
            stream = self._stream_at(start)
            self._next = len(self)  # where the read fails or is interrupted, the next begins anew
            _fill(stream, values)
            self._next = stop
            if stop == len(self):
                stream.read(1)  # at the end of what was packed its checksum is compared
                self._close()
        return values

    def __len__(self) -> int:
        return self.shape[0]

    def _stream_at(self, row: int) -> IO[bytes]:
        if self._stream is None or row < self._next:
            self._close()
            self._stream, self._next = self._opened(), 0
            self._stream.read(self._head)  # a seek would switch the checksum off
        if row > self._next:
            row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
            self._stream.seek(self._head + row * row_bytes)
        return self._stream

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _fill(stream: IO[bytes], values: Array) -> None:
    """Read as many bytes as an array takes."""
    view = values.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        block = stream.read(min(CHUNK, len(view) - done))
        if not block:
            raise EOFError(f"it ends after {done} of {len(view)} bytes")
        view[done : done + len(block)] = block
        done += len(block)
