"""Import layer after layer from each source and compare results: python -m benchmarks.interop

PyTorch's layers come through torch.export and, a second time, through PyTorch's ONNX exporter;
Keras' from its own files. Weights and inputs are drawn. What is compared is what PyTorch,
onnxruntime and Keras (with PyTorch behind it) compute. A source that is not installed is left out.
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import thresher
from benchmarks.common import describe_versions, installed, markdown, write_csv, write_section
from thresher.errors import ThresherError, UnsupportedError

Array = NDArray[Any]
Shape = tuple[int, ...]
Make = Callable[[], Any]

PAGE = Path(__file__).parents[1] / "docs" / "interop.md"
PACKAGES = ("torch", "onnx", "onnxruntime", "onnxscript", "keras", "h5py", "numpy")
SOURCES = ("PyTorch", "ONNX", "Keras")
OPSET = 20
MOST_OPS = 6
"""That are listed in order; of more, each is named once."""
IMAGE, ROW, FLAT = (4, 8, 9), (4, 9), (6,)


@dataclass(frozen=True)
class Layer:
    """A layer by what each source calls it; None where it has none. Shapes are channels first."""

    name: str
    shape: Shape
    torch: Make | None = None
    keras: Make | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a layer of a source.

    `difference` is the largest of any value, by the largest value, or None where it was refused.
    """

    difference: float | None
    ops: tuple[str, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        if self.difference is None:
            return "refused"
        return "equal" if self.difference == 0 else f"{self.difference:.0e}"


def torch_layers() -> Iterator[Layer]:
    """List the layers, most of them as PyTorch and Keras know them."""
    from torch import nn

    layers = _keras_layers()

    def keras(name: str, *given: Any, **named: Any) -> Make | None:
        return None if layers is None else lambda: getattr(layers, name)(*given, **named)

    def function(call: Callable[[Any], Any]) -> Make:
        class Function(nn.Module):
            def forward(self, x: Any) -> Any:
                return call(x)

        return Function

    yield Layer("convolution", IMAGE, lambda: nn.Conv2d(4, 6, 3), keras("Conv2D", 6, 3))
    yield Layer(
        "convolution, stride 2, padding `same`",
        IMAGE,
        None,
        keras("Conv2D", 6, 3, strides=2, padding="same"),
    )
    yield Layer(
        "convolution, groups, dilation, padding",
        IMAGE,
        lambda: nn.Conv2d(4, 6, (3, 2), padding=(2, 1), dilation=2, groups=2),
        keras("Conv2D", 6, (3, 2), padding="same", dilation_rate=2, groups=2),
    )
    yield Layer(
        "depthwise convolution",
        IMAGE,
        lambda: nn.Conv2d(4, 8, 3, groups=4),
        keras("DepthwiseConv2D", 3, depth_multiplier=2),
    )
    yield Layer("separable convolution", IMAGE, None, keras("SeparableConv2D", 6, 3))
    yield Layer("1-D convolution", ROW, lambda: nn.Conv1d(4, 6, 3), keras("Conv1D", 6, 3))
    yield Layer("3-D convolution", (2, 4, 4, 4), lambda: nn.Conv3d(2, 3, 2), keras("Conv3D", 3, 2))
    yield Layer(
        "transposed convolution",
        IMAGE,
        lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2),
        keras("Conv2DTranspose", 6, 3, strides=2, padding="same"),
    )
    yield Layer(
        "1-D transposed convolution",
        ROW,
        lambda: nn.ConvTranspose1d(4, 6, 3, 2),
        keras("Conv1DTranspose", 6, 3, strides=2),
    )
    yield Layer("linear", FLAT, lambda: nn.Linear(6, 5), keras("Dense", 5))
    yield Layer("linear over the last axis", ROW, lambda: nn.Linear(9, 5), keras("Dense", 5))
    yield Layer("batch norm", IMAGE, lambda: nn.BatchNorm2d(4), keras("BatchNormalization"))
    yield Layer("layer norm", IMAGE, lambda: nn.LayerNorm(9), keras("LayerNormalization"))
    yield Layer("group norm", IMAGE, lambda: nn.GroupNorm(2, 4), keras("GroupNormalization", 2))
    yield Layer("ReLU", IMAGE, nn.ReLU, keras("ReLU"))
    yield Layer("ReLU6", IMAGE, nn.ReLU6, keras("ReLU", 6.0))
    yield Layer("clip to [0, c]", IMAGE, lambda: nn.Hardtanh(0, 1.5), keras("ReLU", 1.5))
    yield Layer("clip to [-1, 1]", IMAGE, nn.Hardtanh)
    yield Layer(
        "leaky ReLU", IMAGE, lambda: nn.LeakyReLU(0.1), keras("LeakyReLU", negative_slope=0.1)
    )
    yield Layer("PReLU, one slope", IMAGE, nn.PReLU)
    yield Layer("sigmoid", FLAT, nn.Sigmoid, keras("Activation", "sigmoid"))
    yield Layer("tanh", FLAT, nn.Tanh, keras("Activation", "tanh"))
    yield Layer("GELU", FLAT, nn.GELU, keras("Activation", "gelu"))
    yield Layer("SiLU", FLAT, nn.SiLU, keras("Activation", "silu"))
    yield Layer("attention", ROW, _attention, _keras_attention(layers))
    yield Layer(
        "normalisation by statistics", IMAGE, None,
        keras("Normalization", mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 4.0, 9.0, 0.5]),
    )  # fmt: skip
    yield Layer("model as a layer", IMAGE, None, _keras_model(layers))
    yield Layer("softmax of (N, C)", FLAT, lambda: nn.Softmax(1), keras("Softmax"))
    yield Layer("average pool", IMAGE, lambda: nn.AvgPool2d(2), keras("AveragePooling2D", 2))
    yield Layer(
        "average pool, padding, ceil_mode",
        IMAGE,
        lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    )
    yield Layer("max pool", IMAGE, lambda: nn.MaxPool2d(2), keras("MaxPooling2D"))
    yield Layer(
        "max pool, padding, ceil_mode",
        IMAGE,
        lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        keras("MaxPooling2D", 3, strides=2, padding="same"),
    )
    yield Layer("1-D max pool", ROW, lambda: nn.MaxPool1d(2), keras("MaxPooling1D"))
    yield Layer("1-D average pool", ROW, lambda: nn.AvgPool1d(3, 2), keras("AveragePooling1D", 3))
    yield Layer(
        "global average pool",
        IMAGE,
        lambda: nn.AdaptiveAvgPool2d(1),
        keras("GlobalAveragePooling2D"),
    )
    yield Layer(
        "global max pool", IMAGE, lambda: nn.AdaptiveMaxPool2d(1), keras("GlobalMaxPooling2D")
    )
    yield Layer("adaptive pool, size divides", IMAGE, lambda: nn.AdaptiveAvgPool2d((4, 3)))
    yield Layer("adaptive pool, size does not", IMAGE, lambda: nn.AdaptiveAvgPool2d((3, 3)))
    yield Layer("flatten", IMAGE, nn.Flatten)
    yield Layer(
        "flatten and linear",
        IMAGE,
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(288, 5)),
        None if layers is None else lambda: (layers.Flatten(), layers.Dense(5)),
    )
    yield Layer("view of the features", FLAT, function(lambda x: x.view(-1, 2, 3)))
    yield Layer("reshape of a row of channels", FLAT, None, keras("Reshape", (1, 1, 6)))
    yield Layer(
        "axes exchanged", ROW, function(lambda x: x.transpose(1, 2)), keras("Permute", (2, 1))
    )
    yield Layer("x + x", IMAGE, function(lambda x: x + x))
    yield Layer("x + constant, x * constant", IMAGE, function(lambda x: 2 * x + 1),
                keras("Rescaling", 2.0, 1.0))  # fmt: skip
    yield Layer("x * x", IMAGE, function(lambda x: x * x))
    yield Layer("concatenation of slices", IMAGE, function(_rejoined))
    yield Layer("zero padding", IMAGE, lambda: nn.ZeroPad2d((1, 0, 2, 1)),
                keras("ZeroPadding2D", ((2, 1), (1, 0))))  # fmt: skip
    yield Layer("reflected padding", IMAGE, lambda: nn.ReflectionPad2d(1))
    yield Layer("cropping", IMAGE, lambda: nn.ZeroPad2d(-1), keras("Cropping2D", 1))
    yield Layer("upsampling, nearest", IMAGE, lambda: nn.Upsample(scale_factor=2),
                keras("UpSampling2D", 2))  # fmt: skip
    yield Layer("upsampling, bilinear", IMAGE, lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
                keras("UpSampling2D", 2, interpolation="bilinear"))  # fmt: skip
    yield Layer("dropout", IMAGE, nn.Dropout, keras("Dropout", 0.5))
    yield Layer("identity", IMAGE, nn.Identity, keras("Identity"))


