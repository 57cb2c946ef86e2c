"""Layers that compute wherever a tensor's batch axis is; axes are the tensor's, with the batch's.

Each function adds what it needs to a builder and returns the value of the whole, in its layout.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Array, GraphBuilder
from thresher.converters.importers.layout import Placed
from thresher.errors import GraphError
from thresher.ir import Op, Tensor
from thresher.ir.ops import Add, LayerNorm, MatMul


def pointwise(b: GraphBuilder, name: str, x: Placed, op: Op) -> Placed:
    """Apply a function of each value alone."""
    return x.holding(b.add(name, op, x.value))


def linear(b: GraphBuilder, name: str, x: Placed, weight: Tensor, bias: Tensor | None) -> Placed:
    """Multiply the last axis by a weight (out, in)."""
    x.place(-1)
    return x.holding(layers.linear(b, name, x.value, weight, bias))


def matrix_product(b: GraphBuilder, name: str, x: Placed, y: Placed) -> Placed:
    """Multiply matrices, the last two axes, of two values."""
    _expect_alike(x, y, apart_from=2)
    return x.holding(b.add(name, MatMul(), x.value, y.value))


def attention(
    b: GraphBuilder, name: str, query: Placed, key: Placed, value: Placed, scale: float | None
) -> Placed:
    """Weigh values by how queries meet keys; see `layers.attention`."""
    _expect_alike(query, key, value, apart_from=2)
    given = query.value, key.value, value.value
    return query.holding(layers.attention(b, name, *given, scale))


def add(b: GraphBuilder, name: str, *values: Placed) -> Placed:
    """Sum values of one shape."""
    _expect_alike(*values)
    return values[0].holding(b.add(name, Add(), *(item.value for item in values)))


def multiply(b: GraphBuilder, name: str, x: Placed, y: Placed) -> Placed:
    """Multiply two values; see `layers.multiply`."""
    _expect_alike(x, y)
    return x.holding(layers.multiply(b, name, x.value, y.value))


def affine(
    b: GraphBuilder,
    name: str,
    x: Placed,
    factor: Array | float,
    offset: Array | float | None = None,
) -> Placed:
    """Multiply by a constant and add one, which broadcast over the tensor."""
    shift = None if offset is None else _of_sample(np.asarray(offset), x)
    gain = _of_sample(np.asarray(factor), x)
    return x.holding(layers.affine(b, name, x.value, gain, shift))


def softmax(b: GraphBuilder, name: str, x: Placed, axis: int) -> Placed:
    """Take the softmax along an axis."""
    return x.holding(layers.softmax(b, name, x.value, x.place(axis)))


def layer_norm(b: GraphBuilder, name: str, x: Placed, op: LayerNorm) -> Placed:
    """Normalise over the last axes."""
    for axis in range(1, op.axes + 1):
        x.place(-axis)
    return x.holding(b.add(name, op, x.value))


def mean(b: GraphBuilder, name: str, x: Placed, axes: Sequence[int], keep: bool) -> Placed:
    """Average over axes; `keep` leaves axes of size 1."""
    if not axes:
        raise GraphError("averages all axes, the batch too; expected those of the samples")
    y = layers.mean(b, name, x.value, sorted(x.place(axis) for axis in axes), keep)
    gone = 0 if keep else sum(axis % x.rank < x.axis for axis in axes)
    return replace(x, value=y, axis=x.axis - gone)


def take(
    b: GraphBuilder, name: str, x: Placed, axis: int, start: int, stop: int, step: int = 1
) -> Placed:
    """Take start:stop:step of an axis, as Python does."""
    return x.holding(layers.take(b, name, x.value, x.place(axis) + 1, start, stop, step))


def select(b: GraphBuilder, name: str, x: Placed, axis: int, index: int) -> Placed:
    """Take one place of an axis, and the axis away."""
    y = take(b, name, x, axis, index, index + 1 if index != -1 else 2**62).value
    place = x.place(axis)
    rest = (*y.shape[:place], *y.shape[place + 1 :])
    value = layers.reshape_if_needed(b, f"{name}.shape", y, rest)
    return replace(x, value=value, axis=x.axis - (axis % x.rank < x.axis))


def join(b: GraphBuilder, name: str, parts: Sequence[Placed | Array], axis: int) -> Placed:
    """Join values, and constants at either end, such as the token of a class."""
    values = [part for part in parts if isinstance(part, Placed)]
    _expect_alike(*values)
    first = values[0]
    joined = [part.value if isinstance(part, Placed) else _of_sample(part, first) for part in parts]
    return first.holding(layers.join(b, name, joined, first.place(axis)))


def _expect_alike(*values: Placed, apart_from: int = 0) -> None:
    """Raise GraphError where values do not have the batch in one place, before the last axes."""
    first = values[0]
    if any((item.layout, item.rank) != (first.layout, first.rank) for item in values):
        raise GraphError("computes with values that hold the batch in different places")
    for value in values:
        for axis in range(1, apart_from + 1):
            value.place(-axis)


def _of_sample(constant: Array, x: Placed) -> Array:
    """Return a constant that broadcasts over x's tensor without the batch's axis."""
    if constant.size == 1 and constant.ndim <= x.rank:
        return constant.reshape(())
    whole = constant.reshape((*[1] * (x.rank - constant.ndim), *constant.shape))
    if whole.ndim > x.rank or (whole != whole.take([0], x.axis)).any():
        raise GraphError(
            f"has a constant {list(constant.shape)} that tells samples apart; expected one that is "
            "the same for all of a batch"
        )
    parts = [1] * (len(x.value.shape) + 1 - x.rank)
    shape = (*whole.shape[: x.axis], *parts, *whole.shape[x.axis + 1 :])
    return whole.take([0], x.axis).reshape(shape)
