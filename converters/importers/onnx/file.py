"""ONNX files as plain values; sizes and paths are checked before anything is believed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from thresher.converters.importers.builder import Array
from thresher.converters.importers.onnx.shapes import Axes, axes_of, text, told_shapes
from thresher.errors import GraphError, MissingExtraError, SpecError
from thresher.ir.tensors import contained, expect_size

OLDEST, NEWEST = 11, 28
"""The versions of the operator set that are read."""
LARGEST_PROTOBUF = 2**31 - 1
MOST_AXES = 32

# of onnx.TensorProto.DataType, with the field that holds them where raw_data does not
_TYPES = {
    1: ("<f4", "float_data"), 2: ("u1", "int32_data"), 3: ("i1", "int32_data"),
    4: ("<u2", "int32_data"), 5: ("<i2", "int32_data"), 6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"), 9: ("?", "int32_data"), 10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"), 12: ("<u4", "uint64_data"), 13: ("<u8", "uint64_data"),
    16: ("<u2", "int32_data"),
}  # fmt: skip
FLOAT_TYPES = (1, 10, 11, 16)
_BFLOAT16 = 16


@dataclass(frozen=True)
class OnnxCall:
    """A node of the file. An input that is left out is an empty name."""

    operator: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class OnnxModel:
    """A file's graph; an axis is its size, or its name where it is open.

    `told_shapes` finds the axes of values between nodes, of those that have any.
    """

    opset: int
    inputs: Mapping[str, Axes | None]
    initialisers: Mapping[str, Array]
    calls: tuple[OnnxCall, ...]
    outputs: tuple[str, ...]
    told_shapes: Callable[[], Mapping[str, Axes]]


def read_onnx(path: Path) -> OnnxModel:
    """Read a model with the package `onnx`.

    Raises
    ------
    SpecError
        Where the file is no ONNX model, is damaged, of an opset that is not read, or refers to
        data outside its folder.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise MissingExtraError("onnx", "onnx", "reading an ONNX file") from error
    if path.stat().st_size > LARGEST_PROTOBUF:
        raise SpecError(f"'{path}' is larger than {LARGEST_PROTOBUF:,} bytes, as no protobuf is")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (DecodeError, RecursionError) as error:
        raise SpecError(f"'{path}' is no ONNX model, or is cut off or damaged: {error}") from error
    if not model.HasField("graph") or not model.opset_import:
        raise SpecError(
            f"'{path}' is no ONNX model, or is cut off: it has no graph or no operator set"
        )
    try:
        return _model(model, path)
    except (GraphError, ValueError) as error:
        raise SpecError(f"'{path}': {error}") from error


def _model(model: Any, path: Path) -> OnnxModel:
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    if opset is None or not OLDEST <= opset <= NEWEST:
        raise SpecError(
            f"'{path}' uses the operator set {opset}; expected {OLDEST} to {NEWEST}: export it "
            "again, or convert it with onnx.version_converter"
        )
    graph = model.graph
    initialisers = {text(item.name): _tensor(item, path.parent) for item in graph.initializer}
    given = ((text(item.name), item.type) for item in graph.input)
    inputs = {name: axes_of(kind) for name, kind in given if name not in initialisers}
    calls = tuple(_call(node, path.parent) for node in graph.node)
    outputs = tuple(text(item.name) for item in graph.output)
    return OnnxModel(opset, inputs, initialisers, calls, outputs, told_shapes(model))


def _call(node: Any, folder: Path) -> OnnxCall:
    attributes = {text(item.name): _attribute(item, folder) for item in node.attribute}
    domain = text(node.domain)
    return OnnxCall(
        text(node.op_type),
        "" if domain == "ai.onnx" else domain,
        text(node.name),
        tuple(map(text, node.input)),
        tuple(map(text, node.output)),
        attributes,
    )


def _attribute(attribute: Any, folder: Path) -> object:
    """Return a number, text, list or array; subgraphs and the like as a word for messages."""
    plain = {1: "f", 2: "i"}
    lists = {6: "floats", 7: "ints"}
    if attribute.type in plain:
        value: object = getattr(attribute, plain[attribute.type])
        return value
    if attribute.type in lists:
        return list(getattr(attribute, lists[attribute.type]))
    if attribute.type == 3:
        return attribute.s.decode(errors="replace")
    if attribute.type == 4:
        return _tensor(attribute.t, folder)
    return f"an attribute of type {attribute.type}"


def _tensor(tensor: Any, folder: Path) -> Array:
    """Return a tensor whose size its data bear out."""
    name, dims = text(tensor.name) or "a constant", tuple(tensor.dims)
    if tensor.data_type not in _TYPES:
        raise SpecError(f"tensor '{name}' is of type {tensor.data_type}; expected plain numbers")
    if len(dims) > MOST_AXES or min(dims, default=0) < 0:
        raise SpecError(f"tensor '{name}' is {list(dims)[:MOST_AXES]}; expected sizes of 0 or more")
    expect_size(name, dims)
    kind, field = _TYPES[tensor.data_type]
    dtype = np.dtype(kind)
    if tensor.data_location == 1:
        values = np.frombuffer(_external(tensor, dtype, dims, folder), dtype)
    elif tensor.HasField("raw_data"):
        _expect_count(name, dims, len(tensor.raw_data) / dtype.itemsize)
        values = np.frombuffer(tensor.raw_data, dtype)
    else:
        held = getattr(tensor, field)
        _expect_count(name, dims, len(held))
        values = _of_field(held, dtype)
    if tensor.data_type == _BFLOAT16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.reshape(dims)


def _of_field(held: Any, dtype: np.dtype[Any]) -> Array:
    if dtype != np.float16:
        return np.array(held).astype(dtype)
    return np.array(held).astype(np.uint16).view(np.float16)  # bits, in whole numbers


def _expect_count(name: str, dims: tuple[int, ...], found: float) -> None:
    if prod(dims) != found:
        raise SpecError(
            f"tensor '{name}' is {list(dims)}, but {found:,g} numbers are stored; the file is cut "
            "off or damaged"
        )


def _external(tensor: Any, dtype: np.dtype[Any], dims: tuple[int, ...], folder: Path) -> bytes:
    """Read what lies in another file of the model's folder."""
    told = {text(item.key): text(item.value) for item in tensor.external_data}
    path = contained(folder, told.get("location", ""), "model")
    size = prod(dims) * dtype.itemsize
    start, length = int(told.get("offset", 0)), int(told.get("length", size))
    if not path.is_file():
        raise SpecError(f"tensor '{text(tensor.name)}' is in '{path}', which is not there")
    if start < 0 or length != size or path.stat().st_size < start + size:
        raise SpecError(
            f"tensor '{text(tensor.name)}' is {list(dims)}, {size:,} bytes; '{path}' has "
            f"{path.stat().st_size:,}, of which {length:,} from {start:,} on are named"
        )
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)
