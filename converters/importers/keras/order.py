"""Keras' order of numbers, channels last, and ours."""

from math import prod

import numpy as np

from thresher.converters.importers.builder import Array
from thresher.converters.importers.keras.call import Item
from thresher.errors import GraphError
from thresher.ir.op import Shape

LARGEST_FLATTENED = 2**24


def order_of(item: Item) -> Array:
    return whole(item.order, prod(item.shape))


def same_order(one: Item, other: Item) -> bool:
    if one.order is None and other.order is None:
        return True
    return one.shape == other.shape and np.array_equal(order_of(one), order_of(other))


def counted(shape: Shape, channels_last: bool) -> Array | None:
    """Return where each number of (places, channels) stands in (channels, places)."""
    if not channels_last or len(shape) == 1 or shape[0] == 1 or prod(shape[1:]) == 1:
        return None
    if prod(shape) > LARGEST_FLATTENED:
        raise GraphError(f"flattens {list(shape)}; expected at most {LARGEST_FLATTENED:,} numbers")
    places = np.arange(prod(shape)).reshape(shape)
    return np.moveaxis(places, 0, -1).ravel()


def whole(order: Array | None, count: int) -> Array:
    return np.arange(count) if order is None else order
