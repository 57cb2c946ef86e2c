"""PyTorch's `.pt2` archives (`torch.export.save`), read as JSON and raw numbers.

Nothing of the file is run: no pickle is opened, no expression evaluated, and PyTorch is not needed.
`torch.export.load` would do both. What only a pickle holds (example inputs) is left alone; a
tensor that is stored as one is refused.
"""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np

from thresher.converters.importers.archive import Archive
from thresher.converters.importers.aten.program import Call, Program, Ref, Size
from thresher.converters.importers.builder import Array
from thresher.errors import SpecError
from thresher.ir.tensors import expect_size

Json = Any

SCHEMA = 8
"""The version of the archive's schema that PyTorch 2.8 to 2.13 write."""

# of torch._export.serde.schema.ScalarType; numpy has no bfloat16
_TYPES = {
    1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f2", 7: "<f4", 8: "<f8", 12: "?",
    13: "bfloat16",
}  # fmt: skip
_FLOAT_TYPES = (6, 7, 8, 13)
_SCALARS = ("as_int", "as_float", "as_bool", "as_string", "as_device", "as_scalar_type")
_LISTS = ("as_ints", "as_floats", "as_bools", "as_strings")


def read_archive(path: Path) -> Program:
    """Read the program of a `.pt2` archive.

    Raises
    ------
    SpecError
        Where it is no such archive, is of another version, or stores a tensor as a pickle.
    """
    with Archive(path, "an archive of torch.export.save (.pt2)") as archive:
        models = [name for name in archive.names if _is_model(name)]
        if len(models) != 1:
            raise SpecError(
                f"'{path}' holds {len(models)} exported programs (models/*.json); expected one, as "
                "torch.export.save of PyTorch 2.8 or later writes it"
            )
        root, name = models[0].rsplit("models/", 1)
        order = f"{root}byteorder"
        if order in archive.names and archive.read(order).strip() != b"little":
            raise SpecError(f"'{path}' was written on a big-endian machine; export it on another")
        name = name.removesuffix(".json")
        try:
            model = json.loads(archive.read(models[0]))
            version = model["schema_version"]["major"]
            if version != SCHEMA:
                raise SpecError(
                    f"'{path}' is of schema version {version}; expected {SCHEMA}: export it again "
                    "with PyTorch 2.8 or later"
                )
            tensors = {
                kind: _Tensors(archive, f"{root}data/{kind}/", f"{name}_{kind}_config.json")
                for kind in ("weights", "constants")
            }
            return _program(model["graph_module"], tensors["weights"], tensors["constants"])
        except (
            KeyError,
            TypeError,
            ValueError,
            IndexError,
            AttributeError,
            RecursionError,
        ) as error:
            raise SpecError(
                f"'{path}' is not laid out as torch.export.save does, or is damaged: "
                f"{type(error).__name__}: {str(error)[:200]}"
            ) from error


def _is_model(name: str) -> bool:
    parts = name.split("/")
    return len(parts) >= 2 and parts[-2] == "models" and name.endswith(".json")


class _Tensors:
    """The tensors of one folder of the archive; each is read when it is asked for."""

    def __init__(self, archive: Archive, folder: str, config: str) -> None:
        self._archive = archive
        self._folder = folder
        self._config: Mapping[str, Json] = json.loads(archive.read(folder + config))["config"]

    def read(self, name: str) -> Array:
        entry = self._config[name]
        if entry["use_pickle"] or entry.get("tensor_meta") is None:
            raise SpecError(
                f"'{self._archive.path}': '{name}' is stored as a pickle, which can run code and "
                "is never read; expected plain tensors of the CPU: move the module there, and "
                "export it again"
            )
        meta = entry["tensor_meta"]
        sizes, strides = _ints(meta["sizes"]), _ints(meta["strides"])
        offset = _int(meta["storage_offset"])
        kind = _TYPES.get(meta["dtype"])
        if kind is None or meta["layout"] != 7:
            raise SpecError(
                f"'{self._archive.path}': '{name}' is of a type or layout that plain arrays do not "
                f"have (dtype {meta['dtype']}, layout {meta['layout']}); expected floats, strided"
            )
        expect_size(name, sizes)
        content = self._archive.read(self._folder + entry["path_name"])
        stored = np.frombuffer(content, "<u2" if kind == "bfloat16" else kind)
        return _widened(_strided(stored, sizes, strides, offset, name), kind)


