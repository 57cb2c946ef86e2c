"""npz archives of arrays, whose headers are believed only after they are checked."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SpecError

LARGEST_UNPACKED = 2**31
"""Bytes that the arrays of an npz file may have when unpacked."""


class NpzMember(NamedTuple):
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


def npz_members(path: Path, bounded: bool = True) -> list[NpzMember]:
    """List the arrays of an archive from their headers, whose sizes fit the archive's.

    Raises
    ------
    SpecError
        Where it is no archive of arrays, is damaged, or, where that is bounded, unpacks to more
        than the limit.
    """
    with _damage_named(path), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        size = sum(entry.file_size for entry in entries)
        if bounded and size > LARGEST_UNPACKED:
            raise SpecError(
                f"'{path}' unpacks to {size:,} bytes; expected at most {LARGEST_UNPACKED:,}: "
                "store larger tensors as safetensors"
            )
        return [_member(archive, entry) for entry in entries]


def read_npz_member(path: Path, name: str) -> NDArray[Any]:
    """Read one array, in the machine's byte order; nothing pickled is read."""
    with _damage_named(path), zipfile.ZipFile(path) as archive:
        with archive.open(name + ".npy") as file:
            values = np.lib.format.read_array(file, allow_pickle=False)
        array: NDArray[Any] = values.astype(values.dtype.newbyteorder("="), copy=False)
        return array


def npz_blocks(path: Path, name: str, rows: int) -> Iterator[NDArray[Any]]:
    """Yield an array that is stored row by row, so many rows at a time, as it is unpacked.

    Raises
    ------
    SpecError
        Where the archive is damaged, or the array is no plain one of rows.
    """
    with (
        _damage_named(path),
        zipfile.ZipFile(path) as archive,
        archive.open(name + ".npy") as file,
    ):
        shape, dtype, by_column = read_npy_header(file)
        if dtype.hasobject or not shape or (by_column and len(shape) > 1):
            raise ValueError(f"'{name}' is {dtype}{list(shape)}, no plain array of rows")
        for start in range(0, shape[0], rows):
            part = (min(rows, shape[0] - start), *shape[1:])
            size = prod(part) * dtype.itemsize
            content = file.read(size)
            if len(content) != size:
                raise ValueError(f"'{name}' ends before its row {start + part[0]}")
            yield np.frombuffer(content, dtype).reshape(part)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        raise SpecError(
            f"'{path}' is not an npz file of plain arrays, or is cut off or damaged: "
            f"{str(error)[:200]}"
        ) from error


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NpzMember:
    if not entry.filename.endswith(".npy"):
        raise ValueError(f"'{entry.filename}' is no array")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"'{entry.filename}' is packed by a method that numpy does not use")
    with archive.open(entry) as file:
        shape, dtype, _ = read_npy_header(file)
        declared = file.tell() + prod(shape) * dtype.itemsize
    if not dtype.hasobject and declared != entry.file_size:
        raise ValueError(
            f"'{entry.filename}' says that it is {list(shape)}, but has {entry.file_size:,} bytes"
        )
    return NpzMember(entry.filename.removesuffix(".npy"), dtype, shape)


def read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Return shape, type, and whether values lie column by column; raise ValueError for others."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, by_column, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"array format {version} is not one that plain arrays use")
    return shape, dtype, by_column
