"""Images as a graph takes them: checked against its input and preprocessed."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import DataError
from thresher.ir.graph import Graph
from thresher.ir.node import Preprocess

Array = NDArray[Any]


def preprocess(graph: Graph, x: Array) -> Array:
    """Preprocess raw images that were checked, all of them or a part.

    Returns float32; float64 images of an input without `preprocess` stay float64.
    """
    item = graph.inputs[0]
    if item.preprocess is not None:
        return item.preprocess.apply(x)
    return x if x.dtype == np.float64 else x.astype(np.float32, copy=False)


def check_images(graph: Graph, x: Array) -> Array:
    """Check raw images (N, *shape) against the graph's input.

    Raises
    ------
    DataError
        Where the type or the shape does not fit, or a value is NaN or infinite.
    """
    item = graph.inputs[0]
    x = np.asarray(x)
    if x.dtype.kind not in "uif" or x.dtype.itemsize > 8:
        raise DataError(f"the images are of type {x.dtype}; expected uint8 or float")
    if x.shape[1:] != item.shape:
        raise DataError(
            f"the images are {list(x.shape[1:])}, but input '{item.name}' takes {list(item.shape)}"
        )
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):
            finite = np.isfinite(x if item.preprocess is None else x.astype(np.float32))
        if not finite.all():
            bad = int(np.flatnonzero(~finite.reshape(len(x), -1).all(axis=1))[0])
            raise DataError(
                f"image {bad} holds a NaN, an infinite value or one beyond float32; expected "
                "finite pixels"
            )
    if item.preprocess is not None:
        _warn_if_prepared(item.name, item.preprocess, x)
    return x


def _warn_if_prepared(name: str, preprocess: Preprocess, x: Array) -> None:
    if x.dtype.kind != "f" or not x.size:
        return
    low, high = float(x.min()), float(x.max())
    if low < 0 or (preprocess.divide > 1 and high <= 1):
        warnings.warn(
            f"the images' values lie in [{low:.3g}, {high:.3g}], as if they were preprocessed "
            f"already; the spec's preprocess (divide {preprocess.divide:g}, mean, std) is "
            f"applied to input '{name}' all the same. Give raw pixels, or take preprocess "
            "out of the spec",
            stacklevel=4,
        )
