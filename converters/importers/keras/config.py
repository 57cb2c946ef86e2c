"""What a Keras file says of a model: its layers and how they are joined, as plain values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thresher.converters.importers.builder import Array
from thresher.converters.importers.keras.weights import WeightReader
from thresher.errors import SpecError

Json = Any
Place = tuple[str, int, int]
"""A layer's name, the how-manieth of its calls, and which of what that gives."""

MODELS = ("Sequential", "Functional", "Model")


@dataclass(frozen=True)
class KerasCall:
    """What one call of a layer reads, by what names ('' by position), and its other arguments."""

    reads: tuple[Place, ...]
    names: tuple[str, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class KerasLayer:
    """A layer, its calls, its weights in Keras' order, and what it holds where it is a model."""

    kind: str
    name: str
    config: Mapping[str, Any]
    calls: tuple[KerasCall, ...]
    weights: tuple[Array, ...]
    model: "KerasModel | None" = None


@dataclass(frozen=True, eq=False)
class KerasModel:
    """A model's layers, in its order; a Sequential's are joined one after the other."""

    layers: tuple[KerasLayer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[Place, ...]


def read_model(root: Json, weights: WeightReader) -> KerasModel:
    """Return the model that a configuration describes, with its weights.

    Raises
    ------
    SpecError
        Where it is of a class whose files do not say how layers are joined.
    """
    kind, config = root["class_name"], root["config"]
    if kind not in MODELS:
        raise SpecError(
            f"the model is of class '{kind}'; expected Sequential or Functional, whose files say "
            "how layers are joined"
        )
    entries = config if isinstance(config, list) else config["layers"]
    if kind == "Sequential":
        return _sequential(entries, root, config, weights)
    layers = tuple(
        _layer(entry, tuple(_call(node) for node in entry["inbound_nodes"]), weights)
        for entry in entries
    )
    inputs = tuple(name for name, _, _ in _places(config["input_layers"]))
    return KerasModel(layers, inputs, tuple(_places(config["output_layers"])))


def _sequential(
    entries: Sequence[Json], root: Json, config: Json, weights: WeightReader
) -> KerasModel:
    layers: list[KerasLayer] = []
    if entries and entries[0]["class_name"] != "InputLayer":
        first = entries[0]["config"]
        shape = first.get("batch_input_shape") or first.get("batch_shape")
        if shape is None and isinstance(config, dict):
            shape = config.get("build_input_shape")
        if shape is None:
            shape = (root.get("build_config") or {}).get("input_shape")
        name = "input"
        while any(name == entry["config"].get("name") for entry in entries):
            name += "_"
        layers.append(KerasLayer("InputLayer", name, {"batch_shape": shape}, (), ()))
    for entry in entries:
        before = (layers[-1].name, 0, 0) if layers else None
        calls = (KerasCall((before,), ("",), {}),) if before else ()
        layers.append(_layer(entry, calls, weights))
    if not layers:
        raise ValueError("there are no layers")
    return KerasModel(tuple(layers), (layers[0].name,), ((layers[-1].name, 0, 0),))


def _layer(entry: Json, calls: tuple[KerasCall, ...], weights: WeightReader) -> KerasLayer:
    kind, config = _kind(entry), entry["config"]
    name = config["name"]
    if kind in MODELS:
        inside = weights.inside(name, entry)
        return KerasLayer(kind, name, {}, calls, (), read_model(entry, inside))
    return KerasLayer(kind, name, config, calls, weights.read(name, entry["class_name"]))


def _kind(entry: Json) -> str:
    """Return a layer's class, with its package or module where it is not one of Keras' own."""
    registered, module = entry.get("registered_name") or "", entry.get("module") or "keras"
    if ">" in registered:
        return str(registered)
    own = module.split(".")[0] in ("keras", "tf_keras", "tensorflow")
    return str(entry["class_name"] if own else f"{module}.{entry['class_name']}")


def _call(node: Json) -> KerasCall:
    """Read a call as Keras 2 ([[name, node, tensor, arguments], ...]) or Keras 3 writes it.

    `predict` of Keras 3 evaluates whatever `training` a call was given, so it says nothing there.
    """
    options: dict[str, Any] = {}
    if isinstance(node, dict):
        given = node.get("args", [])
        named = {key: item for key, item in node.get("kwargs", {}).items() if key != "training"}
        plain = (i for i, item in enumerate(given) if not list(_places(item)))
        options = {f"argument {i}": given[i] for i in plain}
    else:
        given = node
        first = node[0] if node and isinstance(node[0], list) else node
        named = first[3] if len(first) > 3 else {}
    reads = [("", place) for place in _places(given)]
    for name, value in named.items():
        found = list(_places(value))
        reads += [(name, place) for place in found]
        if not found:
            options[name] = value
    return KerasCall(tuple(place for _, place in reads), tuple(name for name, _ in reads), options)


def _places(value: Json) -> Iterator[Place]:
    """Yield the values that an argument holds; those of a dict in the order of its keys."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        name, node, tensor = value["config"]["keras_history"]
        yield str(name), int(node), int(tensor)
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from _places(value[key])
    elif isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str):
        yield value[0], int(value[1]), int(value[2])
    elif isinstance(value, list):
        for part in value:
            yield from _places(part)
