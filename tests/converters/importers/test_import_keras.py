"""Keras models as graphs: results equal to Keras', over layers and both of its file formats."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thresher
from thresher.errors import SpecError, ThresherError, UnsupportedError

h5py = pytest.importorskip("h5py", reason="h5py is not installed")
pytest.importorskip("torch", reason="PyTorch, which Keras computes with, is not installed")
os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="Keras is not installed")
layers = keras.layers

FORMATS = pytest.mark.parametrize("suffix", [".keras", ".h5"])


def weighted(model: Any) -> Any:
    """Draw every weight, those of batch norms too."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1.0, w.shape) - 0.4 * (w.ndim > 1) for w in
                       model.get_weights()])  # fmt: skip
    return model


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)


def assert_same(model: Any, folder: Path, suffix: str = ".keras") -> thresher.Graph:
    """Compare results, where Keras has channels last and the graph has them first."""
    path = folder / f"net{suffix}"
    weighted(model).save(path)
    graph = thresher.import_model(path)
    x = images(*model.input_shape[1:])
    expected = np.asarray(model(x).detach())
    if expected.ndim > 2:
        expected = np.moveaxis(expected, -1, 1)
    found = thresher.evaluate(graph, np.moveaxis(x, -1, 1) if x.ndim > 2 else x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * max(1, np.abs(expected).max()))
    return graph


def cnn() -> Any:
    return keras.Sequential([
        keras.Input((8, 9, 2)), layers.Rescaling(0.5, offset=-0.25),
        layers.Conv2D(4, 3, padding="same", activation="relu", name="conv"),
        layers.BatchNormalization(name="bn"), layers.MaxPooling2D(), layers.Dropout(0.2),
        layers.Conv2D(3, (2, 3), strides=2, use_bias=False), layers.ReLU(max_value=1.0),
        layers.Flatten(), layers.BatchNormalization(), layers.Dense(5, activation="relu6"),
        layers.Dense(4, activation="softmax", name="out"),
    ])  # fmt: skip


@FORMATS
def test_a_sequential_model_gives_keras_results(tmp_path: Path, suffix: str) -> None:
    graph = assert_same(cnn(), tmp_path, suffix)
    assert graph.inputs[0].shape == (2, 8, 9)
    assert {"conv", "conv.relu", "bn", "out", "out.softmax"} <= {node.name for node in graph}


@FORMATS
def test_a_functional_model_with_shortcuts_and_shared_layers_gives_keras_results(
    tmp_path: Path, suffix: str
) -> None:
    x = keras.Input((6, 6, 3))
    shared = layers.Conv2D(4, 3, padding="same")
    first = layers.Activation("relu")(shared(x))
    second = layers.LeakyReLU(negative_slope=0.1)(shared(layers.Identity()(x)))
    total = layers.Subtract()([layers.Add()([first, second]), first])
    both = layers.Concatenate()([total, layers.ZeroPadding2D(((1, 0), (0, 1)))(
        layers.Cropping2D(((0, 1), (1, 0)))(x))])  # fmt: skip
    ends = [layers.Flatten()(both), layers.GlobalAveragePooling2D()(both)]
    ends += [layers.GlobalMaxPooling2D()(total), layers.Flatten()(first)]
    flat = layers.Concatenate()(ends)
    assert_same(keras.Model(x, layers.Dense(3)(flat)), tmp_path, suffix)


