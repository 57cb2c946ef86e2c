"""What a training run refuses before it starts, and that it says so without PyTorch."""

import sys

import numpy as np
import pytest
from training_graphs import chain, clipped, digits_cnn, digits_images, tensor

from thresher import TrainingSettings, train
from thresher.errors import DataError, GraphError, MissingExtraError, ThresherError, TrainingError
from thresher.ir import Spiking
from thresher.ir.ops import Linear, Scale

X, Y = digits_images(20)
NET = digits_cnn(clipped())


def test_a_missing_pytorch_is_answered_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    message = r"training needs the package 'torch'.* pip install 'thresher\[torch\]'"
    with pytest.raises(MissingExtraError, match=message):
        train(NET, X, Y)


def test_a_converted_network_is_refused() -> None:
    snn = NET.replace("relu1", spiking=Spiking(threshold=1.0))
    with pytest.raises(TrainingError, match="'chain' is converted: node 'relu1' has neurons"):
        train(snn, X, Y)


def test_an_output_that_is_not_classes_is_refused() -> None:
    graph = chain((1, 8, 8), ("scale", Scale(tensor("w", [2.0]))))
    with pytest.raises(GraphError, match=r"output 'scale' of 'chain' is \[1, 8, 8\]; expected"):
        train(graph, X, Y)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (X, None, DataError, "the training images have no labels"),
        (X, Y[:5], DataError, r"the training labels are int64 of shape \[5\]; expected .*\[20\]"),
        (X, Y / 2, DataError, "the training labels are float64"),
        (X, Y + 1, DataError, r"training image \d+ has label 10, but the network has 10 classes"),
        (X, Y - 1, DataError, r"training image \d+ has label -1, but the network has 10 classes"),
        (X[:1], Y[:1], DataError, "there is 1 training image; expected at least 2"),
        (X[:0], Y[:0], DataError, "there is no training image; expected at least one"),
        (X[:, :, :7], Y, DataError, r"the images are \[1, 7, 8\], but input 'image' takes"),
    ],
    ids=["no-labels", "too-few", "float", "high", "low", "one-image", "no-image", "shape"],
)
def test_images_and_labels_that_do_not_fit_are_refused(
    x: np.ndarray, y: np.ndarray | None, error: type[ThresherError], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(NET, x, y)


def test_validation_labels_are_checked_as_the_others_are() -> None:
    with pytest.raises(DataError, match=r"validation image \d+ has label 10"):
        train(NET, X, Y, validation=(X, Y + 1))


def test_a_network_without_weights_is_refused() -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    with pytest.raises(GraphError, match="graph 'chain' has no weight; expected one to learn"):
        train(chain((3,), ("act", clipped())), np.eye(3), np.arange(3))


def test_shifts_of_what_is_no_image_are_refused() -> None:
    graph = chain((3,), ("fc", Linear(tensor("w", np.eye(3)))))
    with pytest.raises(TrainingError, match="expected \\(C, H, W\\) to move or mirror"):
        train(graph, np.eye(3), np.arange(3), TrainingSettings(crop=1))
