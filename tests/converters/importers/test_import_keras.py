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
    expected = np.asarray(model(x, training=False).detach())
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
    unknown = layers.EinsumDense("nc,cd->nd", 2, name="einsum")
    inner = keras.Sequential([keras.Input((4,)), unknown], name="inner")
    model = keras.Sequential([
        keras.Input((4, 4, 2)), layers.UnitNormalization(name="unit"),
        layers.Conv2D(2, 1, activation="softplus", name="conv"), layers.ReLU(name="relu"),
        layers.ReLU(threshold=0.5, name="from_half"), layers.Flatten(),
        layers.Dense(4, activation="mish", name="fc"), inner,
        layers.Dense(2, activation="softsign", name="not_looked_at"),
    ])  # fmt: skip
    model.save(tmp_path / f"net{suffix}")
    with pytest.raises(UnsupportedError) as caught:
        thresher.import_model(tmp_path / f"net{suffix}")
    refused = {item.place: item.why for item in caught.value.refusals}
    assert list(refused) == ["'unit'", "'conv'", "'from_half'", "'fc'", "'inner.einsum'"]
    assert "activation 'softplus'" in refused["'conv'"]


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

    flatten = keras_2_entry("Flatten", "flatten", [[["x", 0, 0, {}]]])
    dense = keras_2_entry("Dense", "dense", [[["flatten", 0, 0, {}]]], units=2, activation="relu")
    path = keras_2_file(tmp_path, [flatten, dense])
    kernel = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    with h5py.File(path, "a") as file:
        group = file.create_group("model_weights/dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        group["dense/kernel:0"], group["dense/bias:0"] = kernel, np.array([1, 2], np.float32)
    x = images(2, 2, 3)
    expected = np.maximum(x.reshape(3, 12) @ kernel + [1, 2], 0)
    found = thresher.evaluate(thresher.import_model(path), np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_calls_of_a_model_inside_a_file_of_keras_2_are_counted_from_one(tmp_path: Path) -> None:
    """Its first node is the model's own; weights of a long list are in pieces."""
    inner = keras_2_model([keras_2_entry("Dense", "fc", [[["x", 0, 0, {}]]], units=3)])
    inner = {"class_name": "Functional", "name": "inner", "config": inner | {"name": "inner"},
             "inbound_nodes": [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]]}  # fmt: skip
    add = keras_2_entry("Add", "add", [[["inner", 1, 0, {}], ["inner", 2, 0, {}]]])
    path = keras_2_file(tmp_path, [inner, add])
    kernel = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    with h5py.File(path, "a") as file:
        group = file.create_group("model_weights/inner")
        group.attrs["weight_names0"], group.attrs["weight_names1"] = (
            [b"fc/kernel:0"],
            [b"fc/bias:0"],
        )
        group["fc/kernel:0"], group["fc/bias:0"] = kernel, np.zeros(3, np.float32)
    x = images(2, 2, 3)
    expected = np.moveaxis(x @ kernel + x @ kernel @ kernel, -1, 1)
    found = thresher.evaluate(thresher.import_model(path), np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def keras_2_entry(kind: str, name: str, reads: list[Any], **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "name": name, "config": {"name": name, **config},
            "inbound_nodes": reads}  # fmt: skip


def keras_2_model(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe a Functional model of an input `x` (2, 2, 3) and these layers."""
    first = keras_2_entry("InputLayer", "x", [], batch_input_shape=[None, 2, 2, 3])
    return {"name": "model", "layers": [first, *layers], "input_layers": [["x", 0, 0]],
            "output_layers": [[layers[-1]["name"], 0, 0]]}  # fmt: skip


def keras_2_file(folder: Path, layers: list[dict[str, Any]]) -> Path:
    config = {"class_name": "Functional", "config": keras_2_model(layers)}
    with h5py.File(folder / "net.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights")
    return folder / "net.h5"


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


def frozen_base() -> Any:
    x = keras.Input((6, 6, 3))
    y = layers.ReLU(name="relu")(layers.BatchNormalization(name="bn")(
        layers.Conv2D(4, 3, padding="same", name="conv")(x)))  # fmt: skip
    base = keras.Model(x, layers.Add()([y, layers.Conv2D(4, 1, name="by")(x)]), name="base")
    base.trainable = False
    return base


@FORMATS
def test_a_model_as_a_layer_gives_keras_results_under_names_of_its_path(
    tmp_path: Path, suffix: str
) -> None:
    """Transfer learning: augmentation, a frozen model called in evaluation mode, a new head."""
    augmentation = keras.Sequential([
        layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.GaussianNoise(0.1),
    ])  # fmt: skip
    x = keras.Input((6, 6, 3))
    y = frozen_base()(augmentation(x), training=False)
    y = layers.Dense(3, name="head")(layers.GlobalAveragePooling2D()(y))
    graph = assert_same(keras.Model(x, y), tmp_path, suffix)
    assert {"base.conv", "base.bn", "base.relu", "base.by", "head"} <= {n.name for n in graph}
    assert "base.conv.weight" in graph.tensors


@FORMATS
def test_a_model_that_is_called_twice_shares_its_weights(tmp_path: Path, suffix: str) -> None:
    x, base = keras.Input((6, 6, 3)), frozen_base()
    once = base(x)
    twice = base(layers.Conv2D(3, 1, name="between")(once))
    graph = assert_same(keras.Model(x, layers.Subtract()([once, twice])), tmp_path, suffix)
    assert [name for name in graph.tensors if "conv" in name] == [
        "base.conv.weight", "base.conv.bias",
    ]  # fmt: skip


@FORMATS
def test_models_inside_models_inside_a_sequential_give_keras_results(
    tmp_path: Path, suffix: str
) -> None:
    inner = keras.Sequential([layers.Conv2D(2, 3, name="conv"), layers.Flatten()], name="inner")
    middle = keras.Sequential([frozen_base(), inner, layers.Dense(4, name="fc")], name="middle")
    model = keras.Sequential([keras.Input((6, 6, 3)), middle, layers.Dense(2, name="fc")])
    if suffix == ".h5":  # two layers 'conv' inside 'middle', whose weights are one list
        model.save(tmp_path / "net.h5")
        with pytest.raises(SpecError, match=r"2 layers inside .* called 'conv'.*save .* \.keras"):
            thresher.import_model(tmp_path / "net.h5")
        return
    graph = assert_same(model, tmp_path, suffix)
    assert {"middle.base.conv", "middle.inner.conv", "middle.fc", "fc"} <= {n.name for n in graph}


def test_a_model_inside_of_several_inputs_and_outputs_gives_keras_results(tmp_path: Path) -> None:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    ends = [layers.Subtract()([a, b]), layers.Dense(4)(b), a]
    pair = keras.Model({"b": b, "a": a}, ends, name="pair")
    x = keras.Input((4,))
    first, second, third = pair({"a": x, "b": layers.ReLU()(x)})
    total = layers.Add()([layers.Subtract()([first, second]), third])
    assert_same(keras.Model(x, total), tmp_path)


def test_a_call_in_training_mode_is_what_predict_makes_of_it(tmp_path: Path) -> None:
    x = keras.Input((4, 4, 3))
    inner = keras.Sequential([keras.Input((4, 4, 3)), layers.BatchNormalization()])
    assert_same(keras.Model(x, inner(layers.RandomFlip()(x), training=True)), tmp_path)


def test_a_call_in_training_mode_by_keras_2_is_refused(tmp_path: Path) -> None:
    """There the dropout of a Monte Carlo model goes on in evaluation."""
    dropout = keras_2_entry("Dropout", "drop", [[["x", 0, 0, {"training": True}]]], rate=0.5)
    with pytest.raises(UnsupportedError, match=r"'drop' .*is called with training=True"):
        thresher.import_model(keras_2_file(tmp_path, [dropout]))


def test_calls_that_multiply_by_depth_are_refused_quickly(tmp_path: Path) -> None:
    """A model that calls a model twice, which calls a model twice, and so on, 40 times."""
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [
        {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 4]}},
        {"class_name": "ReLU", "config": {"name": "relu"}},
    ]}}  # fmt: skip
    for _ in range(40):
        reads = [[["x", 0, 0, {}]], [["m", 0, 0, {}]]]
        config = {"class_name": "Functional", "config": {
            "name": "m", "input_layers": [["x", 0, 0]], "output_layers": [["m", 1, 0]],
            "layers": [
                {"class_name": "InputLayer", "inbound_nodes": [],
                 "config": {"name": "x", "batch_shape": [None, 4]}},
                {**config, "inbound_nodes": reads},
            ],
        }}  # fmt: skip
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights")
    with pytest.raises(SpecError, match=r"'m' inside the model is called 2 times.*at most 20,000"):
        thresher.import_model(tmp_path / "net.h5")


def test_two_layers_of_one_name_are_refused(entries: dict[str, bytes], tmp_path: Path) -> None:
    config = json.loads(entries["config.json"])
    config["config"]["layers"].append(config["config"]["layers"][1])
    path = written(entries | {"config.json": json.dumps(config).encode()}, tmp_path)
    with pytest.raises(SpecError, match="two layers are called 'fc'"):
        thresher.import_model(path)


@FORMATS
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("axis", [-1, None, (1, 3), 2])
def test_adapted_normalization_gives_keras_results(
    tmp_path: Path, axis: Any, invert: bool, suffix: str
) -> None:
    """Channels of mean 1000 and deviations of 1 and 0, which Keras takes for 1e-7."""
    layer = layers.Normalization(axis=axis, invert=invert)
    x = images(4, 5, 2) * np.float32([1, 0]) + np.float32([1000, 3])
    layer.adapt(x)
    model = keras.Sequential([keras.Input((4, 5, 2)), layer])
    model.save(tmp_path / f"net{suffix}")
    graph = thresher.import_model(tmp_path / f"net{suffix}")
    expected = np.moveaxis(np.asarray(model(x).detach()), -1, 1)
    found = thresher.evaluate(graph, np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_normalization_by_given_statistics_gives_keras_results(tmp_path: Path) -> None:
    given = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 1.0, 0.25])
    model = keras.Sequential(
        [keras.Input((4, 5, 3)), given, layers.Rescaling([1.0, 2.0, 3.0], 0.5)]
    )
    assert_same(model, tmp_path)


def test_normalization_of_a_flatten_takes_up_its_order(tmp_path: Path) -> None:
    x = images(2, 3, 2)
    normal = layers.Normalization()
    normal.adapt(x.reshape(3, -1))
    model = keras.Sequential([keras.Input((2, 3, 2)), layers.Flatten(), normal, layers.Dense(3)])
    model.save(tmp_path / "net.keras")
    found = thresher.evaluate(thresher.import_model(tmp_path / "net.keras"), np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(found, np.asarray(model(x).detach()), rtol=0, atol=2e-6)


@FORMATS
@pytest.mark.parametrize("bias", [True, False])
def test_attention_gives_keras_results(tmp_path: Path, suffix: str, bias: bool) -> None:
    """To itself, of a query to other values, and with keys of their own."""
    x = keras.Input((5, 8))
    other = layers.Dense(6, name="other")(x)
    own = layers.MultiHeadAttention(2, 3, name="own", use_bias=bias)(x, x)
    cross = layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=8, use_bias=bias)
    y = layers.Add()([own, cross(x, other), cross(x, value=other, key=layers.ReLU()(other))])
    assert_same(keras.Model(x, layers.LayerNormalization()(y)), tmp_path, suffix)


def test_attention_with_a_mask_is_refused(tmp_path: Path) -> None:
    x, mask = keras.Input((5, 8)), keras.Input((5, 5))
    attend = layers.MultiHeadAttention(2, 3, name="mha")
    for number, model in enumerate((
        keras.Model(x, attend(x, x, use_causal_mask=True)),
        keras.Model([x, mask], attend(x, x, attention_mask=mask)),
    )):  # fmt: skip
        model.save(tmp_path / "net.keras")
        why = ("use_causal_mask=True", "reads attention_mask")[number]
        with pytest.raises(UnsupportedError, match=f"'mha' .*{why}"):
            thresher.import_model(tmp_path / "net.keras")


@pytest.mark.parametrize("name", [
    "GaussianDropout", "GaussianNoise", "AlphaDropout", "RandomBrightness", "RandomContrast",
    "RandomRotation", "RandomZoom",
])  # fmt: skip
def test_layers_that_act_in_training_alone_change_nothing(tmp_path: Path, name: str) -> None:
    layer = getattr(layers, name)(0.5)
    assert_same(keras.Sequential([keras.Input((4, 5, 3)), layer]), tmp_path)
