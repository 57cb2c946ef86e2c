"""ONNX files as graphs: results equal to onnxruntime's, over the operators' settings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thresher
from thresher.errors import SpecError, UnsupportedError
from thresher.ir import ops

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from onnx import TensorProto, helper, numpy_helper
from onnx_models import assert_same, assert_same_if_run, images, imported, model, node, run

Draw = st.DrawFn
few = settings(max_examples=60)
sizes = st.integers(3, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


def weights(name: str, *shape: int) -> dict[str, Any]:
    return {name: np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)}


@st.composite
def geometries(draw: Draw, axes: int) -> dict[str, Any]:
    """Draw kernel, strides and padding, explicit (asymmetric) or by auto_pad."""
    geometry: dict[str, Any] = {
        "kernel_shape": draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes)),
        "strides": draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes)),
        "auto_pad": draw(
            st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
        ),
    }
    if geometry["auto_pad"] == "NOTSET":
        pads = st.lists(st.integers(0, 2), min_size=2 * axes, max_size=2 * axes)
        geometry["pads"] = draw(pads)
    return geometry


@few
@given(st.data(), st.integers(1, 2))
def test_convolutions_equal_onnxruntimes(folder: Path, data: st.DataObject, axes: int) -> None:
    geometry, shape = data.draw(geometries(axes)), [data.draw(sizes) for _ in range(axes)]
    dilations = [data.draw(st.integers(1, 2)) for _ in range(axes)]
    constants = weights("w", 4, 2, *geometry["kernel_shape"]) | weights("b", 4)
    layer = node("Conv", "x", "w", "b", group=2, dilations=dilations, **geometry)
    assert_same_if_run(model([layer], [4, *shape], constants), folder, 4, *shape)


@few
@given(st.data(), st.integers(1, 2))
def test_transposed_convolutions_equal_onnxruntimes(
    folder: Path, data: st.DataObject, axes: int
) -> None:
    geometry, shape = data.draw(geometries(axes)), [data.draw(sizes) for _ in range(axes)]
    if geometry["auto_pad"].startswith("SAME"):  # each stride is reached by a kernel
        geometry["strides"] = list(map(min, geometry["strides"], geometry["kernel_shape"]))
    extra = [data.draw(st.integers(0, step - 1)) for step in geometry["strides"]]
    constants = weights("w", 4, 3, *geometry["kernel_shape"]) | weights("b", 6)
    layer = node("ConvTranspose", "x", "w", "b", group=2, output_padding=extra, **geometry)
    assert_same_if_run(model([layer], [4, *shape], constants), folder, 4, *shape)


@few
@given(
    st.data(),
    st.integers(1, 2),
    st.sampled_from(["MaxPool", "AveragePool"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([11, 19, 22]),
)
def test_pools_equal_onnxruntimes(
    folder: Path, data: st.DataObject, axes: int, op: str, ceil: bool, counted: bool, opset: int
) -> None:
    geometry, shape = data.draw(geometries(axes)), [data.draw(sizes) for _ in range(axes)]
    if geometry["auto_pad"].startswith("SAME"):
        geometry["strides"] = list(map(min, geometry["strides"], geometry["kernel_shape"]))
    own = {"count_include_pad": int(counted)} if op == "AveragePool" else {}
    layer = node(op, "x", ceil_mode=int(ceil), **own, **geometry)
    assert_same_if_run(model([layer], [2, *shape], opset=opset), folder, 2, *shape)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize("bias", [None, (4,), (1, 4), (1,)])
def test_gemm_equals_onnxruntimes(
    tmp_path: Path, transposed: int, alpha: float, bias: tuple[int, ...] | None
) -> None:
    constants = weights("w", 4, 5) if transposed else weights("w", 5, 4)
    names = ["x", "w"] if bias is None else ["x", "w", "b"]
    constants |= {} if bias is None else {"b": np.full(bias, 0.75, np.float32)}
    layer = node("Gemm", *names, alpha=alpha, beta=2.0, transB=transposed)
    assert_same(model([layer], [5], constants), tmp_path, 5)


def test_a_product_and_a_sum_after_it_are_one_layer_with_bias(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x", "w", output="h"), node("Add", "b", "h")]
    graph = assert_same(model(nodes, [5], weights("w", 5, 4) | weights("b", 4)), tmp_path, 5)
    assert [item.op.kind for item in graph.nodes] == ["linear"]


ELEMENTWISE = [
    ("Relu", [], {}, (2, 3, 4)),
    ("LeakyRelu", [], {"alpha": 0.25}, (2, 3, 4)),
    ("PRelu", [np.full((1, 1, 1), 0.5, np.float32)], {}, (2, 3, 4)),
    ("Clip", [np.float32(0), np.float32(0.5)], {}, (2, 3, 4)),
    ("Add", [np.float32(0.5)], {}, (2, 3, 4)),
    ("Add", [np.arange(4, dtype=np.float32)], {}, (2, 3, 4)),
    ("Sub", [np.arange(2, dtype=np.float32).reshape(2, 1, 1)], {}, (2, 3, 4)),
    ("Mul", [np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)], {}, (2, 3, 4)),
    ("Div", [np.arange(1, 3, dtype=np.float32).reshape(1, 2, 1, 1)], {}, (2, 3, 4)),
    ("Softmax", [], {"axis": 1}, (5,)),
    ("Softmax", [], {"axis": -1}, (5,)),
    ("Identity", [], {}, (2, 3)),
    ("Neg", [], {}, (2, 3)),
    ("Dropout", [], {}, (2, 3)),
    ("GlobalAveragePool", [], {}, (2, 3, 4)),
    ("GlobalAveragePool", [], {}, (2, 4)),
    ("GlobalMaxPool", [], {}, (2, 3, 4)),
    ("ReduceMean", [], {"axes": [2, 3], "keepdims": 0}, (2, 3, 4)),
    ("ReduceMean", [], {"axes": [-1, -2]}, (2, 3, 4)),
    ("Flatten", [], {"axis": 1}, (2, 3, 4)),
    ("Flatten", [], {"axis": -3}, (2, 3, 4)),
    ("Squeeze", [np.array([2])], {}, (2, 1, 4)),
    ("Unsqueeze", [np.array([1, -1])], {}, (2, 4)),
    ("Transpose", [], {"perm": [0, 2, 3, 1]}, (2, 1, 1)),
    ("Reshape", [np.array([0, -1])], {}, (2, 3, 4)),
    ("Reshape", [np.array([-1, 6, 4])], {}, (2, 3, 4)),
    ("Pad", [np.array([0, 1, 0, 2, 0, 0, 3, 1])], {}, (2, 3, 4)),
    ("Pad", [np.array([0, 0, -1, 1, 0, 0, 0, -2])], {}, (2, 3, 4)),
    ("Slice", [np.array([1, 0]), np.array([9, -1]), np.array([2, 3]), np.array([2, 1])], {},
     (2, 5, 4)),
    ("Slice", [np.array([0, 1]), np.array([2**40, 2])], {}, (3, 5, 4)),
]  # fmt: skip


OF_OPERATORS = [
    ("Sigmoid", [], {}, (2, 3)),
    ("Tanh", [], {}, (2, 3)),
    ("Gelu", [], {}, (2, 3)),
    ("Gelu", [], {"approximate": "tanh"}, (2, 3)),
    ("HardSigmoid", [], {}, (2, 3)),
    ("HardSwish", [], {}, (2, 3)),
    ("Elu", [], {"alpha": 0.5}, (2, 3)),
    ("Selu", [], {}, (2, 3)),
    ("Celu", [], {"alpha": 0.5}, (2, 3)),
    ("Pow", [np.float32(2)], {}, (2, 3)),
    ("Softmax", [], {"axis": -2}, (2, 3, 4)),
    ("LayerNormalization", [np.full(4, 1.5, np.float32)], {"epsilon": 0.1}, (2, 3, 4)),
    ("LayerNormalization", [np.full((3, 4), 2, np.float32), np.ones((3, 4), np.float32)],
     {"axis": 2}, (2, 3, 4)),
    ("GroupNormalization", [np.full(2, 1.5, np.float32), np.ones(2, np.float32)],
     {"num_groups": 2}, (4, 3)),
    ("InstanceNormalization", [np.arange(1, 3, dtype=np.float32), np.ones(2, np.float32)], {},
     (2, 3, 4)),
    ("MatMul", [np.arange(8, dtype=np.float32).reshape(4, 2)], {}, (2, 3, 4)),
    ("ReduceMean", [np.array([1, 3])], {"keepdims": 0}, (2, 3, 4)),
    ("Transpose", [], {"perm": [0, 3, 1, 2]}, (2, 3, 4)),
    ("Gather", [np.array(1)], {"axis": 2}, (2, 3, 4)),
]  # fmt: skip


@pytest.mark.parametrize(("op", "constants", "attributes", "shape"), OF_OPERATORS)
def test_an_operator_of_transformers_equals_onnxruntimes(
    tmp_path: Path, op: str, constants: list[Any], attributes: dict[str, Any], shape: list[int]
) -> None:
    names = [f"c{place}" for place in range(len(constants))]
    given = dict(zip(names, map(np.asarray, constants), strict=True))
    layer = node(op, "x", *names, **attributes)
    assert_same(model([layer], list(shape), given, opset=20), tmp_path, *shape)


def test_an_old_softmax_is_over_all_axes_from_one_on(tmp_path: Path) -> None:
    layer = node("Softmax", "x", axis=2)
    graph = assert_same(model([layer], [2, 3, 4], opset=12), tmp_path, 2, 3, 4)
    assert [item.op.kind for item in graph.nodes] == ["reshape", "softmax", "reshape"]


def test_a_value_times_a_sigmoid_of_itself_is_one_node(tmp_path: Path) -> None:
    silu = [node("Sigmoid", "x", output="s"), node("Mul", "s", "x", output="h")]
    hard = [node("HardSigmoid", "h", output="g", alpha=1 / 6), node("Mul", "h", "g")]
    graph = assert_same(model([*silu, *hard], [5], opset=20), tmp_path, 5)
    assert [item.op.kind for item in graph.nodes] == ["silu", "hard_swish"]


@pytest.mark.parametrize(("op", "constants", "attributes", "shape"), ELEMENTWISE)
def test_an_operator_equals_onnxruntimes(
    tmp_path: Path, op: str, constants: list[Any], attributes: dict[str, Any], shape: list[int]
) -> None:
    names = [f"c{place}" for place in range(len(constants))]
    given = dict(zip(names, map(np.asarray, constants), strict=True))
    layer = node(op, "x", *names, **attributes)
    assert_same(model([layer], list(shape), given, opset=13 if op != "ReduceMean" else 11),
                tmp_path, *shape)  # fmt: skip


def test_sums_joins_and_splits_equal_onnxruntimes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Split", ["x"], ["a", "b", "c"], name="split", axis=1),
        node("Concat", "c", "a", output="ca", axis=1),
        node("Concat", "b", "b", output="bb", axis=-3),
        node("Sub", "ca", "bb", output="d"),
        node("Sum", "d", "ca", "bb"),
    ]
    assert_same(model(nodes, [6, 3, 2], opset=11), tmp_path, 6, 3, 2)


@pytest.mark.parametrize("coordinates", ["asymmetric", "half_pixel", "pytorch_half_pixel"])
@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_a_resize_equals_onnxruntimes_or_is_refused(
    tmp_path: Path, coordinates: str, rounding: str, scale: int
) -> None:
    layer = node("Resize", "x", "", "s", coordinate_transformation_mode=coordinates,
                 nearest_mode=rounding)  # fmt: skip
    proto = model([layer], [2, 3, 4], {"s": np.array([1, 1, scale, 2], np.float32)})
    try:
        assert_same(proto, tmp_path, 2, 3, 4)
    except UnsupportedError as error:
        x = images(2, 3, 4)
        repeated = x.repeat(scale, axis=2).repeat(2, axis=3)
        assert "no repetition" in str(error) and not np.array_equal(run(proto, x), repeated)


def test_batch_norm_and_shape_arithmetic_equal_onnxruntimes(tmp_path: Path) -> None:
    """x.view(x.size(0), -1), as exporters write it."""
    bn = {k: np.random.default_rng(i).uniform(0.5, 2, 3).astype(np.float32)
          for i, k in enumerate("sbmv")}  # fmt: skip
    nodes = [
        node("BatchNormalization", "x", "s", "b", "m", "v", output="n", epsilon=1e-3),
        node("Shape", "n", output="shape"),
        node("Constant", output="zero", value=numpy_helper.from_array(np.array(0))),
        node("Gather", "shape", "zero", output="batch", axis=0),
        node("Unsqueeze", "batch", "axes", output="first"),
        node("Concat", "first", "rest", output="target", axis=0),
        node("Reshape", "n", "target"),
    ]
    constants = bn | {"axes": np.array([0]), "rest": np.array([-1])}
    graph = assert_same(model(nodes, [3, 4, 2], constants), tmp_path, 3, 4, 2)
    assert [item.op.kind for item in graph.nodes] == ["batch_norm", "flatten"]


@pytest.mark.parametrize(("dtype", "zero"), [("uint8", 0), ("int8", -128), ("int8", 3)])
def test_fake_quantisation_equals_onnxruntimes(tmp_path: Path, dtype: str, zero: int) -> None:
    constants = {"s": np.float32(0.0625), "z": np.array(zero, dtype)}
    nodes = [node("QuantizeLinear", "x", "s", "z", output="q"),
             node("DequantizeLinear", "q", "s", "z")]  # fmt: skip
    graph = assert_same(model(nodes, [3, 4, 2], constants), tmp_path, 3, 4, 2)
    assert any(isinstance(item.op, ops.Qcfs) for item in graph.nodes)


def test_quantised_weights_are_folded(tmp_path: Path) -> None:
    constants = {
        "q": np.arange(-12, 12, dtype=np.int8).reshape(4, 6),
        "s": np.array([0.5, 0.25, 1, 2], np.float32),
        "z": np.array([0, 1, -1, 0], np.int8),
    }
    nodes = [node("DequantizeLinear", "q", "s", "z", output="w", axis=0),
             node("Gemm", "x", "w", transB=1)]  # fmt: skip
    assert_same(model(nodes, [6], constants), tmp_path, 6)


def test_initialisers_among_the_inputs_and_a_fixed_batch_are_understood(tmp_path: Path) -> None:
    proto = model([node("Gemm", "x", "w", transB=1)], [5], weights("w", 4, 5))
    proto.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 5]))
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    assert_same(proto, tmp_path, 5)


def test_all_unsupported_operators_are_listed(tmp_path: Path) -> None:
    nodes = [
        node("Sin", "x", output="a"),
        node("Relu", "a", output="b"),
        node("Max", "b", "x", output="c"),
        node("Reshape", "c", "s", output="d"),
        node("Gemm", "d", "w", output="e"),
        node("Clip", "e", "low", output="f"),
        node("Cos", "f"),
    ]
    constants = {"s": np.array([-1, 8]), "low": np.float32(-1), "w": np.ones((8, 600), np.float32)}
    with pytest.raises(UnsupportedError) as caught:
        imported(model(nodes, [2, 4], constants), tmp_path)
    assert [item.operation for item in caught.value.refusals] == ["Sin", "Max", "Clip", "Cos"]


def test_what_reads_a_value_of_no_known_shape_is_not_judged(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Odd", ["x"], ["a"], name="odd", domain="elsewhere"),
        node("Softmax", "a", output="b", axis=7),
        node("Cos", "b"),
    ]
    proto = model(nodes, [2, 4])
    with pytest.raises(UnsupportedError) as caught:
        imported(proto, tmp_path)
    assert [item.operation for item in caught.value.refusals] == ["Odd", "Cos"]
    # the file's own word is taken
    proto.graph.value_info.append(
        helper.make_tensor_value_info("a", TensorProto.FLOAT, ["N", 2, 4])
    )
    with pytest.raises(UnsupportedError) as caught:
        imported(proto, tmp_path)
    assert [item.operation for item in caught.value.refusals] == ["Odd", "Softmax", "Cos"]


def test_the_batch_axis_is_not_folded_into_features(tmp_path: Path) -> None:
    proto = model([node("Reshape", "x", "s")], [4], {"s": np.array([1, -1])})
    with pytest.raises(UnsupportedError, match="keep the batch axis in front"):
        imported(proto, tmp_path)


def test_an_open_axis_needs_the_shape(tmp_path: Path) -> None:
    proto = model([node("Relu", "x")], [3, "height", "width"])
    with pytest.raises(SpecError, match=r"'x' leaves height, width open .*--shape"):
        imported(proto, tmp_path)
    graph = thresher.import_onnx(tmp_path / "net.onnx", (3, 5, 6))
    assert graph.inputs[0].shape == (3, 5, 6)
    with pytest.raises(SpecError, match=r"--shape is \[4, 5, 6\]"):
        thresher.import_onnx(tmp_path / "net.onnx", (4, 5, 6))


@pytest.mark.parametrize("opset", [10, 29])
def test_an_operator_set_that_is_not_read_is_named(tmp_path: Path, opset: int) -> None:
    with pytest.raises(SpecError, match=f"operator set {opset}; expected 11 to 28"):
        imported(model([node("Relu", "x")], [3], opset=opset), tmp_path)


def gelu_by_erf(order: str) -> list[Any]:
    """Write x / 2 (1 + erf(x / sqrt(2))) in one of the orders that exporters use."""
    inner = [node("Div", "x", "root", output="d"), node("Erf", "d", output="e")]
    if order == "mul":
        inner[0] = node("Mul", "root_inverse", "x", output="d")
    inner.append(node("Add", "one", "e", output="s"))
    return (
        inner
        + {
            "after": [node("Mul", "x", "s", output="m"), node("Mul", "m", "half")],
            "mul": [node("Mul", "half", "s", output="m"), node("Mul", "x", "m")],
            "before": [node("Mul", "x", "half", output="h"), node("Mul", "h", "s")],
            "halved": [node("Div", "x", "two", output="h"), node("Mul", "s", "h")],
        }[order]
    )


NUMBERS = {"root": 2**0.5, "root_inverse": 2**-0.5, "one": 1, "half": 0.5, "two": 2}
SCALARS = {name: np.float32(value) for name, value in NUMBERS.items()}


@pytest.mark.parametrize("order", ["after", "mul", "before", "halved"])
def test_gelu_in_steps_is_one_node(tmp_path: Path, order: str) -> None:
    graph = assert_same(model(gelu_by_erf(order), [2, 3], SCALARS), tmp_path, 2, 3)
    assert [item.op.kind for item in graph.nodes] == ["gelu"]


@pytest.mark.parametrize("wrong", ["root", "one", "half"])
def test_other_sums_of_an_erf_are_refused(tmp_path: Path, wrong: str) -> None:
    constants = SCALARS | {wrong: np.float32(0.75)}
    with pytest.raises(UnsupportedError, match=r"\(Erf\): no op of a graph computes it"):
        imported(model(gelu_by_erf("after"), [2, 3], constants), tmp_path)


def test_steps_of_a_gelu_that_are_read_elsewhere_stay(tmp_path: Path) -> None:
    nodes = [*gelu_by_erf("halved")[:-1], node("Mul", "s", "h", output="g"), node("Add", "g", "h")]
    graph = assert_same(model(nodes, [2, 3], SCALARS), tmp_path, 2, 3)
    assert sorted(item.op.kind for item in graph.nodes) == ["add", "gelu", "scale"]


def layer_norm_in_steps(axes: list[int], square: str, affine: int) -> list[Any]:
    """Write a layer norm as exporters do below opset 17, with `affine` of weight and bias."""
    power = (
        node("Pow", "c", "two", output="q")
        if square == "Pow"
        else node("Mul", "c", "c", output="q")
    )
    last = ["n", "w", "y"]
    names = [*last[:affine], "y"]
    steps = [
        node("ReduceMean", "x", output="m", axes=axes), node("Sub", "x", "m", output="c"), power,
        node("ReduceMean", "q", output="v", axes=axes), node("Add", "v", "eps", output="p"),
        node("Sqrt", "p", output="r"), node("Div", "c", "r", output=names[0]),
    ]  # fmt: skip
    if affine > 0:
        steps.append(node("Mul", "n", "weight", output=names[1]))
    return steps + ([node("Add", "w", "bias")] if affine > 1 else [])


@pytest.mark.parametrize("affine", [0, 1, 2])
@pytest.mark.parametrize(("axes", "square"), [([-1], "Pow"), ([2, 3], "Mul"), ([-2, -1], "Pow")])
def test_a_layer_norm_in_steps_is_one_node(
    tmp_path: Path, axes: list[int], square: str, affine: int
) -> None:
    constants = SCALARS | {"eps": np.float32(0.1)}
    constants |= weights("weight", *[3, 4][-len(axes) :]) | weights("bias", 4)
    nodes = layer_norm_in_steps(axes, square, affine)
    graph = assert_same(model(nodes, [2, 3, 4], constants, opset=14), tmp_path, 2, 3, 4)
    assert [item.op.kind for item in graph.nodes] == ["layer_norm"]


def test_a_norm_in_steps_over_other_axes_is_refused(tmp_path: Path) -> None:
    nodes = layer_norm_in_steps([1], "Pow", 0)
    with pytest.raises(UnsupportedError, match="Sqrt"):
        constants = SCALARS | {"eps": np.float32(0.1)}
        imported(model(nodes, [2, 3, 4], constants, opset=14), tmp_path)


def test_pads_of_a_wrong_length_are_named(tmp_path: Path) -> None:
    cases = [
        (node("Conv", "x", "w", pads=[1, 1]), {}, r"'pads' is \[1, 1\]; expected 4 numbers for 2"),
        (
            node("MaxPool", "x", kernel_shape=[2, 2], strides=[2]),
            {},
            r"'strides' is \[2\]; expected 2",
        ),
        (node("Pad", "x", "p"), {"p": np.array([0, 1, 1])}, r"'pads' is \[0, 1, 1\]; expected 8"),
    ]
    for layer, constants, message in cases:
        with pytest.raises(UnsupportedError, match=message):
            imported(model([layer], [2, 5, 5], weights("w", 3, 2, 3, 3) | constants), tmp_path)


@pytest.mark.parametrize("opset", [14, 17, 20])
def test_a_transformer_of_pytorchs_own_exports_equals_pytorch(tmp_path: Path, opset: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn
    torch.manual_seed(0)

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.randn(1, 1, 8))
            self.blocks = nn.TransformerEncoderLayer(
                8, 2, 12, activation="gelu", batch_first=True, norm_first=True
            )
            self.head = nn.Linear(8, 3)

        def forward(self, x: Any) -> Any:
            y = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
            return self.head(self.blocks(y)[:, 0])

    module, path, x = Tokens().eval(), tmp_path / "net.onnx", torch.randn(3, 5, 8)
    modern = opset >= 18
    if modern:
        pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    axes = {"dynamic_shapes": ({0: torch.export.Dim("n")},)} if modern else {}
    old = {} if modern else {"dynamic_axes": {"input": {0: "n"}}, "input_names": ["input"]}
    torch.onnx.export(module, (x,), path, opset_version=opset, dynamo=modern, verbose=False,
                      external_data=False, **axes, **old)  # fmt: skip
    with torch.no_grad():
        expected = module(x).numpy()
    graph = thresher.import_onnx(path)
    np.testing.assert_allclose(thresher.evaluate(graph, x.numpy()), expected, rtol=0, atol=2e-6)
    kinds = [item.op.kind for item in graph.nodes]
    found = [kinds.count(kind) for kind in ("softmax", "matmul", "layer_norm", "gelu")]
    assert found == [1, 2, 2, 1]


@pytest.mark.parametrize("opset", [11, 13, 17, 20, 24, 26])
def test_pytorchs_own_exports_equal_pytorch(tmp_path: Path, opset: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, padding_mode="zeros"), nn.BatchNorm2d(4), nn.ReLU6(),
        nn.AvgPool2d(2), nn.Conv2d(4, 4, 3, groups=2), nn.ReLU(), nn.Upsample(scale_factor=2),
        nn.MaxPool2d(2, ceil_mode=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(),
        nn.Linear(4, 3), nn.Softmax(1),
    ).eval()  # fmt: skip
    path, x = tmp_path / "net.onnx", torch.randn(3, 2, 9, 9)
    modern = opset >= 18
    if modern:
        pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    axes = {"dynamic_shapes": ({0: torch.export.Dim("n")},)} if modern else {}
    old = {} if modern else {"dynamic_axes": {"input": {0: "n"}}, "input_names": ["input"]}
    torch.onnx.export(module, (x,), path, opset_version=opset, dynamo=modern, verbose=False,
                      external_data=False, **axes, **old)  # fmt: skip
    with torch.no_grad():
        expected = module(x).numpy()
    found = thresher.evaluate(thresher.import_onnx(path), x.numpy())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
