"""Keras' sums, products and joins."""

from dataclasses import replace
from typing import Any

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Array
from thresher.converters.importers.keras.call import HANDLERS, Here, Item
from thresher.converters.importers.keras.order import order_of, same_order
from thresher.errors import GraphError
from thresher.ir.ops import Add


@HANDLERS.of("Add")
def _add(here: Here) -> Item:
    first = here.x
    if any(not same_order(first, item) for item in here.inputs):
        raise GraphError("adds Flattens of different shapes; expected one shape before them")
    values = [item.value for item in here.inputs]
    return Item(here.b.add(here.name, Add(), *values), first.order)


@HANDLERS.of("Subtract")
def _subtract(here: Here) -> Item:
    x, other = here.inputs
    negative = layers.affine(here.b, f"{here.name}.negative", other.value, -1.0)
    return _add(replace(here, inputs=(x, Item(negative, other.order))))


@HANDLERS.of("Multiply")
def _multiply(here: Here) -> Item:
    """Multiply two values; one of size 1 along an axis is a gate of what lies there."""
    if len(here.inputs) != 2 or any(item.order is not None for item in here.inputs):
        raise GraphError("multiplies Flattens, or more than two values; expected two as they are")
    x, other = (item.value for item in here.inputs)
    return Item(layers.multiply(here.b, here.name, x, other))


@HANDLERS.of("Concatenate")
def _concatenate(here: Here) -> Item:
    axis = here.ours(here.get("axis", -1))
    values = [item.value for item in here.inputs]
    y = layers.concatenate(here.b, here.name, values, axis + 1)
    if all(item.order is None for item in here.inputs):
        return Item(y)
    starts = np.cumsum([0, *(item.shape[0] for item in here.inputs)])
    orders = [order_of(item) + start for item, start in zip(here.inputs, starts, strict=False)]
    return Item(y, np.concatenate(orders))


@HANDLERS.of("Rescaling")
def _rescaling(here: Here) -> Item:
    """Compute x * scale + offset, each a number or one for each of the last axis."""
    factor, offset = (
        _of_channels(here, here.get(n, d)) for n, d in (("scale", 1.0), ("offset", 0.0))
    )
    shift = offset if offset.any() else None
    return Item(layers.affine(here.b, here.name, here.x.value, factor, shift), here.x.order)


def _of_channels(here: Here, given: Any) -> Array:
    values = np.asarray(given, np.float32)
    if values.ndim == 0:
        return values
    if values.ndim > 1 or here.x.order is not None or not here.channels_last:
        raise GraphError(
            f"has factors or offsets {list(values.shape)}; expected one number, or one for each "
            "channel, which comes last"
        )
    return values.reshape(-1, *[1] * (len(here.x.shape) - 1))
