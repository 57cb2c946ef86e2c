"""Keras files (`.keras`, `.h5`) as plain values: layers, how they are joined, and their weights.

Neither Keras nor TensorFlow is needed, and no code of a file (a Lambda layer holds some) is run.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from thresher.converters.importers.archive import Archive
from thresher.converters.importers.builder import Array
from thresher.errors import MissingExtraError, SpecError
from thresher.ir.tensors import expect_size

Json = Any
Place = tuple[str, int]
"""A layer's name, and the how-manieth of its calls."""

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
LARGEST_CONFIG = 2**26
LARGEST_RATIO = 1000
"""What a packed array may grow by when it is read."""


@dataclass(frozen=True)
class KerasLayer:
    """A layer; `calls` are the values that each of its calls reads, `weights` in Keras' order."""

    kind: str
    name: str
    config: Mapping[str, Any]
    calls: tuple[tuple[Place, ...], ...]
    weights: tuple[Array, ...]


@dataclass(frozen=True)
class KerasModel:
    """A file's layers, in its order; a Sequential's are joined one after the other."""

    layers: tuple[KerasLayer, ...]
    outputs: tuple[Place, ...]


def read_keras(path: Path) -> KerasModel:
    """Read a model with the package `h5py`.

    Raises
    ------
    SpecError
        Where the file is no Keras model, is damaged, or holds arrays that are not what they say.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("h5py", "keras", "reading a Keras file") from error
    with _damage_named(path):
        if path.suffix.lower() == ".keras":
            return _read_archive(path, h5py)
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
            if text is None or "model_weights" not in file:
                raise SpecError(
                    f"'{path}' holds no model, only weights or other data; expected what "
                    "model.save writes: save the whole model, not its weights"
                )
            return _model(json.loads(text), _LegacyWeights(file["model_weights"], h5py))


def _read_archive(path: Path, h5py: Any) -> KerasModel:
    with Archive(path, "a Keras model (.keras)") as archive:
        for name in (CONFIG, WEIGHTS):
            if name not in archive.names:
                raise SpecError(f"'{path}' is no Keras model: it holds no {name}")
        text = archive.read(CONFIG)
        if len(text) > LARGEST_CONFIG:
            raise SpecError(
                f"'{path}': {CONFIG} is {len(text):,} bytes; at most {LARGEST_CONFIG:,}"
            )
        with h5py.File(BytesIO(archive.read(WEIGHTS)), "r") as file:
            return _model(json.loads(text), _Weights(file, h5py))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, RuntimeError,
            RecursionError) as error:  # fmt: skip
        raise SpecError(
            f"'{path}' is not laid out as Keras does, or is cut off or damaged: "
            f"{type(error).__name__}: {str(error)[:200]}"
        ) from error


class _Weights:
    """The weights of a `.keras` file, by layer.

    Later versions of Keras write a layer's name beside them; earlier ones number the layers of
    each class in order.
    """

    def __init__(self, file: Any, h5py: Any) -> None:
        self._h5py = h5py
        self._layers = _child(file, "layers", h5py) if "layers" in file else {}
        self._names = {}
        for group in self._layers:
            name = _child(self._layers, group, h5py).attrs.get("name")
            if isinstance(name, str):
                self._names[name] = group
        self._counts: dict[str, int] = {}

    def read(self, name: str, kind: str) -> tuple[Array, ...]:
        stem = _snake_case(kind)
        number = self._counts.get(stem, 0)
        self._counts[stem] = number + 1
        group = self._names.get(name, stem if number == 0 else f"{stem}_{number}")
        if group not in self._layers:
            return ()
        held = _child(self._layers, group, self._h5py)
        if "vars" not in held:
            return ()
        variables = _child(held, "vars", self._h5py)
        keys = sorted(variables, key=int)
        return tuple(_array(variables, key, self._h5py) for key in keys)


class _LegacyWeights:
    """The weights of an `.h5` file, by layer."""

    def __init__(self, group: Any, h5py: Any) -> None:
        self._group = group
        self._h5py = h5py

    def read(self, name: str, kind: str) -> tuple[Array, ...]:
        if name not in self._group:
            return ()
        held = _child(self._group, name, self._h5py)
        paths = [item if isinstance(item, str) else item.decode() for item in
                 held.attrs.get("weight_names", ())]  # fmt: skip
        return tuple(_array(held, path, self._h5py) for path in paths)


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


def _model(root: Json, weights: "_Weights | _LegacyWeights") -> KerasModel:
    kind, config = root["class_name"], root["config"]
    if kind not in ("Sequential", "Functional", "Model"):
        raise SpecError(
            f"the model is of class '{kind}'; expected Sequential or Functional, whose files say "
            "how layers are joined"
        )
    entries = config if isinstance(config, list) else config["layers"]
    if kind == "Sequential":
        return _sequential(entries, root, config, weights)
    layers = tuple(
        KerasLayer(
            _kind(entry),
            entry["config"]["name"],
            entry["config"],
            tuple(tuple(_places(call)) for call in entry["inbound_nodes"]),
            weights.read(entry["config"]["name"], entry["class_name"]),
        )
        for entry in entries
    )
    ends = config["output_layers"]
    ends = [ends] if ends and isinstance(ends[0], str) else ends
    return KerasModel(layers, tuple((end[0], end[1]) for end in ends))


def _sequential(
    entries: Sequence[Json], root: Json, config: Json, weights: "_Weights | _LegacyWeights"
) -> KerasModel:
    layers: list[KerasLayer] = []
    if entries and entries[0]["class_name"] != "InputLayer":
        first = entries[0]["config"]
        shape = first.get("batch_input_shape") or first.get("batch_shape")
        if shape is None and isinstance(config, dict):
            shape = config.get("build_input_shape")
        if shape is None:
            shape = (root.get("build_config") or {}).get("input_shape")
        given = {"name": "input", "batch_shape": shape}
        layers.append(KerasLayer("InputLayer", "input", given, (), ()))
    for entry in entries:
        name = entry["config"]["name"]
        calls = (((layers[-1].name, 0),),) if layers else ()
        held = weights.read(name, entry["class_name"])
        layers.append(KerasLayer(_kind(entry), name, entry["config"], calls, held))
    if not layers:
        raise ValueError("there are no layers")
    return KerasModel(tuple(layers), ((layers[-1].name, 0),))


def _kind(entry: Json) -> str:
    """Return a layer's class, with its package or module where it is not one of Keras' own."""
    registered, module = entry.get("registered_name") or "", entry.get("module") or "keras"
    if ">" in registered:
        return str(registered)
    own = module.split(".")[0] in ("keras", "tf_keras", "tensorflow")
    return str(entry["class_name"] if own else f"{module}.{entry['class_name']}")


def _places(call: Json) -> Iterator[Place]:
    """Yield the values that a call reads, as Keras 2 or Keras 3 writes them."""
    if isinstance(call, dict) and call.get("class_name") == "__keras_tensor__":
        name, node, tensor = call["config"]["keras_history"]
        if tensor:
            raise SpecError(f"output {tensor} of layer '{name}' is read; expected one output each")
        yield str(name), int(node)
    elif isinstance(call, dict):
        for part in call.values():
            yield from _places(part)
    elif isinstance(call, list) and len(call) >= 3 and isinstance(call[0], str):
        yield call[0], int(call[1])
    elif isinstance(call, list):
        for part in call:
            yield from _places(part)