def _strided(
    stored: Array, sizes: tuple[int, ...], strides: tuple[int, ...], offset: int, name: str
) -> Array:
    if len(sizes) != len(strides) or min((*sizes, *strides, offset), default=0) < 0:
        raise ValueError(f"'{name}' is {sizes} with strides {strides} from {offset}")
    if not prod(sizes):
        return np.zeros(sizes, stored.dtype)
    last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    if last >= stored.size or prod(sizes) > max(stored.size, 1) * 64:
        raise ValueError(f"'{name}' is {sizes}, but {stored.size} numbers are stored")
    item = stored.itemsize
    view = np.lib.stride_tricks.as_strided(
        stored[offset:], sizes, tuple(step * item for step in strides), writeable=False
    )
    return np.array(view)


def _widened(values: Array, kind: str) -> Array:
    if kind == "bfloat16":
        return cast(Array, (values.astype(np.uint32) << 16).view(np.float32))
    return values


def _program(module: Json, weights: _Tensors, constants: _Tensors) -> Program:
    graph, signature = module["graph"], module["signature"]
    shapes = {name: _sizes(meta["sizes"]) for name, meta in graph["tensor_values"].items()}
    types = {name: meta["dtype"] for name, meta in graph["tensor_values"].items()}
    whole = frozenset(name for name, kind in types.items() if kind not in _FLOAT_TYPES)
    inputs: dict[str, tuple[Size, ...]] = {}
    held: dict[str, tuple[str, Array]] = {}
    for spec in signature["input_specs"]:
        ((kind, entry),) = spec.items()
        argument = entry["arg"]
        if kind == "user_input":
            name = argument["as_tensor"]["name"]
            inputs[name] = shapes[name]
        elif kind in ("parameter", "buffer", "tensor_constant"):
            own = entry[f"{kind}_name"]
            stays = kind == "parameter" or entry.get("persistent", False)
            held[argument["name"]] = (own, (weights if stays else constants).read(own))
        else:
            raise ValueError(f"an input is a {kind}; expected a tensor")
    outputs = tuple(
        spec["user_output"]["arg"]["as_tensor"]["name"]
        for spec in signature["output_specs"]
        if "user_output" in spec
    )
    calls = tuple(map(_call, graph["nodes"]))
    return Program(inputs, held, shapes, whole, calls, outputs)


def _call(node: Json) -> Call:
    metadata = node.get("metadata") or {}
    module, is_layer = _module(metadata.get("nn_module_stack", ""))
    return Call(
        node["target"],
        {item["name"]: _argument(item["arg"]) for item in node["inputs"]},
        tuple(name for item in node["outputs"] for name in _output(item)),
        module,
        is_layer,
        _line(metadata.get("stack_trace", "")),
    )


def _argument(argument: Json) -> object:
    ((kind, value),) = argument.items()
    if kind == "as_none":
        return None
    if kind == "as_tensor":
        return Ref(value["name"])
    if kind in ("as_tensors", "as_nested_tensors"):
        return [Ref(item["name"]) for item in value]
    if kind == "as_optional_tensors":
        return [_argument(item) for item in value]
    if kind == "as_float":
        return float(value)  # JSON has no infinity, which is text here
    if kind in _SCALARS or kind in _LISTS:
        return value
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return _symbol(value)
    if kind in ("as_sym_ints", "as_sym_floats"):
        return [_symbol(item) for item in value]
    return f"{kind}, which is no tensor and no number"


def _symbol(value: Json) -> object:
    """Return a number, or the name of one that depends on the inputs."""
    ((kind, item),) = value.items()
    return Ref(item) if kind == "as_name" else item


def _output(output: Json) -> list[str]:
    ((kind, value),) = output.items()
    if kind == "as_tensors":
        return [item["name"] for item in value]
    return [value["name"] if kind == "as_tensor" else str(next(iter(value.values())))]


def _module(stack: str) -> tuple[str, bool]:
    """Return the innermost module's path, and whether it is one of PyTorch's own layers."""
    if not stack:
        return "", False
    rest = stack.split(";")[-1].partition(",")[2]
    path, _, kind = rest.rpartition(",")
    return path, kind.startswith("torch.nn.modules.") and ".container." not in kind


def _line(trace: str) -> str:
    """Return FILE:LINE of the innermost entry that is not PyTorch's own."""
    entries = [text.strip().split('"') for text in trace.splitlines()]
    for parts in reversed(entries):
        told = parts[0] == "File " and len(parts) == 3 and ", line " in parts[2]
        if told and "/torch/" not in parts[1]:
            number = parts[2].split(", line ", 1)[1].split(",")[0]
            return f"{Path(parts[1]).name}:{number}"
    return ""


def _sizes(sizes: Json) -> tuple[Size, ...]:
    return tuple(
        size["as_int"] if "as_int" in size else str(size["as_expr"]["expr_str"]) for size in sizes
    )


def _ints(sizes: Json) -> tuple[int, ...]:
    return tuple(map(_int, sizes))


def _int(size: Json) -> int:
    value = size["as_int"]
    if type(value) is not int:
        raise ValueError(f"{value!r} is no size")
    return value
