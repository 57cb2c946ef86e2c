"""Images as a graph takes them: read in blocks, checked against its input and preprocessed."""

import warnings
from collections.abc import Iterator
from math import prod
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from thresher.errors import DataError
from thresher.ir.graph import Graph

Array = NDArray[Any]

BLOCK = 256
"""Images of a block, where they are small."""
BLOCK_VALUES = 2**22
"""Pixels of a block, where its images are large."""


@runtime_checkable
class Images(Protocol):
    """Raw images (N, *shape): an array, or what reads `images[start:stop]` from elsewhere."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Array: ...


def preprocess(graph: Graph, x: Array) -> Array:
    """Preprocess raw images that were checked, all of them or a part.

    Returns float32; float64 images of an input without `preprocess` stay float64.
    """
    item = graph.inputs[0]
    if item.preprocess is not None:
        return item.preprocess.apply(x)
    return x if x.dtype == np.float64 else x.astype(np.float32, copy=False)


def check_images(graph: Graph, x: Images) -> Images:
    """Check raw images (N, *shape) against the graph's input; the values of an array alone.

    Raises
    ------
    DataError
        Where the type or the shape does not fit, or a value is NaN or infinite.
    """
    item = graph.inputs[0]
    x = x if isinstance(x, Images) else np.asarray(x)
    dtype, shape = np.asarray(x[:0]).dtype, tuple(x.shape[1:])
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise DataError(f"the images are of type {dtype}; expected uint8 or float")
    if shape != item.shape:
        raise DataError(
            f"the images are {list(shape)}, but input '{item.name}' takes {list(item.shape)}"
        )
    if isinstance(x, np.ndarray):
        for start, block in _blocks(x):
            _check_finite(graph, block, start)
        _warn_if_prepared(graph, x)
    return x


def image_blocks(graph: Graph, x: Images) -> Iterator[Array]:
    """Yield images that `check_images` let pass, preprocessed, block by block and in order.

    The values of what is no array are checked here, as they are read.

    Raises
    ------
    DataError
        Where a value is NaN or infinite.
    """
    for start, block in _blocks(x):
        if not isinstance(x, np.ndarray):
            _check_finite(graph, block, start)
            if not start and not hasattr(x, "events"):  # frames of events have no pixels
                _warn_if_prepared(graph, block)
        yield preprocess(graph, block)


def _blocks(x: Images) -> Iterator[tuple[int, Array]]:
    size = max(1, min(BLOCK, BLOCK_VALUES // max(1, prod(x.shape[1:]))))
    for start in range(0, len(x), size):
        yield start, np.asarray(x[start : start + size])


def _check_finite(graph: Graph, x: Array, start: int) -> None:
    """Check a block whose first image stands at `start`."""
    if x.dtype.kind != "f":
        return
    with np.errstate(over="ignore"):
        finite = np.isfinite(x if graph.inputs[0].preprocess is None else x.astype(np.float32))
    if not finite.all():
        bad = int(np.flatnonzero(~finite.reshape(len(x), -1).all(axis=1))[0])
        raise DataError(
            f"image {start + bad} holds a NaN, an infinite value or one beyond float32; expected "
            "finite pixels"
        )


def _warn_if_prepared(graph: Graph, x: Array) -> None:
    item = graph.inputs[0]
    if item.preprocess is None or x.dtype.kind != "f" or not x.size:
        return
    low, high = float(x.min()), float(x.max())
    if low < 0 or (item.preprocess.divide > 1 and high <= 1):
        warnings.warn(
            f"the images' values lie in [{low:.3g}, {high:.3g}], as if they were preprocessed "
            f"already; the spec's preprocess (divide {item.preprocess.divide:g}, mean, std) is "
            f"applied to input '{item.name}' all the same. Give raw pixels, or take preprocess "
            "out of the spec",
            stacklevel=4,
        )
