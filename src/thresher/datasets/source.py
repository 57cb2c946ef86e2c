"""Source: a data set that is found and checked but not read yet; what its readers share."""

import gzip
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from thresher.errors import DataError

Array = NDArray[Any]
Shape = tuple[int, ...]
Part = Literal["train", "test"]

MAX_BYTES = 8 * 2**30
"""The most that one selection of images may take in memory."""

EXPECTED = (
    "expected an .npz file with 'x' and 'y', a folder with CIFAR-10, CIFAR-100 (binary version) "
    "or MNIST (idx), or 'digits'"
)


@dataclass(frozen=True)
class Source:
    """One part of a data set: its size, and how to read samples start..stop - 1."""

    name: str
    length: int
    sample_bytes: int
    read: Callable[[int, int], tuple[Array, Array | None]]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Translate what a damaged file raises into DataError."""
    damaged = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError)
    try:
        yield
    except (*damaged, gzip.BadGzipFile, RuntimeError) as error:
        raise DataError(
            f"{path}: damaged, cut off or of another kind ({error}); {EXPECTED}"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_rows(
    stream: IO[bytes], dtype: np.dtype[Any], shape: Shape, start: int, stop: int
) -> Array:
    """Read rows start..stop - 1 of a C-ordered array that begins where the stream stands."""
    values = np.empty((stop - start, *shape[1:]), dtype)
    row_bytes = math.prod(shape[1:]) * dtype.itemsize
    stream.seek(stream.tell() + start * row_bytes)
    view = values.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        block = stream.read(min(1 << 24, len(view) - done))
        if not block:
            raise EOFError(f"it ends after {done} of {len(view)} bytes")
        view[done : done + len(block)] = block
        done += len(block)
    return values
