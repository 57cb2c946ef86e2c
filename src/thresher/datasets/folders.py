"""Folders in the CIFAR-10/100 binary format or in MNIST's idx format, plain or gzipped."""

import gzip
import math
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

import numpy as np

from thresher.datasets.rows import Rows
from thresher.datasets.source import EXPECTED, Array, Part, Shape, Source, reading
from thresher.errors import DataError

SUBFOLDERS = (
    "MNIST/raw",
    "cifar-10-batches-bin",
    "cifar-100-binary",
    "cifar-10-batches-py",
    "cifar-100-python",
)
IDX_STEMS = {"train": "train", "test": "t10k"}
CIFAR_SHAPE = (3, 32, 32)
CIFAR_BLOCK = 1024
"""Records that are read together where only their labels are wanted."""
CIFAR_FILES = (
    # bytes of label before an image, of which the last is the class; files by part
    (1, {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}),
    (2, {"train": ["train.bin"], "test": ["test.bin"]}),
)


def open_folder(path: Path, part: Part) -> Source:
    """Find a known data set in a folder, or in the subfolder that its archive makes."""
    other: Part = "train" if part == "test" else "test"
    folders = [path, *(path / name for name in SUBFOLDERS)]
    for wanted in (part, other):
        for folder in folders:
            with reading(folder):
                found = _idx(folder, wanted) or _cifar(folder, wanted)
            if found is None:
                continue
            if wanted != part:
                warnings.warn(
                    f"{path}: has no {part} part; the {wanted} part is read", stacklevel=3
                )
            return found
    for folder in folders:
        if any((folder / name).is_file() for name in ("data_batch_1", "test_batch", "meta")):
            raise DataError(
                f"{folder}: CIFAR's python version, which is pickle: opening it can run any code, "
                "so it is never read. Download the binary version (cifar-10-binary.tar.gz, "
                "cifar-100-binary.tar.gz) from the same page"
            )
    raise DataError(f"{path}: no data set that is known in this folder; {EXPECTED}")


def _idx(folder: Path, part: Part) -> Source | None:
    images, labels = (_idx_path(folder, part, kind) for kind in ("images-idx3", "labels-idx1"))
    if images is None:
        return None
    shape = _idx_shape(images, 3)
    if labels is not None and _idx_shape(labels, 1) != shape[:1]:
        raise DataError(
            f"{labels}: holds {_idx_shape(labels, 1)[0]} labels, but '{images.name}' holds "
            f"{shape[0]} images"
        )
    rows = _idx_rows(images, (shape[0], 1, *shape[1:]), 3)
    classes = None if labels is None else _idx_rows(labels, shape[:1], 1).read
    return Source(str(images), rows.shape, rows.dtype, rows.read, classes)


def _idx_path(folder: Path, part: Part, kind: str) -> Path | None:
    stem = IDX_STEMS[part]
    names = [f"{stem}-{kind}-ubyte", f"{stem}-{kind.replace('-', '.')}-ubyte"]
    for name in names:
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    return None


def _idx_open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _idx_shape(path: Path, axes: int) -> Shape:
    with _idx_open(path) as stream:
        head = stream.read(4 + 4 * axes)
    if len(head) < 4 + 4 * axes or head[:4] != bytes((0, 0, 8, axes)):
        raise DataError(
            f"{path}: begins with {head[:4].hex(' ')}; expected an idx file of bytes with "
            f"{axes} axes (00 00 08 0{axes})"
        )
    shape = struct.unpack(f">{axes}I", head[4:])
    if 0 in shape:
        raise DataError(f"{path}: declares {list(shape)}; expected at least one sample")
    if path.suffix != ".gz" and path.stat().st_size != len(head) + math.prod(shape):
        raise DataError(
            f"{path}: declares {list(shape)} but has {path.stat().st_size} bytes; expected "
            f"{len(head) + math.prod(shape)}: the file is damaged"
        )
    return shape


def _idx_rows(path: Path, shape: Shape, axes: int) -> Rows:
    return Rows(path, lambda: _idx_open(path), 4 + 4 * axes, shape, np.dtype(np.uint8))


def _cifar(folder: Path, part: Part) -> Source | None:
    for label_bytes, files in CIFAR_FILES:
        paths = [folder / name for name in files[part] if (folder / name).is_file()]
        if paths:
            return _cifar_source(folder, paths, label_bytes)
    return None


def _cifar_source(folder: Path, paths: list[Path], label_bytes: int) -> Source:
    record = label_bytes + math.prod(CIFAR_SHAPE)
    for path in paths:
        if not path.stat().st_size or path.stat().st_size % record:
            raise DataError(
                f"{path}: has {path.stat().st_size} bytes; expected a multiple of {record}, "
                "one record an image: the file is damaged"
            )
    parts = [_cifar_records(path, path.stat().st_size // record, record) for path in paths]
    length = sum(len(part) for part in parts)

    def read_images(start: int, stop: int) -> Array:
        records = _joined(parts, start, stop)
        return records[:, label_bytes:].reshape(-1, *CIFAR_SHAPE)

    def read_labels(start: int, stop: int) -> Array:
        starts = range(start, stop, CIFAR_BLOCK)
        blocks = [_joined(parts, first, min(first + CIFAR_BLOCK, stop)) for first in starts]
        return np.concatenate([records[:, label_bytes - 1] for records in blocks])

    shape = (length, *CIFAR_SHAPE)
    return Source(str(folder), shape, parts[0].dtype, read_images, read_labels)


def _cifar_records(path: Path, length: int, record: int) -> Rows:
    return Rows(path, lambda: path.open("rb"), 0, (length, record), np.dtype(np.uint8))


def _joined(parts: Sequence[Rows], start: int, stop: int) -> Array:
    """Read rows start..stop - 1 of files that follow one another."""
    blocks = []
    for part in parts:
        blocks.append(part.read(min(max(start, 0), len(part)), min(max(stop, 0), len(part))))
        start, stop = start - len(part), stop - len(part)
    return np.concatenate(blocks)
