"""Models that nobody here made: ONNX's own test cases, and the networks that Keras carries."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thresher
from thresher.converters.importers.onnx import HANDLERS
from thresher.errors import ThresherError

pytestmark = pytest.mark.filterwarnings("ignore")  # of the packages that make the models


def test_onnx_own_cases_give_their_results_or_are_refused(tmp_path: Path) -> None:
    """Each operator's cases, with all inputs but the first as initialisers."""
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    cases = pytest.importorskip("onnx.backend.test.case.node", reason="onnx has no test cases")
    equal: Counter[str] = Counter()
    for case in cases.collect_testcases(None):
        operators = [node.op_type for node in case.model.graph.node]
        if len(operators) != 1 or operators[0] not in HANDLERS:
            continue
        (x, *rest), expected = case.data_sets[0]
        if not isinstance(x, np.ndarray) or x.ndim < 2 or x.dtype != np.float32:
            continue
        model = onnx.ModelProto.FromString(case.model.SerializeToString())
        for item, values in zip(model.graph.input[1:], rest, strict=False):
            if isinstance(values, np.ndarray):
                model.graph.initializer.append(onnx.numpy_helper.from_array(values, item.name))
        found = outputs_of(model, tmp_path, x)
        if found is not None:  # the cases round what they expect to four digits
            np.testing.assert_allclose(found, expected[0], rtol=0, atol=1e-4, err_msg=case.name)
            equal[operators[0]] += 1
    assert sum(equal.values()) >= 70, equal
    assert {"Conv", "ConvTranspose", "AveragePool", "MaxPool", "Gemm", "Resize"} <= set(equal)


def test_layers_that_pytorch_exported_for_onnx_give_their_results(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    from onnx import version_converter

    folder = Path(onnx.__file__).parent / "backend/test/data/pytorch-converted"
    if not folder.is_dir():
        pytest.skip("onnx was installed without its test data")
    equal = []
    for case in sorted(folder.iterdir()):
        x, expected = (
            onnx.numpy_helper.to_array(
                onnx.TensorProto.FromString((case / f"test_data_set_0/{name}_0.pb").read_bytes())
            )
            for name in ("input", "output")
        )
        model = version_converter.convert_version(onnx.load(case / "model.onnx"), 13)
        found = outputs_of(model, tmp_path, x)
        if found is not None:
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=case.name)
            equal.append(case.name)
    assert len(equal) >= 50


def outputs_of(model: Any, folder: Path, x: np.ndarray) -> np.ndarray | None:
    """Return the imported model's results; None where it is refused or has several outputs."""
    path = folder / "case.onnx"
    path.write_bytes(model.SerializeToString())
    try:
        return thresher.evaluate(thresher.import_onnx(path), x)
    except ThresherError:
        return None


@pytest.mark.parametrize(("name", "alpha"), [("MobileNet", 0.25), ("MobileNetV2", 0.35)])
def test_keras_own_networks_give_its_results(tmp_path: Path, name: str, alpha: float) -> None:
    pytest.importorskip("h5py", reason="h5py is not installed")
    pytest.importorskip("torch", reason="PyTorch, which Keras computes with, is not installed")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    model = getattr(keras.applications, name)(
        alpha=alpha, weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None
    )
    rng = np.random.default_rng(0)
    model.set_weights([w + 0.02 * rng.normal(size=w.shape) if w.ndim > 1 else
                       rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])  # fmt: skip
    model.save(tmp_path / "net.keras")
    x = rng.normal(size=(2, 32, 32, 3)).astype(np.float32)
    expected = np.asarray(model(x, training=False).detach())
    graph = thresher.import_model(tmp_path / "net.keras")
    found = thresher.evaluate(graph, np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6 * np.abs(expected).max())
