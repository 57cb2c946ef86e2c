"""Images and labels in an .npz file: headers first, then only the rows that are asked for."""

import math
import zipfile
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np

from thresher.datasets.rows import Rows
from thresher.datasets.source import MAX_BYTES, Array, Shape, Source
from thresher.errors import DataError
from thresher.ir.npz import read_npy_header


def open_npz(path: Path) -> Source:
    """Find `x` and `y` and check what their headers declare."""
    with zipfile.ZipFile(path) as archive:
        infos = {item.filename.removesuffix(".npy"): item for item in archive.infolist()}
        if "x" not in infos:
            names = ", ".join(f"'{name}'" for name in infos) or "nothing"
            raise DataError(
                f"{path}: holds {names}; expected the images as 'x' and the labels as 'y': "
                "np.savez(FILE, x=images, y=labels), or events as 'events'"
            )
        x = _member(path, archive, infos["x"])
        y = _member(path, archive, infos["y"]) if "y" in infos else None
    if x.dtype.kind not in "uif" or x.dtype.itemsize > 8:
        raise DataError(f"{path}: 'x' is of type {x.dtype}; expected uint8 or float")
    if len(x.shape) < 2 or 0 in x.shape:
        raise DataError(
            f"{path}: 'x' is {list(x.shape)}; expected images (N, C, H, W) or values (N, F), "
            "at least one"
        )
    if y is not None:
        _check_label_header(path, y, x.shape[0])
    if isinstance(x, _Columns) and math.prod(x.shape) * x.dtype.itemsize > MAX_BYTES:
        raise DataError(
            f"{path}: 'x' is stored column by column and can only be read whole, which takes "
            f"more than {MAX_BYTES / 2**30:g} GiB; save it with np.ascontiguousarray"
        )
    return Source(str(path), x.shape, x.dtype, x.read, None if y is None else y.read)


def stored_array(path: Path, name: str) -> "Rows | _Columns | None":
    """Find an array of a file by name and check what its header declares; None without it."""
    with zipfile.ZipFile(path) as archive:
        infos = {item.filename.removesuffix(".npy"): item for item in archive.infolist()}
        return _member(path, archive, infos[name]) if name in infos else None


class _Columns:
    """Read rows of an array that is stored column by column, and so in memory as a whole."""

    def __init__(self, flat: Rows, shape: Shape) -> None:
        self.shape, self.dtype = shape, flat.dtype
        self._flat = flat

    def read(self, start: int, stop: int) -> Array:
        return np.ascontiguousarray(self._whole[start:stop])

    @cached_property
    def _whole(self) -> Array:
        return self._flat.read(0, len(self._flat)).reshape(self.shape, order="F")


def _member(path: Path, archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Rows | _Columns:
    """Read an array's header; what it declares is compared with what the archive holds."""
    name = item.filename.removesuffix(".npy")
    with archive.open(item) as stream:
        shape, dtype, fortran = read_npy_header(stream)
        head = stream.tell()
    if dtype.hasobject:
        raise DataError(
            f"{path}: '{name}' holds Python objects, which are stored as pickle and never read; "
            "expected an array of numbers"
        )
    declared = head + math.prod(shape) * dtype.itemsize
    if declared != item.file_size:
        raise DataError(
            f"{path}: '{name}' declares {dtype}{list(shape)}, {declared} bytes, but has "
            f"{item.file_size}; the file is damaged"
        )

    def opened() -> IO[bytes]:
        with zipfile.ZipFile(path) as archive:
            return archive.open(item.filename)

    if fortran and len(shape) > 1:
        flat = Rows(path, opened, head, (math.prod(shape),), dtype)
        return _Columns(flat, shape)
    return Rows(path, opened, head, shape, dtype)


def _check_label_header(path: Path, y: Rows | _Columns, length: int) -> None:
    if y.dtype.kind not in "ui":
        raise DataError(f"{path}: 'y' is of type {y.dtype}; expected whole numbers, one a sample")
    if y.shape != (length,):
        raise DataError(
            f"{path}: 'y' is {list(y.shape)}, but 'x' holds {length} samples; expected [{length}]"
        )
