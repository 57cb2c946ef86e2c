"""Places: where the neurons of a population stand in what comes next, axis by axis.

A pool, a slice, a flatten or a padding moves channels, rows and columns each for itself, so that
three short tables say what a list of all neurons would.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.sim import Population

Ints = NDArray[np.integer]
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Places:
    """int32 tables by channel, row and column of a neuron; -1 in any of them: it goes nowhere."""

    channel: Array
    row: Array
    column: Array


def planes(population: Population) -> tuple[int, int, int]:
    """Return a population's channels, height and width; 1 where it has no such axis."""
    shape = population.shape
    if len(shape) > 2:
        return shape[0], int(np.prod(shape[1:-1])), shape[-1]
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (1, 1, shape[0])


def channels_of(population: Population) -> int:
    """Return how many channels lie side by side in the engines' order."""
    return planes(population)[0]


def by_channel(values: Array, population: Population) -> Array:
    """Shorten values (n,) in the engines' order to one, or one a channel, where they repeat."""
    if (values == values[0]).all():
        return values[:1]
    rows = values.reshape(-1, channels_of(population))
    return rows[0] if (rows == rows[0]).all() else values


def sum_of_axes(rows: Ints, population: Population) -> Places | None:
    """Split rows (n,), engines' order, into a sum over the axes; None where they are none."""
    channels, height, width = planes(population)
    grid = rows.astype(np.int64).reshape(height, width, channels)
    kept = np.asarray(grid >= 0)
    if not kept.any():
        return None
    keeps = [np.asarray(kept.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if (kept != keeps[0][:, None, None] & keeps[1][:, None] & keeps[2]).any():
        return None
    y, x, c = (int(np.flatnonzero(keep)[0]) for keep in keeps)
    origin = grid[y, x, c]
    row, column = grid[:, x, c] - origin, grid[y, :, c] - origin
    channel = grid[y, x, :]
    total = row[:, None, None] + column[:, None] + channel
    pairs = tuple(zip((channel, row, column), (keeps[2], keeps[0], keeps[1]), strict=True))
    if (total != grid)[kept].any() or any(axis[keep].min() < 0 for axis, keep in pairs):
        return None
    return Places(*(np.where(keep, axis, -1).astype(np.int32) for axis, keep in pairs))


def axes_of(rows: Ints, channels: int, width: int, population: Population) -> Places | None:
    """Split rows = (y * width + x) * channels + c, (n,), into tables of c, y and x; or None."""
    position = rows // channels
    split = (rows % channels, position // width, position % width)
    parts = [np.where(rows < 0, -1, part) for part in split]
    n_channels, height, n_columns = planes(population)
    tables = []
    for part, axis in zip(parts, (2, 0, 1), strict=True):
        grid = part.reshape(height, n_columns, n_channels)
        others = tuple(other for other in range(3) if other != axis)
        tables.append(grid.max(axis=others))
    channel, row, column = tables
    kept = (row[:, None, None] >= 0) & (column[:, None] >= 0) & (channel >= 0)
    joined = (row[:, None, None] * width + column[:, None]) * channels + channel
    if (np.where(kept, joined, -1).ravel() != rows).any():
        return None
    return Places(*(table.astype(np.int32) for table in (channel, row, column)))
