"""Samples: images and their labels as `--data` reads them."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thresher import digits
from thresher.datasets.event_files import SUFFIXES, open_event_file, open_event_npz
from thresher.datasets.events import EventImages, EventSource
from thresher.datasets.folders import open_folder
from thresher.datasets.images import StoredImages
from thresher.datasets.npz import open_npz, stored_array
from thresher.datasets.source import EXPECTED, MAX_BYTES, Array, Part, Shape, Source, reading
from thresher.errors import DataError
from thresher.ir.images import Images

PICKLES = (".pkl", ".pickle", ".pt", ".pth")


@dataclass(frozen=True)
class Samples:
    """Hold images x (N, ...) as they are stored, and labels y (N,), int64, where there are any.

    `x[start:stop]` is an array; `x` is one itself, or reads it from the file (`stream`).
    """

    source: str
    x: Images
    y: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.x)

    def check_labels(self, classes: int) -> None:
        """Raise DataError where a label is none of the classes 0..classes - 1."""
        if self.y is None or int(self.y.max()) < classes:
            return
        bad = int(np.flatnonzero(self.y >= classes)[0])
        raise DataError(
            f"{self.source}: sample {bad} of the selection has label {self.y[bad]}, but the "
            f"network has {classes} classes; expected labels from 0 to {classes - 1}"
        )


def load(
    source: str | Path,
    *,
    part: Part = "test",
    offset: int = 0,
    limit: int | None = None,
    shape: Shape | None = None,
) -> Samples:
    """Read samples offset..offset + limit - 1 of a data set; the rest is not kept in memory.

    Parameters
    ----------
    source : str or Path
        An .npz file, a folder, ``"digits"``, or events: .npy, .npz with ``events``, .es, .aedat4.
    part : "train" or "test"
        Which part of a folder or of the digits; a folder with one part gives that one, and warns.
    shape : tuple of int, optional
        Of the network's input, (C, H, W), which events are placed in; images say their own.

    Raises
    ------
    DataError
        Where the source cannot be read, or what it holds are not images with their labels.
    """
    found = stream(source, part=part, offset=offset, limit=limit, shape=shape)
    size = math.prod(found.x.shape) * found.x.dtype.itemsize
    if size > MAX_BYTES:
        raise DataError(
            f"{found.source}: {len(found)} samples take {size / 2**30:.1f} GiB; expected at "
            f"most {MAX_BYTES / 2**30:g} GiB. Select fewer: --limit N or limit=N"
        )
    return replace(found, x=found.x[:])


def stream(
    source: str | Path,
    *,
    part: Part = "test",
    offset: int = 0,
    limit: int | None = None,
    shape: Shape | None = None,
) -> Samples:
    """Find the samples that `load` would read, and their labels; images are read when sliced.

    Parameters and errors are those of `load`; what is wrong with an image shows as it is read.
    """
    if offset < 0 or (limit is not None and limit < 1):
        raise DataError(f"offset {offset}, limit {limit}: expected at least 0 and at least 1")
    found = _open(source, part)
    if isinstance(found, EventSource):
        return _recordings(found, offset, limit, shape)
    stop = _end(found.name, found.shape[0], offset, limit)
    labels = None
    if found.read_labels is not None:
        labels = _checked_labels(found.name, found.read_labels(offset, stop), offset)
    return Samples(found.name, StoredImages(found, offset, stop - offset), labels)


def _end(name: str, total: int, offset: int, limit: int | None) -> int:
    if offset >= total:
        raise DataError(f"{name}: offset {offset} is beyond the end; it holds {total} samples")
    return total if limit is None else min(total, offset + limit)


def _recordings(found: EventSource, offset: int, limit: int | None, shape: Shape | None) -> Samples:
    if shape is None:
        raise DataError(
            f"{found.name}: holds events, which are placed in a network's input; give its shape"
        )
    with reading(Path(found.name)):
        images = EventImages(found, shape)
    stop = _end(found.name, len(images), offset, limit)
    labels = None
    if found.labels is not None:
        labels = _checked_labels(found.name, found.labels[offset:stop], offset)
    return Samples(found.name, images.selected(offset, stop - offset), labels)


def _open(source: str | Path, part: Part) -> Source | EventSource:
    path = Path(source)
    if str(source) == "digits":
        return _packaged_digits(part)
    if path.suffix in PICKLES:
        raise DataError(
            f"{path}: a pickle, which can run any code when it is opened, so it is never read; "
            + EXPECTED
        )
    if path.is_dir():
        return open_folder(path, part)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; {EXPECTED}")
    with reading(path):
        if path.suffix in SUFFIXES:
            return open_event_file(path)
        if stored_array(path, "events") is not None:
            return open_event_npz(path)
        return open_npz(path)


def _packaged_digits(part: Part) -> Source:
    x_train, y_train, x_test, y_test = digits.load()
    x, y = (x_train, y_train) if part == "train" else (x_test, y_test)
    return Source("digits", x.shape, x.dtype, lambda i, j: x[i:j], lambda i, j: y[i:j])


def _checked_labels(name: str, y: Array, offset: int) -> NDArray[np.int64]:
    if int(y.min()) < 0 or int(y.max()) > np.iinfo(np.int64).max:
        bad = int(np.flatnonzero((y < 0) | (y > np.iinfo(np.int64).max))[0])
        raise DataError(
            f"{name}: sample {bad + offset} has label {y[bad]}; expected a class, 0 or more"
        )
    return y.astype(np.int64)
