"""Samples: images and their labels as `--data` reads them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thresher import digits
from thresher.datasets.folders import open_folder
from thresher.datasets.npz import open_npz
from thresher.datasets.source import EXPECTED, MAX_BYTES, Array, Part, Source, reading
from thresher.errors import DataError

PICKLES = (".pkl", ".pickle", ".pt", ".pth")


@dataclass(frozen=True)
class Samples:
    """Hold images x (N, ...) as they are stored, and labels y (N,), int64, where there are any."""

    source: str
    x: Array
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
    source: str | Path, *, part: Part = "test", offset: int = 0, limit: int | None = None
) -> Samples:
    """Read samples offset..offset + limit - 1 of a data set; the rest is not kept in memory.

    Parameters
    ----------
    source : str or Path
        An .npz file, a folder, or ``"digits"``.
    part : "train" or "test"
        Which part of a folder or of the digits; a folder with one part gives that one, and warns.

    Raises
    ------
    DataError
        Where the source cannot be read, or what it holds are not images with their labels.
    """
    if offset < 0 or (limit is not None and limit < 1):
        raise DataError(f"offset {offset}, limit {limit}: expected at least 0 and at least 1")
    found = _open(source, part)
    if offset >= found.length:
        raise DataError(
            f"{found.name}: offset {offset} is beyond the end; it holds {found.length} samples"
        )
    stop = found.length if limit is None else min(found.length, offset + limit)
    size = (stop - offset) * found.sample_bytes
    if size > MAX_BYTES:
        raise DataError(
            f"{found.name}: {stop - offset} samples take {size / 2**30:.1f} GiB; expected at "
            f"most {MAX_BYTES / 2**30:g} GiB. Select fewer: --limit N or limit=N"
        )
    x, y = found.read(offset, stop)
    _check_finite(found.name, x, offset)
    return Samples(found.name, x, None if y is None else _checked_labels(found.name, y, offset))


def _open(source: str | Path, part: Part) -> Source:
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
        return open_npz(path)


def _packaged_digits(part: Part) -> Source:
    x_train, y_train, x_test, y_test = digits.load()
    x, y = (x_train, y_train) if part == "train" else (x_test, y_test)
    return Source("digits", len(x), x[:1].nbytes, lambda i, j: (x[i:j], y[i:j]))


def _check_finite(name: str, x: Array, offset: int) -> None:
    if x.dtype.kind != "f" or np.isfinite(x).all():
        return
    bad = int(np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))[0])
    raise DataError(
        f"{name}: image {bad + offset} holds a NaN or an infinite value; expected finite pixels"
    )


def _checked_labels(name: str, y: Array, offset: int) -> NDArray[np.int64]:
    if int(y.min()) < 0 or int(y.max()) > np.iinfo(np.int64).max:
        bad = int(np.flatnonzero((y < 0) | (y > np.iinfo(np.int64).max))[0])
        raise DataError(
            f"{name}: sample {bad + offset} has label {y[bad]}; expected a class, 0 or more"
        )
    return y.astype(np.int64)
