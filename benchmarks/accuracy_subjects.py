"""The networks whose conversions are measured, with the images to calibrate on and to judge by."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import thresher
from benchmarks.common import find_data
from thresher import datasets, digits

DIGITS = "digits"
TITLES = {
    DIGITS: "digits CNN",
    "lenet": "LeNet, MNIST",
    "resnet20": "ResNet-20, CIFAR-10 (JPEG copy)",
    "resnet20-qcfs": "ResNet-20 fine-tuned to QCFS, CIFAR-10 (JPEG copy)",
    "vgg7": "VGG-7, CIFAR-10 (JPEG copy)",
}
FINE_TUNED = ("resnet20-qcfs",)
"""Networks that docs/accuracy.md says how to train; they are looked for beside the images."""
SPECS = {"lenet": "lenet_mnist", "resnet20": "resnet20_cifar10", "vgg7": "vgg7_cifar10"}
TRAINING_FILE = "cifar10_train.npz"


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained network, test images x (N, *shape) with labels y, and images to calibrate on.

    `sha256` is that of the spec and its tensors.
    """

    name: str
    graph: thresher.Graph
    sha256: str
    x: NDArray[Any]
    y: NDArray[np.int64]
    x_train: NDArray[Any]
    y_train: NDArray[np.int64]


def load_subject(name: str, images: int, calibration: int, unpacked: Path | None) -> Subject:
    """Load a network with the first so many test images and training images.

    `unpacked` is the folder of CIFAR-10's unpacked training images and fine-tuned networks, which
    LeNet and the digits do without; SystemExit where a file is missing.
    """
    if name == DIGITS:
        spec, test, train = digits.cnn_spec(), "digits", "digits"
    else:
        spec = _fine_tuned(name, unpacked) if name in FINE_TUNED else _given(name)
        test = str(find_data("mnist_test.npz" if name == "lenet" else "cifar10_test.npz"))
        train = str(find_data("mnist_train.npz") if name == "lenet" else _unpacked(unpacked))
    judged = datasets.load(test, limit=images)
    fitted = datasets.load(train, part="train", limit=calibration)
    if judged.y is None or fitted.y is None:
        raise SystemExit(f"{test} or {train} holds no labels")
    return Subject(
        name,
        thresher.load(spec),
        _sha256(spec, spec.with_suffix(".safetensors")),
        judged.x[:],
        judged.y,
        fitted.x[:],
        fitted.y,
    )


def _given(name: str) -> Path:
    return find_data(f"{SPECS[name]}.yaml")


def _fine_tuned(name: str, folder: Path | None) -> Path:
    data = _unpacked(folder)
    spec = data.with_name(f"{name}.yaml")
    if not spec.is_file():
        raise SystemExit(f"'{spec}' is not there; train it as 'docs/accuracy.md' says")
    return spec


def _unpacked(folder: Path | None) -> Path:
    if folder is None or not (folder / TRAINING_FILE).is_file():
        raise SystemExit(
            f"CIFAR-10 networks are calibrated on training images: give --unpacked FOLDER, where "
            f"'{TRAINING_FILE}' is, as 'python unpack_cifar10.py FOLDER' of the data folder "
            "writes it"
        )
    return folder / TRAINING_FILE


def _sha256(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