def measure(layer: Layer, source: str) -> Outcome | None:
    """Import a layer from a source and compare; None where it has no such layer."""
    make = layer.keras if source == "Keras" else layer.torch
    if make is None:
        return None
    run = {"PyTorch": _of_torch, "ONNX": _of_onnx, "Keras": _of_keras}[source]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph, x, expected = run(make(), layer.shape, Path(folder))
        except UnsupportedError as error:
            return Outcome(None, why="; ".join(item.why for item in error.refusals))
    found = thresher.evaluate(graph, x)
    if found.shape != expected.shape:
        raise SystemExit(f"{layer.name} of {source}: {found.shape} instead of {expected.shape}")
    largest = float(np.abs(expected).max()) or 1.0
    ops = tuple(node.op.kind for node in graph.nodes)
    return Outcome(float(np.abs(found - expected).max()) / largest, ops)


def rows(layers: Sequence[Layer]) -> tuple[list[list[str]], list[str]]:
    """Return the table's rows, and the reasons of what was refused, each once."""
    table, reasons = [], []
    for layer in layers:
        outcomes = [measure(layer, source) if _present(source) else None for source in SOURCES]
        ops = next((o.ops for o in outcomes if o is not None and o.ops), ())
        cells = ["-" if outcome is None else str(outcome) for outcome in outcomes]
        shown = ops if len(ops) <= MOST_OPS else tuple(dict.fromkeys(ops))
        table.append([layer.name, *cells, ", ".join(shown) or "-"])
        why = dict.fromkeys(o.why for o in outcomes if o is not None and o.why)
        reasons += [f"{layer.name}: {reason}" for reason in why]
    return table, reasons


