"""Statistics of activations over calibration images, streamed: maxima, then histograms."""

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import DataError
from thresher.ir import Graph, evaluate
from thresher.ir.images import check_images, preprocess
from thresher.ir.ops import LeakyRelu

Array = NDArray[Any]
Floats = NDArray[np.float64]

BINS = 2048
"""Bins of a histogram, each 1/2048 of the maximum: 16 kB a channel."""
GRID = 200
"""Thresholds that the search for the least square error tries, up to the maximum."""
BATCH = 32
COUNTED_AT_ONCE = 2**20
"""Values of a node that are sorted into bins together, at about 30 bytes each."""
ADVISED = 100


@dataclass(frozen=True, eq=False)
class Histogram:
    """Count a node's positive values, per channel or for the whole layer (one row).

    `counts` (rows, BINS) covers (0, top] of each row in equal bins; `values` is the number of
    values in a row, those that are not positive included. A row whose top is 0 counts nothing.
    """

    top: Floats
    counts: NDArray[np.int64]
    values: int

    @property
    def rows(self) -> int:
        return len(self.top)


def check_calibration(graph: Graph, images: Array) -> None:
    """Raise DataError unless there are enough images and they fit the graph's input."""
    images = np.asarray(images)
    if images.ndim == 0 or len(images) < 2:
        found = "no image" if not images.size else "a single image"
        raise DataError(
            f"the calibration data hold {found}; statistics over it mean nothing: give at least "
            f"2 images, better {ADVISED} or more, drawn from the training set"
        )
    check_images(graph, images)


def check_classes(graph: Graph, images: Array, labels: Array) -> None:
    """Raise DataError unless there is a label an image; warn where all are of one class."""
    labels = np.asarray(labels)
    if labels.shape != (len(images),):
        raise DataError(
            f"the labels of the calibration data are {list(labels.shape)} for {len(images)} "
            f"images; expected [{len(images)}], one an image"
        )
    found = np.unique(labels)
    if len(found) > 1:
        return
    (label,) = found.tolist()
    named = isinstance(label, int) and 0 <= label < len(graph.labels)
    said = f"{label} ('{graph.labels[label]}')" if named else f"{label}"
    warnings.warn(
        f"all {len(images)} calibration images are of class {said}, and statistics over them say "
        "nothing of the others: draw images of all classes from the training set",
        stacklevel=2,
    )


def fingerprint(images: Array) -> str:
    """Return the SHA-256 of the images' type, shape and bytes (row-major, little-endian)."""
    digest = hashlib.sha256(f"{images.dtype.name} {list(images.shape)} ".encode())
    little = images.dtype.newbyteorder("<")
    for start in range(0, len(images), BATCH):
        digest.update(images[start : start + BATCH].astype(little).tobytes())
    return digest.hexdigest()


def input_range(graph: Graph, images: Array) -> tuple[float, float]:
    """Return the least and the largest value of the preprocessed images."""
    starts = range(0, len(images), BATCH)
    blocks = (preprocess(graph, images[i : i + BATCH]) for i in starts)
    ends = [(float(block.min()), float(block.max())) for block in blocks]
    return min(least for least, _ in ends), max(largest for _, largest in ends)


def input_maximum(graph: Graph, images: Array) -> float:
    """Return the largest absolute value of the preprocessed images."""
    least, largest = input_range(graph, images)
    return max(-least, largest)


def maxima(graph: Graph, nodes: set[str], images: Array) -> dict[str, Floats]:
    """Return the largest value of every channel (first axis) of each node, over all images.

    Of a leaky ReLU or an operator it is the largest magnitude: neurons reach it with either sign.

    Raises
    ------
    DataError
        Where a node's values are not all finite.
    """
    found: dict[str, Floats] = {}

    def keep(name: str, y: Array) -> None:
        if name in nodes:
            reached = _reached(graph, name, y)
            top = reached.max(axis=(0, *range(2, y.ndim))).astype(np.float64)
            if not np.isfinite(top).all():
                raise DataError(
                    f"node '{name}' gives NaN or infinite values over the calibration images; "
                    "expected finite weights"
                )
            found[name] = np.maximum(found[name], top) if name in found else top

    if nodes:
        evaluate(graph, images, hook=keep, batch=BATCH)
    return found


