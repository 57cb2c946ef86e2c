"""Small ONNX models, and what onnxruntime makes of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from hypothesis import assume, reject
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import thresher
from thresher.ir import Graph

Array = NDArray[Any]


def model(
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str],
    constants: Mapping[str, Array] | None = None,
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
) -> onnx.ModelProto:
    """Build a model of one input `x` (N, *shape), whose batch is open."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(item, name) for name, item in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8 if opset < 22 else 10)


def node(op: str, *inputs: str, output: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], name=f"{op}_{output}", **attributes)


def run(proto: onnx.ModelProto, x: Array) -> Array:
    """Return what onnxruntime computes, without its optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    return np.asarray(found)


def imported(proto: onnx.ModelProto, folder: Path) -> Graph:
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    return thresher.import_onnx(path)


def images(*shape: int, n: int = 3) -> Array:
    return np.random.default_rng(1).normal(size=(n, *shape)).astype(np.float32)


def assert_same(proto: onnx.ModelProto, folder: Path, *shape: int) -> Graph:
    """Compare the imported graph's results with onnxruntime's, and return the graph."""
    x = images(*shape)
    return _assert_gives(proto, folder, x, run(proto, x))


def assert_same_if_run(proto: onnx.ModelProto, folder: Path, *shape: int) -> None:
    """Compare in a property test, whose example is none where onnxruntime refuses the model."""
    x = images(*shape)
    try:
        expected = run(proto, x)
    except Exception:
        reject()
    assume(expected.size)
    _assert_gives(proto, folder, x, expected)


def _assert_gives(proto: onnx.ModelProto, folder: Path, x: Array, expected: Array) -> Graph:
    graph = imported(proto, folder)
    found = thresher.evaluate(graph, x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6 * max(1, np.abs(expected).max()))
    return graph