def networks() -> Iterator[list[str]]:
    """Yield whole networks that others made: those of the package Keras, and ONNX's test models."""
    if _present("Keras"):
        yield from _applications()
    if _present("ONNX"):
        yield from _test_models()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--quick", action="store_true", help="a few layers, no whole networks")
    parser.add_argument("--write", action="store_true", help="write docs/interop.md and the CSV")
    given = parser.parse_args()
    if not installed("torch"):
        raise SystemExit("the layers are PyTorch's; expected the package torch to be installed")
    layers = list(torch_layers())
    table, reasons = rows(layers[:6] if given.quick else layers)
    header = ["layer", *SOURCES, "ops in the graph"]
    parts = [
        f"With {describe_versions(PACKAGES)}; opset {OPSET}:",
        markdown(header, table),
        "Why layers were refused:\n\n" + "\n".join(f"- {reason}" for reason in reasons),
    ]
    if not given.quick:
        names = ["network", "source", "nodes", "result"]
        parts.append(markdown(names, networks()))
    text = "\n\n".join(parts)
    print(text)
    if given.write:
        write_section("imports", text, PAGE)
        write_csv("interop", header, table)


def _present(source: str) -> bool:
    needed = {
        "PyTorch": ("torch",),
        "ONNX": ("torch", "onnx", "onnxruntime", "onnxscript"),
        "Keras": ("torch", "keras", "h5py"),
    }
    return all(installed(package) for package in needed[source])


def _keras_layers() -> Any:
    if not _present("Keras"):
        return None
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    return keras.layers


def _attention() -> Any:
    """Return an attention of rows (N, 4, 9) to themselves."""
    from torch import nn

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(9, 3, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.attention(x, x, x, need_weights=False)[0]

    return Attention()


def _keras_attention(layers: Any) -> Make | None:
    """Return what makes an attention of rows to themselves, as a model."""
    if layers is None:
        return None
    import keras

    def make() -> Any:
        x = keras.Input((ROW[1], ROW[0]))
        return keras.Model(x, layers.MultiHeadAttention(3, 5)(x, x))

    return make


def _keras_model(layers: Any) -> Make | None:
    """Return what makes a model that is to be a layer."""
    if layers is None:
        return None
    import keras

    return lambda: keras.Sequential([layers.Conv2D(6, 3), layers.BatchNormalization()])


def _rejoined(x: Any) -> Any:
    import torch

    return torch.cat([x[:, 2:], x[:, :1]], 1)


def _drawn(shape: Shape) -> Array:
    return np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)


def _of_torch(module: Any, shape: Shape, folder: Path) -> tuple[thresher.Graph, Array, Array]:
    import torch

    x = _drawn(shape)
    expected = _evaluated(module)(torch.from_numpy(x)).numpy()
    return thresher.import_torch(module, x[:1]), x, expected


