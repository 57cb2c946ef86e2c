"""Tensor files beside a spec (safetensors, npz): containment, sizes and values are checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save

from thresher.errors import SpecError
from thresher.ir.npz import npz_members, read_npz_member
from thresher.ir.op import Shape

Array = NDArray[Any]

LARGEST_TENSOR = 2**31
"""Values that one tensor may hold."""
LARGEST_FILE = 2**34
"""Bytes that a tensor file may have."""
FLOATS = ("float16", "float32", "float64")
_SAFETENSORS_TYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "BF16": "bfloat16"}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a file, not read yet; `dtype` is the file's word for its type."""

    file: str
    name: str
    dtype: str
    shape: Shape
    fetch: Callable[[], Array]

    def read(self) -> Array:
        """Read the values: finite, float16, float32 or float64; bfloat16 becomes float32.

        Raises
        ------
        SpecError
            Where they are of another type, too many, not finite, or the file is damaged.
        """
        if self.dtype not in (*FLOATS, "bfloat16"):
            raise SpecError(
                f"tensor '{self.name}' of '{self.file}' is of type {self.dtype}; expected "
                "float16, float32, float64 or bfloat16: convert it before it is stored"
            )
        expect_size(self.name, self.shape)
        values = self.fetch()
        expect_finite(self.name, values)
        return values


def expect_size(name: str, shape: Shape) -> None:
    """Raise SpecError where a shape asks for more values than one tensor may hold."""
    if prod(shape) > LARGEST_TENSOR:
        raise SpecError(
            f"'{name}' is {list(shape)}, {prod(shape):,} values; expected at most "
            f"{LARGEST_TENSOR:,}"
        )


def expect_finite(name: str, values: Array) -> None:
    """Raise SpecError that names the first value which is NaN or infinite."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise SpecError(
            f"tensor '{name}' holds {values[index]} at {list(index)}; expected finite numbers"
        )


def open_tensors(folder: Path, name: str) -> dict[str, StoredTensor]:
    """List the tensors of a file of a folder; safetensors or npz, by its suffix.

    Raises
    ------
    SpecError
        Where the path leaves the folder, or the file is missing, too large or damaged.
    """
    path = contained(folder, name)
    if not path.is_file():
        near = sorted(item.name for item in folder.glob("*") if item.suffix in _READERS)
        raise SpecError(
            f"there is no tensor file '{path}'; in its folder are {', '.join(near) or 'none'}"
        )
    if path.suffix not in _READERS:
        raise SpecError(
            f"the tensor file '{name}' ends in '{path.suffix}'; expected .safetensors or .npz"
        )
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise SpecError(f"'{path}' is larger than {LARGEST_FILE:,} bytes")
        return _READERS[path.suffix](path)
    except OSError as error:
        raise SpecError(f"cannot read '{path}': {error.strerror or error}") from error


def write_tensors(tensors: Mapping[str, Array], path: Path) -> None:
    """Write a safetensors file; the same tensors give the same bytes.

    Raises
    ------
    SpecError
        Where `open_tensors` could not read a tensor back.
    """
    for name, values in tensors.items():
        if not name or name == "__metadata__" or not name.isprintable():
            raise SpecError(f"{name!r} cannot be a tensor's name; expected printable characters")
        if values.dtype not in map(np.dtype, FLOATS):
            raise SpecError(
                f"tensor '{name}' is of type {values.dtype}; expected float16, float32 or "
                "float64: convert it before saving"
            )
        expect_size(name, values.shape)
        expect_finite(name, values)
    # Not its save_file, which lets nobody but the owner read the file.
    path.write_bytes(save({name: np.asarray(item, order="C") for name, item in tensors.items()}))


def contained(folder: Path, name: str, owner: str = "spec") -> Path:
    """Return the path of a file that truly lies in the folder, where its `owner` lies.

    Raises
    ------
    SpecError
        Where it lies outside, by its name or through a link.
    """
    try:
        path = folder / name
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        raise SpecError(f"{name!r} cannot be a file's name: {error}") from error
    if Path(name).is_absolute() or not inside:
        raise SpecError(
            f"the tensor file '{name}' lies outside the {owner}'s folder; expected a path inside "
            f"'{folder}': copy the file there"
        )
    return path


def _open_safetensors(path: Path) -> dict[str, StoredTensor]:
    try:
        entries = safetensors.deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except safetensors.SafetensorError as error:
        raise SpecError(
            f"'{path}' is not a safetensors file, or is cut off or damaged: {error}"
        ) from error
    return {name: _stored(path, name, entry) for name, entry in sorted(entries)}


def _stored(path: Path, name: str, entry: Mapping[str, Any]) -> StoredTensor:
    dtype = _SAFETENSORS_TYPES.get(entry["dtype"], entry["dtype"])
    shape = tuple(entry["shape"])

    def fetch() -> Array:
        if dtype != "bfloat16":
            return np.frombuffer(entry["data"], np.dtype(dtype)).reshape(shape)
        halves = np.frombuffer(entry["data"], np.uint16).astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(shape)

    return StoredTensor(path.name, name, dtype, shape, fetch)


def _open_npz(path: Path) -> dict[str, StoredTensor]:
    stored = {}
    for name, dtype, shape in npz_members(path):
        word = "object (pickled, which is never read)" if dtype.hasobject else dtype.name
        fetch = partial(read_npz_member, path, name)
        stored[name] = StoredTensor(path.name, name, word, shape, fetch)
    return stored


_READERS = {".safetensors": _open_safetensors, ".npz": _open_npz}
