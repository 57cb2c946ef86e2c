"""Recordings of event cameras as a graph takes them: events by sample, or their frames."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from thresher.ir.images import Images

EVENT = np.dtype([("t", "<i8"), ("x", "<i4"), ("y", "<i4"), ("p", "i1")])
"""Time in microseconds from the sample's start, place, and polarity."""


@runtime_checkable
class Recordings(Images, Protocol):
    """Recordings of an input of one channel or more, (N, C, H, W); as images, their frames.

    A frame counts the events of each pixel: with one channel those of polarity 1 less those of
    polarity 0, with several those of each polarity, which is then the channel.
    """

    def events(self, index: int) -> NDArray[Any]:
        """Return the events of a sample, of type `EVENT`, in the order of their times."""
        ...


def frame_of(events: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Count the events of a sample: (C, H, W)."""
    values = signs_of(events, shape) if len(events) else None
    counts = np.bincount(pixels_of(events, shape), values, int(np.prod(shape)))
    return counts.astype(np.float32).reshape(shape)


def pixels_of(events: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the row-major index of each event's neuron in (C, H, W)."""
    channels, height, width = shape
    channel = events["p"].astype(np.int64) if channels > 1 else 0
    found: NDArray[np.int64] = (channel * height + events["y"]) * width + events["x"]
    return found


def signs_of(events: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return what each event adds to its pixel: with one channel -1 for polarity 0."""
    if shape[0] > 1:
        return np.ones(len(events), np.int64)
    return 2 * events["p"].astype(np.int64) - 1