LAYERS: list[tuple[Callable[[], Any], tuple[int, ...]]] = [
    *((lambda s=stride, p=padding: layers.Conv2D(3, (3, 2), strides=s, padding=p), (7, 6, 2))
      for stride in (1, 2, 3) for padding in ("valid", "same")),
    (lambda: layers.Conv2D(4, 3, dilation_rate=2, padding="same", groups=2), (7, 6, 2)),
    *((lambda p=padding: layers.Conv1D(3, 3, padding=p, dilation_rate=2), (9, 2))
      for padding in ("valid", "same", "causal")),
    *((lambda k=k, s=s, p=p: layers.Conv2DTranspose(3, k, strides=s, padding=p), (4, 5, 2))
      for k in (1, 2, 3, 4) for s in (1, 2, 3) for p in ("valid", "same")),
    (lambda: layers.Conv1DTranspose(3, 4, strides=2, padding="same"), (5, 2)),
    (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), (5, 6, 3)),
    (lambda: layers.SeparableConv2D(4, 3, depth_multiplier=2), (5, 6, 3)),
    (lambda: layers.SeparableConv1D(4, 3), (6, 3)),
    *((lambda k=k, s=s, p=p: layers.MaxPooling2D(k, strides=s, padding=p), (7, 8, 2))
      for k, s in ((2, None), (3, 2), (3, 1), ((2, 3), (1, 2))) for p in ("valid", "same")),
    *((lambda k=k, s=s: layers.AveragePooling2D(k, strides=s), (7, 8, 2))
      for k, s in ((2, None), (3, 2), ((2, 3), (1, 2)))),
    *((lambda s=s: layers.AveragePooling2D(3, strides=s, padding="same"), (7, 7, 2))
      for s in (1, 2)),
    (lambda: layers.MaxPooling1D(3, padding="same"), (7, 2)),
    (lambda: layers.AveragePooling1D(2), (7, 2)),
    (lambda: layers.GlobalAveragePooling2D(keepdims=True), (4, 5, 2)),
    (lambda: layers.GlobalAveragePooling1D(), (5, 2)),
    (lambda: layers.GlobalMaxPooling1D(), (5, 2)),
    (lambda: layers.Dense(3), (4, 5, 2)),
    (lambda: layers.Dense(3, activation="leaky_relu"), (5, 2)),
    (lambda: layers.Dense(3, use_bias=False), (5,)),
    (lambda: layers.BatchNormalization(scale=False, epsilon=0.1), (4, 5, 2)),
    (lambda: layers.BatchNormalization(center=False), (4,)),
    (lambda: layers.ReLU(negative_slope=0.5), (4,)),
    (lambda: layers.ReLU(max_value=0.5), (4, 2)),
    (lambda: layers.PReLU(alpha_initializer="ones", shared_axes=[1, 2]), (4, 5, 1)),
    (lambda: layers.Softmax(), (4,)),
    (lambda: layers.UpSampling2D((2, 3)), (4, 5, 2)),
    (lambda: layers.UpSampling1D(2), (4, 2)),
    (lambda: layers.ZeroPadding2D(((1, 2), (0, 3))), (4, 5, 2)),
    (lambda: layers.ZeroPadding1D((1, 2)), (4, 2)),
    (lambda: layers.Cropping1D((1, 0)), (4, 2)),
    (lambda: layers.Reshape((1, 1, 4)), (4,)),
    (lambda: layers.SpatialDropout2D(0.5), (4, 5, 2)),
    *((lambda a=name: layers.Activation(a), (4, 3))
      for name in ("sigmoid", "tanh", "silu", "gelu", "hard_sigmoid", "hard_silu", "elu", "selu")),
    (lambda: layers.ELU(0.5), (4,)),
    (lambda: layers.Softmax(), (4, 3)),
    (lambda: layers.LayerNormalization(), (4, 3)),
    (lambda: layers.LayerNormalization(center=False, epsilon=0.1), (4, 5, 3)),
    (lambda: layers.GroupNormalization(2), (4, 5, 6)),
    (lambda: layers.Permute((2, 1)), (4, 3)),
    (lambda: layers.Permute((3, 1, 2)), (4, 5, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("make", "shape"), LAYERS)
def test_a_layer_gives_keras_results(
    tmp_path: Path, make: Callable[[], Any], shape: tuple[int, ...]
) -> None:
    assert_same(keras.Sequential([keras.Input(shape), make()]), tmp_path)


def test_squeeze_and_excitation_gives_keras_results(tmp_path: Path) -> None:
    x = keras.Input((4, 5, 3))
    gate = layers.Conv2D(2, 1, activation="swish")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    gate = layers.Conv2D(3, 1, activation="sigmoid")(gate)
    assert_same(keras.Model(x, layers.Multiply()([x, gate])), tmp_path)


def test_an_average_counts_no_padding_as_with_tensorflow_and_jax(tmp_path: Path) -> None:
    """With PyTorch, Keras repeats the edge where the padding is uneven."""
    pool = layers.AveragePooling2D(2, strides=1, padding="same")
    keras.Sequential([keras.Input((2, 2, 1)), pool]).save(tmp_path / "net.keras")
    x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    found = thresher.evaluate(thresher.import_model(tmp_path / "net.keras"), x)
    np.testing.assert_array_equal(found, [[[[2.5, 3.0], [3.5, 4.0]]]])


def test_channels_first_flatten_in_keras_order(tmp_path: Path) -> None:
    x = keras.Input((2, 3, 4))
    flat = layers.Flatten(data_format="channels_first")(
        layers.MaxPooling2D(2, data_format="channels_first")(x)
    )
    model = weighted(keras.Model(x, layers.Dense(3)(flat)))
    model.save(tmp_path / "net.keras")
    values = images(2, 3, 4)
    found = thresher.evaluate(thresher.import_model(tmp_path / "net.keras"), values)
    np.testing.assert_allclose(found, np.asarray(model(values).detach()), rtol=0, atol=1e-6)


@FORMATS
def test_all_unsupported_layers_are_listed(tmp_path: Path, suffix: str) -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="inner")
    model = keras.Sequential([
        keras.Input((4, 4, 2)), layers.GaussianNoise(0.5, name="noise"),
        layers.Conv2D(2, 1, activation="softplus", name="conv"), layers.ReLU(name="relu"),
        layers.ReLU(threshold=0.5, name="from_half"), layers.Flatten(),
        layers.Dense(4, activation="mish", name="fc"), layers.UnitNormalization(name="unit"),
        inner, layers.Dense(2, activation="softsign", name="not_looked_at"),
    ])  # fmt: skip
    model.save(tmp_path / f"net{suffix}")
    with pytest.raises(UnsupportedError) as caught:
        thresher.import_model(tmp_path / f"net{suffix}")
    refused = {item.place: item.why for item in caught.value.refusals}
    assert list(refused) == ["'noise'", "'conv'", "'from_half'", "'fc'", "'unit'", "'inner'"]
    assert "activation 'softplus'" in refused["'conv'"]
    assert "a model inside the model" in refused["'inner'"]


