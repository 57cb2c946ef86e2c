"""NIR files: their nodes and edges as they stand in HDF5, believed only after sizes are checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.converters.importers.builder import MOST_NODES
from thresher.errors import MissingExtraError, SpecError

Array = NDArray[Any]

MOST_NUMBERS = 2**28
"""Numbers that a file may declare together."""
MOST_EDGES = 8 * MOST_NODES


@dataclass(frozen=True, eq=False)
class NirNode:
    """A node's type, its fields, numbers and texts, and its metadata."""

    kind: str
    fields: Mapping[str, Array | str]
    metadata: Mapping[str, Array | str]

    def array(self, name: str) -> Array:
        """Return a field that holds numbers.

        Raises
        ------
        SpecError
            Where there is none of that name.
        """
        value = self.fields.get(name)
        if not isinstance(value, np.ndarray):
            raise SpecError(f"has no '{name}', which a {self.kind} of NIR needs")
        return value


@dataclass(frozen=True, eq=False)
class NirFile:
    """The nodes of the file by name, and the edges between them."""

    version: str
    nodes: Mapping[str, NirNode]
    edges: tuple[tuple[str, str], ...]


def read_nir(path: Path) -> NirFile:
    """Read a NIR file, in memory bounded by what it may declare.

    Raises
    ------
    SpecError
        Where it is no NIR file, is damaged, points to other files, or declares too much.
    MissingExtraError
        Where the package `h5py` is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("h5py", "nir", "reading a NIR file") from error
    if not path.is_file():
        raise SpecError(f"'{path}' does not exist, or is a folder; expected a NIR file")
    try:
        with h5py.File(path, "r") as file:
            return _Reader(h5py, path).file(file)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, UnicodeError) as error:
        raise SpecError(
            f"'{path}' is no NIR file, or is cut off or damaged: {str(error)[:200]}"
        ) from error


class _Reader:
    """Reads one file, and counts what it declares."""

    def __init__(self, h5py: Any, path: Path) -> None:
        self.h5py, self.path = h5py, path
        self.numbers = 0

    def file(self, file: Any) -> NirFile:
        version = self._value(file, "version") if "version" in file else ""
        root = self._group(file, "node")
        if self._value(root, "type") != "NIRGraph":
            raise self._refused("holds no NIRGraph at its root")
        found = self._group(root, "nodes")
        if len(found) > MOST_NODES:
            raise self._refused(f"has {len(found):,} nodes; expected at most {MOST_NODES:,}")
        nodes = {str(name): self._node(self._group(found, name)) for name in found}
        return NirFile(str(version), nodes, self._edges(root))

    def _node(self, group: Any) -> NirNode:
        kind = self._value(group, "type")
        fields, metadata = {}, {}
        for name in group:
            item = self._item(group, name)
            if isinstance(item, self.h5py.Dataset):
                fields[name] = self._value(group, name)
        if "metadata" in group:
            inner = self._group(group, "metadata")
            for name in inner:
                if isinstance(self._item(inner, name), self.h5py.Dataset):
                    metadata[name] = self._value(inner, name)
        return NirNode(str(kind), fields, metadata)

    def _edges(self, root: Any) -> tuple[tuple[str, str], ...]:
        dataset = self._dataset(root, "edges")
        if dataset.size and (dataset.ndim != 2 or dataset.shape[1] != 2):
            raise self._refused(f"has edges of shape {list(dataset.shape)}; expected (edges, 2)")
        if dataset.size > 2 * MOST_EDGES:
            raise self._refused(f"has {dataset.size // 2:,} edges; at most {MOST_EDGES:,}")
        pairs = dataset[()].reshape(-1, 2)
        return tuple((_text(source), _text(target)) for source, target in pairs)

    def _item(self, group: Any, name: str) -> Any:
        if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
            raise self._refused(f"has a link to another place or file at '{name}'")
        return group[name]

    def _group(self, group: Any, name: str) -> Any:
        if name not in group or not isinstance(self._item(group, name), self.h5py.Group):
            raise self._refused(f"has no group '{name}' in '{group.name}'")
        return group[name]

    def _dataset(self, group: Any, name: str) -> Any:
        if name not in group or not isinstance(self._item(group, name), self.h5py.Dataset):
            raise self._refused(f"has no '{name}' in '{group.name}'")
        dataset = group[name]
        if dataset.is_virtual or dataset.external:
            raise self._refused(f"keeps '{dataset.name}' in another file")
        self.numbers += dataset.size or 0
        if self.numbers > MOST_NUMBERS:
            raise self._refused(
                f"declares {self.numbers:,} numbers up to '{dataset.name}'; expected at most "
                f"{MOST_NUMBERS:,} in all"
            )
        return dataset

    def _value(self, group: Any, name: str) -> Array | str:
        """Return a text, or numbers in an array."""
        dataset = self._dataset(group, name)
        if self.h5py.check_string_dtype(dataset.dtype) is not None:
            if dataset.shape != ():
                raise self._refused(f"has texts at '{dataset.name}'; expected one")
            return _text(dataset[()])
        if dataset.dtype.kind not in "fiub":
            raise self._refused(f"has values of type {dataset.dtype} at '{dataset.name}'")
        return np.asarray(dataset[()])

    def _refused(self, why: str) -> SpecError:
        return SpecError(f"'{self.path}' {why}")


def _text(value: Any) -> str:
    return value.decode("utf8") if isinstance(value, bytes) else str(value)
