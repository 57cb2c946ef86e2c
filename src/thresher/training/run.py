"""Train: a graph and labelled images give the graph with what was learnt."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.converters.calibrate import fingerprint
from thresher.errors import DataError, GraphError, MissingExtraError, TrainingError
from thresher.ir import Graph
from thresher.ir.evaluate import single_input_output
from thresher.ir.images import check_images
from thresher.ir.spec_writer import spec_text
from thresher.training.activations import prepared
from thresher.training.augment import augmentation
from thresher.training.settings import Epoch, TrainingProgress, TrainingSettings
from thresher.training.write_back import with_trained
from thresher.version import package_version

Array = NDArray[Any]

CALIBRATED = 256
"""Training images, drawn at random, over whose values the first ceilings are percentiles."""


@dataclass(frozen=True, eq=False)
class Training:
    """A trained network, and how each epoch went."""

    graph: Graph
    epochs: tuple[Epoch, ...]


def train(
    graph: Graph,
    x: Array,
    y: Array,
    settings: TrainingSettings = TrainingSettings(),  # noqa: B008 - it is frozen
    *,
    validation: tuple[Array, Array] | None = None,
    checkpoint: str | Path | None = None,
    threads: int | None = None,
    device: str = "cpu",
    report: Callable[[TrainingProgress], None] | None = None,
) -> Training:
    """Train a network, or go on training one, with PyTorch: SGD with momentum 0.9.

    Parameters
    ----------
    graph : Graph
        An ANN that is not converted, with one input and (classes,) values as output; from scratch
        with weights of `kaiming_normal` in the spec.
    x : ndarray
        Raw images (N, *shape); the graph's `preprocess` is applied to them.
    y : ndarray
        Their classes (N,).
    settings : TrainingSettings
    validation : pair of ndarray, optional
        Images and classes whose accuracy is measured after each epoch; nothing is chosen by it.
    checkpoint : str or Path, optional
        A .safetensors file, written after each epoch. Where it is there, the run goes on from it
        and ends with the weights of a run that was never stopped.
    threads : int, optional
        Of PyTorch. Another number of threads may round otherwise.
    device : str
        Where PyTorch computes: 'cpu', or a GPU by PyTorch's name, such as 'cuda' or 'cuda:1'.
        Another device draws and rounds otherwise; a checkpoint can go on on any.
    report : callable, optional
        Told after each step how far the run is.

    Returns
    -------
    Training
        Its graph has the same nodes; float32 tensors, activations with learnt ceilings, and a
        part 'training' of `meta`.

    Raises
    ------
    MissingExtraError
        Where PyTorch is not installed.
    GraphError, DataError, TrainingError
        Where the graph, the images or their classes, or the checkpoint do not fit, or where
        PyTorch cannot compute on the device.
    DivergenceError
        Where the loss is no finite number any more; the checkpoint keeps the last epoch before.
    """
    classes = _check_graph(graph)
    images = _labelled(graph, classes, x, y, "training")
    held_out = None if validation is None else _labelled(graph, classes, *validation, "validation")
    if len(images[0]) < 2:
        raise DataError(f"there is {len(images[0])} training image; expected at least 2")
    moves = augmentation(settings, graph.inputs[0].shape)
    loop = _loop()
    identity = {
        **settings.plain(),
        "network": _fingerprint(graph),
        "training data": _data_fingerprint(images),
        "validation data": None if held_out is None else _data_fingerprint(held_out),
    }
    start = prepared(graph, settings, _calibration(images[0], settings.seed))
    fitted = loop.fit(
        loop.Run(start, loop.Labelled(*images), settings, moves, device),
        identity,
        settings.epochs,
        validation=None if held_out is None else loop.Labelled(*held_out),
        checkpoint=None if checkpoint is None else Path(checkpoint),
        threads=threads,
        report=report or (lambda reached: None),
    )
    last = fitted.epochs[-1]
    provenance = {
        "thresher": package_version(),
        **settings.plain(),
        "crop": moves.crop,
        "flip": moves.flip,
        "samples": len(images[0]),
        "data_sha256": identity["training data"],
        "loss": last.loss,
        "accuracy": last.accuracy,
        "validation_accuracy": last.validation_accuracy,
    }
    trained = with_trained(start, fitted.tensors, fitted.ceilings, provenance)
    return Training(trained, fitted.epochs)


def _check_graph(graph: Graph) -> int:
    """Return the number of classes; raise where the graph is none to train."""
    _, output = single_input_output(graph)
    for node in graph:
        if node.spiking is not None:
            raise TrainingError(
                f"graph '{graph.name}' is converted: node '{node.name}' has neurons; expected an "
                "ANN: train the network that it was made from, then convert again"
            )
    shape = graph.shapes[output]
    if len(shape) != 1:
        raise GraphError(
            f"output '{output}' of '{graph.name}' is {list(shape)}; expected (classes,), over "
            "which cross-entropy is taken"
        )
    return shape[0]


def _labelled(
    graph: Graph, classes: int, x: Array, y: Array | None, part: str
) -> tuple[Array, NDArray[np.int64]]:
    images = np.asarray(check_images(graph, x))
    if y is None:
        raise DataError(f"the {part} images have no labels; expected a class for each")
    labels = np.asarray(y)
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "ui":
        raise DataError(
            f"the {part} labels are {labels.dtype} of shape {list(labels.shape)}; expected whole "
            f"numbers of shape {[len(images)]}, a class for each image"
        )
    if not len(images):
        raise DataError(f"there is no {part} image; expected at least one")
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise DataError(
            f"{part} image {outside[0]} has label {labels[outside[0]]}, but the network has "
            f"{classes} classes; expected labels from 0 to {classes - 1}"
        )
    return images, labels.astype(np.int64)


def _loop() -> Any:
    """Import the part that needs PyTorch."""
    try:
        import_module("torch")
    except ImportError as error:
        raise MissingExtraError("torch", "torch", "training") from error
    return import_module("thresher.training.loop")


def _calibration(x: Array, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(x), size=min(len(x), CALIBRATED), replace=False)
    return x[np.sort(chosen)]


def _fingerprint(graph: Graph) -> str:
    digest = hashlib.sha256(spec_text(graph, "tensors"))
    for values in graph.tensors.values():
        digest.update(values.tobytes())
    return digest.hexdigest()


def _data_fingerprint(images: tuple[Array, NDArray[np.int64]]) -> str:
    x, y = images
    return hashlib.sha256((fingerprint(x) + fingerprint(y)).encode()).hexdigest()