def _of_onnx(module: Any, shape: Shape, folder: Path) -> tuple[thresher.Graph, Array, Array]:
    import onnxruntime
    import torch

    x, path = _drawn(shape), folder / "layer.onnx"
    torch.onnx.export(
        _evaluated(module), (torch.from_numpy(x),), path, opset_version=OPSET, dynamo=True,
        verbose=False, external_data=False, dynamic_shapes=({0: torch.export.Dim("n")},),
    )  # fmt: skip
    session = onnxruntime.InferenceSession(path)
    (expected,) = session.run(None, {session.get_inputs()[0].name: x})
    return thresher.import_onnx(path), x, expected


def _of_keras(made: Any, shape: Shape, folder: Path) -> tuple[thresher.Graph, Array, Array]:
    import keras

    last = (*shape[1:], shape[0])
    stack = made if isinstance(made, tuple) else (made,)
    return _of_keras_model(keras.Sequential([keras.Input(last), *stack]), folder)


def _of_keras_model(model: Any, folder: Path) -> tuple[thresher.Graph, Array, Array]:
    rng = np.random.default_rng(0)
    model.set_weights([
        w + 0.02 * rng.normal(size=w.shape) if w.ndim > 1 else rng.uniform(0.5, 1.5, w.shape)
        for w in model.get_weights()
    ])  # fmt: skip
    path = folder / "model.keras"
    model.save(path)
    x = _drawn(model.input_shape[1:])
    expected = np.asarray(model(x, training=False).detach())
    first = np.moveaxis(expected, -1, 1) if expected.ndim > 2 else expected
    return thresher.import_keras(path), np.moveaxis(x, -1, 1) if x.ndim > 2 else x, first


def _evaluated(module: Any) -> Any:
    import torch

    torch.manual_seed(0)
    for name, buffer in module.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            torch.nn.init.uniform_(buffer, 0.5, 2.0)
    return module.eval().requires_grad_(False)


def _applications() -> Iterator[list[str]]:
    """Yield Keras' own networks, without the softmax at their output."""
    _keras_layers()
    import keras

    chosen: list[tuple[str, int, dict[str, Any]]] = [
        ("MobileNet", 32, {}), ("MobileNetV2", 32, {}), ("VGG16", 32, {}), ("ResNet50", 32, {}),
        ("ResNet50V2", 32, {}), ("DenseNet121", 32, {}), ("Xception", 71, {}),
        ("InceptionV3", 75, {}), ("EfficientNetB0", 32, {}),
    ]  # fmt: skip
    for name, size, settings in chosen:
        model = getattr(keras.applications, name)(
            weights=None, input_shape=(size, size, 3), classes=10, classifier_activation=None,
            **settings,
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            yield _network(name, "Keras", lambda m=model, f=folder: _of_keras_model(m, Path(f)))


def _test_models() -> Iterator[list[str]]:
    """Yield the networks that ONNX's package carries for its tests, at opset 13."""
    import onnx
    from onnx import version_converter

    for path in sorted((Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx")):
        name = path.stem.removeprefix("light_")
        if name == "vgg19":
            continue  # its constants fill several GB
        proto = version_converter.convert_version(onnx.load(path), 13)
        with tempfile.TemporaryDirectory() as folder:
            yield _network(name, "ONNX", lambda p=proto, f=folder: _of_model(p, Path(f)))


def _of_model(proto: Any, folder: Path) -> tuple[thresher.Graph, Array, Array]:
    import onnxruntime

    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    session = onnxruntime.InferenceSession(path)
    given = session.get_inputs()[0]
    x = np.random.default_rng(1).normal(size=given.shape).astype(np.float32)
    return thresher.import_onnx(path), x, session.run(None, {given.name: x})[0]


def _network(
    name: str, source: str, run: Callable[[], tuple[thresher.Graph, Array, Array]]
) -> list[str]:
    try:
        graph, x, expected = run()
        found = thresher.evaluate(graph, x)
    except UnsupportedError as error:
        kinds = dict.fromkeys(item.operation for item in error.refusals)
        return [name, source, "-", f"refused: {len(error.refusals)} of {', '.join(kinds)}"]
    except ThresherError as error:
        return [name, source, "-", f"refused: {error}"]
    largest = float(np.abs(expected).max()) or 1.0
    outcome = Outcome(float(np.abs(found - expected).max()) / largest)
    return [name, source, str(len(graph.nodes)), str(outcome)]


if __name__ == "__main__":
    main()
