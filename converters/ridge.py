"""Weights refitted by ridge regression, so that a layer gives less of an error."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.ir.convolution import patches
from thresher.ir.ops import Conv2d, Linear
from thresher.ir.threads import map_in_threads

Array = NDArray[Any]
Floats = NDArray[np.float64]

SAMPLES_A_WEIGHT = 64
"""Rows of the regression for each unknown of an output; more are left out, evenly."""
BATCH = 32


def refit(op: Conv2d | Linear, x: Array, residual: Array, penalty: float) -> tuple[Array, Array]:
    """Return the weight and the bias that take away what of a residual the layer can explain.

    Minimises, for every output channel, mean (r - dw x - db)^2 + penalty * p * |dw|^2 over
    images and places, p being the mean square of the inputs (Hoerl and Kennard 1970).

    Parameters
    ----------
    x : ndarray
        What reaches the layer, (N, *in_shape).
    residual : ndarray
        What should be added to what the layer gives, (N, *out_shape).
    penalty : float
        Above 0; the larger, the less the weights change.
    """
    groups = op.groups if isinstance(op, Conv2d) else 1
    gram, mixed, rows = _moments(op, x, residual, groups)
    gram, mixed = gram / rows, mixed / rows
    unknowns = gram.shape[-1] - 1
    power = np.trace(gram[:, :unknowns, :unknowns], axis1=1, axis2=2) / unknowns
    ridge = np.zeros((groups, unknowns + 1))
    ridge[:, :unknowns] = np.maximum(penalty * power, np.finfo(np.float32).tiny)[:, None]
    ridge[:, unknowns] = np.finfo(np.float64).eps
    found = np.linalg.solve(gram + ridge[:, :, None] * np.eye(unknowns + 1), mixed)
    change = found.swapaxes(1, 2).reshape(-1, unknowns + 1)
    weight = op.weight.values + change[:, :unknowns].reshape(op.weight.shape)
    bias = change[:, unknowns] + (0.0 if op.bias is None else op.bias.values)
    return weight.astype(np.float32), bias.astype(np.float32)


def _moments(
    op: Conv2d | Linear, x: Array, residual: Array, groups: int
) -> tuple[Floats, Floats, int]:
    """Sum, over images and places, inputs * inputs and inputs * residuals; a constant is last."""
    unknowns = prod(op.weight.shape[1:]) + 1
    gram = np.zeros((groups, unknowns, unknowns))
    mixed = np.zeros((groups, unknowns, len(op.weight.values) // groups))
    total = prod(residual.shape) // residual.shape[1]
    every = max(1, total // (SAMPLES_A_WEIGHT * unknowns))
    rows = 0

    def moments_of(start: int) -> tuple[Array, Array, int]:
        part = slice(start, start + BATCH)
        inputs = _inputs(op, x[part], every)  # n, groups * K, places
        n, _, places = inputs.shape
        wanted = residual[part].reshape(n, len(op.weight.values), -1)[:, :, ::every]
        a = _rows_last(inputs, groups)
        a = np.concatenate([a, np.ones((groups, 1, n * places), a.dtype)], axis=1)
        b = _rows_last(wanted, groups).swapaxes(1, 2)
        return a @ a.swapaxes(1, 2), a @ b, n * places

    for squares, products, n_rows in map_in_threads(moments_of, range(0, len(x), BATCH)):
        gram += squares
        mixed += products
        rows += n_rows
    return gram, mixed, rows


def _inputs(op: Conv2d | Linear, x: Array, every: int) -> Array:
    if isinstance(op, Linear):
        return x[:, :, None]
    windows = patches(x, op.weight.shape[2:], op.stride, op.padding, op.dilation)
    return windows[:, :, ::every]


def _rows_last(values: Array, groups: int) -> Array:
    """Return (n, groups * k, places) as (groups, k, n * places)."""
    n, _, places = values.shape
    by_group = values.reshape(n, groups, -1, places).transpose(1, 2, 0, 3)
    return by_group.reshape(groups, -1, n * places)
