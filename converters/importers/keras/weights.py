"""The weights of Keras' files, by layer, as arrays that lie in the file itself."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from thresher.converters.importers.builder import Array
from thresher.errors import SpecError
from thresher.ir.tensors import expect_size

Json = Any
LARGEST_RATIO = 1000
"""What a packed array may grow by when it is read."""
PARTS = {"MultiHeadAttention": ("query_dense", "key_dense", "value_dense", "output_dense")}
"""Layers that keep their weights in layers of their own, in Keras' order."""


class WeightReader(Protocol):
    """Read the weights of a model's layers, one after the other, in the model's order."""

    def read(self, name: str, kind: str) -> tuple[Array, ...]:
        """Return a layer's weights in Keras' order."""

    def inside(self, name: str, entry: Json) -> "WeightReader":
        """Return the reader of a layer that is a model itself."""


class ArchiveWeights:
    """The weights of a `.keras` file, by layer.

    Later versions of Keras write a layer's name beside them; earlier ones number the layers of
    each class in order.
    """

    def __init__(self, group: Any, h5py: Any) -> None:
        self._h5py = h5py
        self._layers = _child(group, "layers", h5py) if "layers" in group else {}
        self._names = {}
        for key in self._layers:
            name = self._attribute(_child(self._layers, key, h5py), "name")
            if isinstance(name, str):
                self._names[name] = key
        self._counts: Counter[str] = Counter()

    def read(self, name: str, kind: str) -> tuple[Array, ...]:
        """Return a layer's weights in Keras' order."""
        held = self._group(name, kind)
        if kind not in PARTS:
            return self._variables(held)
        parts = [self._part(held, part) for part in PARTS[kind]]
        return tuple(values for part in parts for values in self._variables(part))

    def inside(self, name: str, entry: Json) -> "ArchiveWeights":
        """Return the reader of a layer that is a model itself."""
        return ArchiveWeights(self._group(name, entry["class_name"]), self._h5py)

    def _group(self, name: str, kind: str) -> Any:
        stem = _snake_case(kind)
        number = self._counts[stem]
        self._counts[stem] += 1
        group = self._names.get(name, stem if number == 0 else f"{stem}_{number}")
        return _child(self._layers, group, self._h5py) if group in self._layers else {}

    def _part(self, held: Any, name: str) -> Any:
        """Return the group of a layer's own layer, whose name may begin with an underscore."""
        found = next((key for key in (name, f"_{name}") if key in held), None)
        return {} if found is None else _child(held, found, self._h5py)

    def _attribute(self, held: Any, name: str) -> Any:
        return _child(held, "vars", self._h5py).attrs.get(name) if "vars" in held else None

    def _variables(self, held: Any) -> tuple[Array, ...]:
        if "vars" not in held:
            return ()
        variables = _child(held, "vars", self._h5py)
        keys = sorted(variables, key=int)
        return tuple(_array(variables, key, self._h5py) for key in keys)


class LegacyWeights:
    """The weights of an `.h5` file, by layer."""

    def __init__(self, group: Any, h5py: Any) -> None:
        self._group = group
        self._h5py = h5py

    def read(self, name: str, kind: str) -> tuple[Array, ...]:
        """Return a layer's weights in Keras' order."""
        held, paths = self._listed(name)
        return tuple(_array(held, path, self._h5py) for path in paths)

    def inside(self, name: str, entry: Json) -> "WeightReader":
        """Return the reader of a layer that is a model itself, whose weights are one list."""
        held, paths = self._listed(name)
        return _ListedWeights(held, paths, Counter(_names_in(entry)), self._h5py)

    def _listed(self, name: str) -> tuple[Any, list[str]]:
        """Return a layer's group and the paths of its weights; long lists are in pieces."""
        if name not in self._group:
            return {}, []
        held = _child(self._group, name, self._h5py)
        pieces = [held.attrs["weight_names"]] if "weight_names" in held.attrs else []
        while f"weight_names{len(pieces)}" in held.attrs:
            pieces.append(held.attrs[f"weight_names{len(pieces)}"])
        return held, [
            item if isinstance(item, str) else item.decode() for part in pieces for item in part
        ]


class _ListedWeights:
    """The weights of a model that is a layer in an `.h5` file, which name their layers in paths."""

    def __init__(
        self, held: Any, paths: Sequence[str], names: Mapping[str, int], h5py: Any
    ) -> None:
        self._held = held
        self._names = names
        self._h5py = h5py
        self._paths: dict[str, list[str]] = {}
        for path in paths:
            owner = next((part for part in reversed(path.split("/")[:-1]) if part in names), "")
            self._paths.setdefault(owner, []).append(path)

    def read(self, name: str, kind: str) -> tuple[Array, ...]:
        """Return a layer's weights in Keras' order, which the list keeps for each layer."""
        paths = self._paths.get(name, [])
        if paths and self._names[name] > 1:
            raise SpecError(
                f"{self._names[name]} layers inside a model that is a layer are called '{name}', "
                "and an .h5 file does not tell their weights apart; save the model as .keras"
            )
        return tuple(_array(self._held, path, self._h5py) for path in paths)

    def inside(self, name: str, entry: Json) -> "WeightReader":
        """Return this reader: the list holds the weights at every depth."""
        return self


def _names_in(entry: Json) -> Iterator[str]:
    """Yield the names of the layers that are no models, at every depth of a model."""
    config = entry["config"]
    for inner in config if isinstance(config, list) else config["layers"]:
        held = inner["config"]
        if isinstance(held, list) or "layers" in held:
            yield from _names_in(inner)
        else:
            yield held["name"]


def _child(group: Any, path: str, h5py: Any) -> Any:
    """Return what lies under a path by hard links alone, which cannot leave the file."""
    for part in path.split("/"):
        link = group.get(part, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise SpecError(
                f"'{part}' is a link to elsewhere, or is not there; expected it in place"
            )
        group = group[part]
    return group


def _array(group: Any, path: str, h5py: Any) -> Array:
    values = _child(group, path, h5py)
    if not isinstance(values, h5py.Dataset) or values.dtype.kind not in "fiu":
        raise SpecError(f"weight '{path}' is no array of numbers")
    if values.external or values.is_virtual:
        raise SpecError(f"weight '{path}' lies in another file; expected it in place")
    expect_size(path, values.shape)
    stored = values.id.get_storage_size()
    if values.nbytes > 2**16 and values.nbytes > LARGEST_RATIO * stored:
        raise SpecError(
            f"weight '{path}' is {list(values.shape)}, {values.nbytes:,} bytes, of which "
            f"{stored:,} are stored; the file is damaged, or made to swell"
        )
    return np.asarray(values[()])


def _snake_case(name: str) -> str:
    """Return a class's name as Keras writes it in files."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
