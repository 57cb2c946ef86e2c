"""Keras' layers that fold, cut, pad and repeat."""

from math import prod

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.keras.call import HANDLERS, Here, Item
from thresher.converters.importers.keras.order import counted, whole
from thresher.converters.importers.layers import Sides
from thresher.errors import GraphError


@HANDLERS.of("Permute")
def _permute(here: Here) -> Item:
    """Bring Keras' axes, counted from 1, into another order."""
    rank = len(here.x.shape)
    dims = here.get("dims")
    if sorted(dims) != list(range(1, rank + 1)):
        raise GraphError(f"brings the axes into the order {dims}")
    if not here.channels_last:
        return Item(layers.permute(here.b, here.name, here.x.value, [axis - 1 for axis in dims]))
    ours = [here.ours(axis) for axis in dims]
    return Item(layers.permute(here.b, here.name, here.x.value, [ours[-1], *ours[:-1]]))


@HANDLERS.of("Flatten")
def _flatten(here: Here) -> Item:
    """Fold all axes into one, in Keras' order (H, W, C), which channels first hide behind too."""
    last = here.channels_last or here.get("data_format", "channels_last") == "channels_first"
    y = layers.reshape(here.b, here.name, here.x.value, (prod(here.x.shape),))
    return Item(y, here.x.order if len(here.x.shape) == 1 else counted(here.x.shape, last))


@HANDLERS.of("Reshape")
def _reshape(here: Here) -> Item:
    """Fold into a shape, where Keras' order and ours lead to the same places."""
    asked = list(here.get("target_shape"))
    count = prod(here.x.shape)
    if -1 in asked:
        asked[asked.index(-1)] = count // max(1, prod(size for size in asked if size != -1))
    if prod(asked) != count or not asked:
        raise GraphError(f"folds {list(here.x.shape)} into {asked}, which it does not fill")
    last = here.channels_last
    shape = (asked[-1], *asked[:-1]) if last else tuple(asked)
    order = here.x.order if len(here.x.shape) == 1 else counted(here.x.shape, last)
    wanted = counted(shape, last)
    y = layers.reshape_if_needed(here.b, here.name, here.x.value, shape)
    if len(shape) == 1:
        return Item(y, order)
    if not np.array_equal(whole(order, count), whole(wanted, count)):
        raise GraphError(
            f"folds channels and places of {list(here.x.shape)} into one another; expected a "
            "Flatten, or a shape that keeps them apart"
        )
    return Item(y)


@HANDLERS.of("ZeroPadding1D", "ZeroPadding2D")
def _zero_padding(here: Here) -> Item:
    sides = [(0, 0), *_sides(here, "padding")]
    return Item(layers.pad(here.b, here.name, here.x.value, sides, 0.0, "constant"))


@HANDLERS.of("Cropping1D", "Cropping2D")
def _cropping(here: Here) -> Item:
    before, after = zip((0, 0), *_sides(here, "cropping"), strict=True)
    return Item(layers.cut(here.b, here.name, here.x.value, before, after))


@HANDLERS.of("UpSampling1D", "UpSampling2D")
def _upsampling(here: Here) -> Item:
    if here.get("interpolation", "nearest") != "nearest":
        raise GraphError(f"interpolates '{here.get('interpolation')}'; expected 'nearest'")
    scale = here.pair("size", len(here.x.shape) - 1)
    return Item(layers.upsample(here.b, here.name, here.x.value, scale))


def _sides(here: Here, name: str) -> list[Sides]:
    """Read the sides of each axis after the channels: a number, one an axis, or two."""
    n, given = len(here.x.shape) - 1, here.get(name, 1)
    if n == 1 and isinstance(given, list) and all(isinstance(item, int) for item in given):
        given = [given]
    items = [given] * n if isinstance(given, int) else given
    pairs = [(item, item) if isinstance(item, int) else tuple(item) for item in items]
    if len(pairs) != n or n < 1:
        raise GraphError(f"'{name}' is {given}; expected both sides of {n} axes")
    return pairs