def histograms(graph: Graph, tops: Mapping[str, Floats], images: Array) -> dict[str, Histogram]:
    """Count the values of each node in equal bins of (0, top]; a leaky ReLU's magnitudes.

    Parameters
    ----------
    tops : mapping
        The upper ends: one for each channel, or a single one for the whole layer.
    """
    counts = {name: np.zeros((len(top), BINS), np.int64) for name, top in tops.items()}
    values = dict.fromkeys(tops, 0)

    def keep(name: str, y: Array) -> None:
        if name in tops:
            rows = _reached(graph, name, y).reshape(len(y), len(tops[name]), -1)
            values[name] += rows[:, 0].size
            at_once = max(1, COUNTED_AT_ONCE // rows[0].size)
            for start in range(0, len(rows), at_once):
                counts[name] += _count(rows[start : start + at_once], tops[name])

    if tops:
        evaluate(graph, images, hook=keep, batch=BATCH)
    return {name: Histogram(top, counts[name], values[name]) for name, top in tops.items()}


def _reached(graph: Graph, name: str, y: Array) -> Array:
    """Return what the spikes of a node's neurons have to reach."""
    op = graph[name].op
    return np.abs(y) if isinstance(op, LeakyRelu) or op.can_operate else y


def _count(rows: Array, top: Floats) -> NDArray[np.int64]:
    """Count the positive values of rows (n, rows, values); bin b holds (b, b + 1] * top / BINS."""
    bins_a_unit = np.divide(BINS, top, out=np.zeros_like(top), where=top > 0)
    place = np.ceil(rows * bins_a_unit[:, None]).astype(np.int64) - 1
    kept = (rows > 0) & (top > 0)[:, None]
    place = np.clip(place, 0, BINS - 1) + BINS * np.arange(len(top))[:, None]
    return np.bincount(place[kept], minlength=BINS * len(top)).reshape(len(top), BINS)


def percentile(histogram: Histogram, percent: float, over: str) -> Floats:
    """Return, for each row, the value below which `percent` of its values lie, to within a bin.

    `over` is "all" values or the "nonzero" ones.
    """
    return np.array([_percentile(histogram, row, percent, over) for row in range(histogram.rows)])


def _percentile(histogram: Histogram, row: int, percent: float, over: str) -> float:
    counts = histogram.counts[row]
    zeros = histogram.values - int(counts.sum()) if over == "all" else 0
    wanted = percent / 100 * (zeros + int(counts.sum()))
    if wanted <= zeros:
        return 0.0
    upto = zeros + np.cumsum(counts)
    found = int(np.searchsorted(upto, wanted))
    rest = (upto[found] - wanted) / counts[found]
    return float(histogram.top[row] * (found + 1 - rest) / BINS)


def least_square_error(histogram: Histogram, steps: int) -> Floats:
    """Return, for each row, the V that gives the spiking staircase the least mean square error.

    The staircase is that of v_init = V/2, V/T * clip(floor(x T/V + 1/2), 0, T); V is sought at
    the `GRID` equal parts of the row's maximum, the larger of two equals winning (Li et al. 2021).
    """

    def said(x: Floats, v: Floats) -> Floats:
        unit = v / steps
        near: Floats = unit * np.clip(np.floor(x / unit + 0.5), 0, steps)
        return near

    return _least_square_error(histogram, said)


def least_square_error_of_one(histogram: Histogram, thresholds: int) -> Floats:
    """Return, for each row, the V with which one multi-threshold spike says a value best.

    Of V, V/2, ... V / 2^(thresholds - 1) the spike is the largest whose 3/4 the value reaches. V is
    sought as in `least_square_error`; Huang et al. (2025, threshold iteration) take the values as
    normal, by their mean and variance, and come near it by a closed form, again and again.
    """

    def said(x: Floats, v: Floats) -> Floats:
        exponent = np.floor(np.log2(x / (0.75 * v)))
        return np.where(exponent > -thresholds, v * 2.0 ** np.minimum(exponent, 0), 0.0)

    return _least_square_error(histogram, said)


def _least_square_error(histogram: Histogram, said: Callable[[Floats, Floats], Floats]) -> Floats:
    """Return, for each row, the V of the grid for which what is said of values x is least off."""
    x = (np.arange(BINS) + 0.5) / BINS
    candidates = np.arange(GRID, 0, -1) / GRID
    error = (said(x, candidates[:, None]) - x) ** 2
    best: NDArray[np.intp] = np.argmin(histogram.counts @ error.T, axis=1)
    return histogram.top * candidates[best]


def iterated(histogram: Histogram, iterations: int) -> Floats:
    """Return, for each row, where threshold += 2 mean((z - threshold)^+) leads from 0.

    The mean is over all values of the row, as counted; a step beyond the row's maximum, where the
    iteration rests, ends there (Bu et al. 2025).
    """
    middle = (np.arange(BINS) + 0.5) / BINS
    counts = histogram.counts.astype(np.float64)
    beyond = (_from_above(counts), _from_above(counts * middle))
    n_above, sum_above = (np.pad(found, ((0, 0), (0, 1))) / histogram.values for found in beyond)
    rows = np.arange(histogram.rows)
    found = np.zeros(histogram.rows)  # in units of the maximum
    for _ in range(iterations):
        # Of the bins that lie above, the first is one whose middle does.
        first = np.ceil(found * BINS - 0.5).astype(np.int64)
        found += 2 * (sum_above[rows, first] - found * n_above[rows, first])
        found = np.minimum(found, 1.0)
    return histogram.top * found


def _from_above(counts: Floats) -> Floats:
    """Return the sum of each bin and those above it."""
    return np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