def test_a_flatten_at_the_output_is_refused(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((4, 4, 2)), layers.Flatten()]).save(tmp_path / "net.keras")
    with pytest.raises(UnsupportedError, match="in another order"):
        thresher.import_model(tmp_path / "net.keras")


def test_an_open_axis_needs_the_shape(tmp_path: Path) -> None:
    conv = layers.Conv2D(4, 3, name="conv")
    model = keras.Sequential([keras.Input((None, None, 2)), conv])
    model.save(tmp_path / "net.keras")
    with pytest.raises(SpecError, match=r"leaves axes of .* open"):
        thresher.import_model(tmp_path / "net.keras")
    graph = thresher.import_model(tmp_path / "net.keras", (2, 5, 6))
    assert graph.shapes["conv"] == (4, 3, 4)


@pytest.fixture
def entries(tmp_path: Path) -> dict[str, bytes]:
    path = tmp_path / "good.keras"
    keras.Sequential([keras.Input((4,)), layers.Dense(3, name="fc")]).save(path)
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def written(entries: dict[str, bytes], folder: Path) -> Path:
    path = folder / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return path


def test_an_archive_that_swells_is_refused(entries: dict[str, bytes], tmp_path: Path) -> None:
    path = written(entries | {"config.json": b" " * 2**27}, tmp_path)
    with pytest.raises(SpecError, match=r"unpacks to .*config.json"):
        thresher.import_model(path)


def test_weights_outside_the_file_are_not_followed(
    entries: dict[str, bytes], tmp_path: Path
) -> None:
    for link in (h5py.ExternalLink("/etc/passwd", "/x"), h5py.SoftLink("/elsewhere")):
        content = io.BytesIO(entries["model.weights.h5"])
        with h5py.File(content, "a") as file:
            (group,) = file["layers"]
            del file[f"layers/{group}/vars/0"]
            file[f"layers/{group}/vars/0"] = link
        path = written(entries | {"model.weights.h5": content.getvalue()}, tmp_path)
        with pytest.raises(SpecError, match="'0' is a link to elsewhere"):
            thresher.import_model(path)


