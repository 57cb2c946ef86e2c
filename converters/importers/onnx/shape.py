"""ONNX's operators that move, cut and join values."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

from thresher.converters.importers import layers, placed
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layers import Sides
from thresher.converters.importers.layout import Placed
from thresher.converters.importers.onnx.fold import new_shape, squeezed, unsqueezed
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.walk import Given, Here
from thresher.errors import GraphError


@HANDLERS.of("Flatten")
def _flatten(here: Here) -> Given:
    sizes, axis = here.sizes(), here.get("axis", 1)
    if here.placed().is_plain and axis in (1, 1 - len(sizes)):
        return layers.reshape(here.b, here.name, here.x(), (prod(sizes[1:]),))
    return _folded(here, [prod(sizes[:axis]), prod(sizes[axis:])])


@HANDLERS.of("Reshape")
def _reshape(here: Here) -> Placed:
    asked, allow_zero = here.constant(1).tolist(), bool(here.get("allowzero", 0))
    return _folded(here, new_shape(asked, here.sizes(), allow_zero))


@HANDLERS.of("Squeeze")
def _squeeze(here: Here) -> Placed:
    return _folded(here, squeezed(here.ints("axes", 1), here.sizes()))


@HANDLERS.of("Unsqueeze")
def _unsqueeze(here: Here) -> Placed:
    return _folded(here, unsqueezed(here.ints("axes", 1) or [], here.sizes()))


@HANDLERS.of("Transpose")
def _transpose(here: Here) -> Placed:
    x = here.placed()
    return x.permuted(here.b, here.name, here.get("perm", list(range(x.rank))[::-1]))


@HANDLERS.of("Gather")
def _gather(here: Here) -> Placed:
    """Take one place of an axis."""
    index, x = here.constant(1), here.placed()
    if index.ndim:
        raise GraphError(f"takes the places {index.tolist()[:8]} of an axis; expected one number")
    return placed.select(here.b, here.name, x, here.get("axis", 0), int(index))


@HANDLERS.of("Expand")
def _expand(here: Here) -> Placed:
    asked = here.constant(1).tolist()
    if list(np.broadcast_shapes(tuple(asked), tuple(here.sizes()))) != here.sizes():
        raise GraphError(f"repeats values {here.sizes()} to {asked}")
    return here.placed()


@HANDLERS.of("Concat")
def _concat(here: Here) -> Placed:
    places = range(len(here.call.inputs))
    parts = [here.constant(p) if here.is_constant(p) else here.placed(p) for p in places]
    return placed.join(here.b, here.name, parts, here.get("axis"))


@HANDLERS.of("Slice")
def _slice(here: Here) -> Placed:
    x = here.placed()
    starts, stops = here.constant(1).tolist(), here.constant(2).tolist()
    axes, steps = here.optional(3), here.optional(4)
    places = list(range(len(starts))) if axes is None else axes.tolist()
    strides = [1] * len(starts) if steps is None else steps.tolist()
    for axis, start, stop, step in zip(places, starts, stops, strides, strict=True):
        if axis % x.rank == x.axis and (start, step) == (0, 1) and stop >= here.walk.batch:
            continue
        x = placed.take(here.b, here.name, x, axis, start, stop, step)
    return x


@HANDLERS.of("Split")
def _split(here: Here) -> list[Given]:
    x, axis = here.placed(), here.get("axis", 0)
    size, n = x.value.shape[x.place(axis)], len(here.call.outputs)
    parts = here.ints("split", 1) or [-(-size // n)] * (n - 1) + [size - -(-size // n) * (n - 1)]
    if sum(parts) != size or len(parts) != n or min(parts) < 1:
        raise GraphError(f"splits {size} into {parts}")
    ends = np.cumsum([0, *parts]).tolist()
    return [placed.take(here.b, here.name, x, axis, *part) for part in pairwise(ends)]


@HANDLERS.of("Pad")
def _pad(here: Here) -> Value:
    x, pads = here.x(), here.constant(1).tolist()
    rank = len(x.shape) + 1
    axes = here.optional(3)
    places = list(range(rank)) if axes is None else [axis % rank for axis in axes.tolist()]
    if len(pads) != 2 * len(places):
        raise GraphError(
            f"'pads' is {pads}; expected {2 * len(places)} numbers for {len(places)} axes"
        )
    sides: list[Sides] = [(0, 0)] * rank
    for place, before, after in zip(places, pads[: len(places)], pads[len(places) :], strict=True):
        sides[place] = (before, after)
    if any(sides[0]):
        raise GraphError("pads the batch; expected an axis of the samples, from 1 on")
    value = here.optional(2)
    number = 0.0 if value is None or not value.size else float(value.item())
    return layers.pad(here.b, here.name, x, sides[1:], number, here.get("mode", "constant"))


def _folded(here: Here, sizes: Sequence[int]) -> Placed:
    return here.placed().folded(here.b, here.name, sizes, here.walk.batch)
