"""Shapes that an ONNX file tells of its values, or that ONNX's own inference finds."""

from collections.abc import Callable, Mapping
from typing import Any

LARGEST_KEPT = 2**12
"""Bytes of a constant that inference is given: a shape, or where a slice begins."""

Axes = tuple[int | str, ...]


def axes_of(kind: Any) -> Axes | None:
    """Return the axes of a type, a size each, or a name where it is open; None where untold."""
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    axes = enumerate(kind.tensor_type.shape.dim)
    return tuple(
        axis.dim_value if axis.HasField("dim_value") else text(axis.dim_param) or f"axis {place}"
        for place, axis in axes
    )


def text(value: str | bytes) -> str:
    """Return a name; protobuf leaves one that is no UTF-8 as bytes."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def told_shapes(model: Any) -> Callable[[], Mapping[str, Axes]]:
    """Return what finds the axes of all values that have any; of weights it keeps the sizes alone.

    They are for messages only: what is behind a node that is refused can then be looked at.
    """
    import onnx

    slim = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    slim.graph.name = "shapes"
    slim.graph.input.extend(model.graph.input)
    slim.graph.output.extend(model.graph.output)
    slim.graph.value_info.extend(model.graph.value_info)
    given = {text(item.name) for item in model.graph.input}
    for tensor in model.graph.initializer:
        if tensor.data_location == 0 and tensor.ByteSize() <= LARGEST_KEPT:
            slim.graph.initializer.append(tensor)
        elif text(tensor.name) not in given:
            slim.graph.input.append(_sizes(onnx, tensor, tensor.name))
    for node in model.graph.node:
        if node.ByteSize() <= 2 * LARGEST_KEPT:
            slim.graph.node.append(node)
        elif node.op_type == "Constant" and node.attribute and node.output:
            slim.graph.input.append(_sizes(onnx, node.attribute[0].t, node.output[0]))

    def find() -> Mapping[str, Axes]:
        try:
            graph = onnx.shape_inference.infer_shapes(slim, data_prop=True).graph
        except Exception:  # whatever a damaged graph makes of it; then the file's own words do
            graph = slim.graph
        found = {text(item.name): axes_of(item.type) for item in graph.value_info}
        return {name: axes for name, axes in found.items() if axes is not None}

    return find


def _sizes(onnx: Any, tensor: Any, name: str) -> Any:
    return onnx.helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims))