def test_weights_that_swell_are_refused(entries: dict[str, bytes], tmp_path: Path) -> None:
    content = io.BytesIO(entries["model.weights.h5"])
    with h5py.File(content, "a") as file:
        (group,) = file["layers"]
        del file[f"layers/{group}/vars/0"]
        file[f"layers/{group}/vars"].create_dataset("0", (2**15, 2**15), "f4", chunks=(64, 64))
    path = written(entries | {"model.weights.h5": content.getvalue()}, tmp_path)
    with pytest.raises(SpecError, match="made to swell"):
        thresher.import_model(path)


def test_a_cycle_of_layers_is_refused(tmp_path: Path) -> None:
    x = keras.Input((4,))
    keras.Model(x, layers.ReLU(name="b")(layers.ReLU(name="a")(x))).save(tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as packed:
        found = {name: packed.read(name) for name in packed.namelist()}
    config = json.loads(found["config.json"])
    config["config"]["layers"][1]["inbound_nodes"] = config["config"]["layers"][2]["inbound_nodes"]
    changed = json.dumps(config).replace('"a", 0, 0', '"b", 0, 0').encode()
    with pytest.raises(SpecError, match="'a', 'b' read what no layer gives, or form a cycle"):
        thresher.import_model(written(found | {"config.json": changed}, tmp_path))


def test_every_cut_and_weights_alone_are_errors(entries: dict[str, bytes], tmp_path: Path) -> None:
    for suffix, content in ((".keras", written(entries, tmp_path).read_bytes()),
                            (".h5", entries["model.weights.h5"])):  # fmt: skip
        path = tmp_path / f"cut{suffix}"
        for size in [*range(0, len(content), 211), len(content) - 1]:
            path.write_bytes(content[:size])
            with pytest.raises(ThresherError):
                thresher.import_model(path)
    path.write_bytes(content)
    with pytest.raises(SpecError, match="only weights"):
        thresher.import_model(path)


def test_a_file_of_keras_2_is_read(tmp_path: Path) -> None:
    """Layers joined by [name, node, tensor, arguments], weights under LAYER/LAYER/kernel:0."""

    def entry(kind: str, name: str, reads: list[Any], **config: Any) -> dict[str, Any]:
        return {"class_name": kind, "name": name, "config": {"name": name, **config},
                "inbound_nodes": reads}  # fmt: skip

    config = {
        "name": "model",
        "layers": [
            entry("InputLayer", "input_1", [], batch_input_shape=[None, 2, 2, 3]),
            entry("Flatten", "flatten", [[["input_1", 0, 0, {}]]], data_format="channels_last"),
            entry("Dense", "dense", [[["flatten", 0, 0, {}]]], units=2, activation="relu"),
        ],
        "input_layers": [["input_1", 0, 0]],
        "output_layers": [["dense", 0, 0]],
    }
    kernel = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        group = file.create_group("model_weights/dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        group["dense/kernel:0"], group["dense/bias:0"] = kernel, np.array([1, 2], np.float32)
    x = images(2, 2, 3)
    expected = np.maximum(x.reshape(3, 12) @ kernel + [1, 2], 0)
    found = thresher.evaluate(thresher.import_model(tmp_path / "net.h5"), np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_classes_that_only_share_a_name_with_keras_are_refused(
    entries: dict[str, bytes], tmp_path: Path
) -> None:
    for change in ({"registered_name": "mine>Dense"}, {"module": "mine.layers"}):
        config = json.loads(entries["config.json"])
        config["config"]["layers"][1].update(change)
        path = written(entries | {"config.json": json.dumps(config).encode()}, tmp_path)
        with pytest.raises(UnsupportedError, match=r"'fc' \(mine.*Dense\)"):
            thresher.import_model(path)


def test_weights_that_are_no_floats_or_too_many_are_refused(
    entries: dict[str, bytes], tmp_path: Path
) -> None:
    for name, values, why in (("0", np.ones((4, 3), np.int8), "of type int8; expected floats"),
                              ("2", np.ones(3, np.float32), "3 weights, of which 2")):  # fmt: skip
        content = io.BytesIO(entries["model.weights.h5"])
        with h5py.File(content, "a") as file:
            (group,) = file["layers"]
            variables = file[f"layers/{group}/vars"]
            variables.pop(name, None)
            variables[name] = values
        path = written(entries | {"model.weights.h5": content.getvalue()}, tmp_path)
        with pytest.raises(UnsupportedError, match=why):
            thresher.import_model(path)
