"""Source: a data set that is found and checked but not read yet; what its readers share."""

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from thresher.errors import DataError

Array = NDArray[Any]
Shape = tuple[int, ...]
Part = Literal["train", "test"]
Read = Callable[[int, int], Array]
"""Takes start and stop, and returns rows start..stop - 1."""

MAX_BYTES = 8 * 2**30
"""The most that one selection of images may take in memory."""

EXPECTED = (
    "expected an .npz file with 'x' and 'y', a folder with CIFAR-10, CIFAR-100 (binary version) "
    "or MNIST (idx), 'digits', or events (.npy, .npz with 'events', .es, .aedat4)"
)


@dataclass(frozen=True)
class Source:
    """One part of a data set: what its images are (N, ...), and how images and labels are read."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]
    read_images: Read
    read_labels: Read | None


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
