"""Values in other shapes and orders: reshapes, permutations, parts, joins, padding."""

from collections.abc import Sequence
from math import prod

import numpy as np

from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.converters.importers.layers.scale import affine
from thresher.converters.importers.layers.window import LARGEST_FIELD, Sides, expect_channels
from thresher.errors import GraphError
from thresher.ir.op import Shape
from thresher.ir.ops import Concat, Flatten, Pad, Permute, Reshape, Slice, UpsampleNearest


def reshape(b: GraphBuilder, name: str, x: Value, shape: Shape) -> Value:
    """Fold the values, row-major, into a shape."""
    if prod(shape) != prod(x.shape):
        raise GraphError(f"{list(x.shape)} does not fill {list(shape)}; the batch is no part of it")
    return b.add(name, Flatten() if len(shape) == 1 else Reshape(shape=shape), x)


def reshape_if_needed(b: GraphBuilder, name: str, x: Value, shape: Shape) -> Value:
    return x if x.shape == shape else reshape(b, name, x, shape)


def permute(b: GraphBuilder, name: str, x: Value, order: Sequence[int]) -> Value:
    """Bring the axes, without the batch axis, into another order; those of size 1 fold.

    One permutation after another is one of what the first reads.
    """
    before = b.node(x)
    if before is not None and isinstance(before.op, Permute):
        first = before.op.order
        sizes = tuple(x.shape[first.index(axis)] for axis in range(len(first)))
        x, order = Value(before.inputs[0], sizes), [first[axis] for axis in order]
    shape = tuple(x.shape[axis] for axis in order)
    moved = [axis for axis in order if x.shape[axis] != 1]
    if moved == sorted(moved):
        return reshape_if_needed(b, name, x, shape)
    return b.add(name, Permute(order=tuple(order)), x)


def as_image(b: GraphBuilder, name: str, x: Value) -> Value:
    """Make (C, L) an image of height 1."""
    if len(x.shape) == 3:
        return x
    return reshape(b, f"{name}.image", x, (x.shape[0], 1, x.shape[1]))


def as_before(b: GraphBuilder, name: str, y: Value, x: Value) -> Value:
    """Take the height of 1 out again, where `x` had none."""
    return y if len(x.shape) == 3 else reshape(b, f"{name}.row", y, (y.shape[0], y.shape[2]))


def join(b: GraphBuilder, name: str, parts: Sequence[Value | Array], axis: int) -> Value:
    """Join values, and constants at either end, along an axis without the batch axis.

    Constants become zeros that the values are padded with, and an offset.
    """
    given = [place for place, part in enumerate(parts) if isinstance(part, Value)]
    values = [part for part in parts if isinstance(part, Value)]
    if len(values) == len(parts):
        return b.add(name, Concat(axis=axis), *values)
    first, last = given[0], given[-1]
    if len(values) <= last - first:
        raise GraphError("joins a constant between values; expected it before or after them")
    shape = values[0].shape
    ends = [
        [np.broadcast_to(part, (*shape[:axis], part.shape[axis], *shape[axis + 1 :]))
         for part in side if not isinstance(part, Value)]
        for side in (parts[:first], parts[last + 1 :])
    ]  # fmt: skip
    x = values[0] if len(values) == 1 else b.add(f"{name}.values", Concat(axis=axis), *values)
    inner = np.zeros(x.shape, np.float32)
    offset = np.concatenate([*ends[0], inner, *ends[1]], axis)
    sides = [(0, 0)] * len(shape)
    sides[axis] = (
        sum(part.shape[axis] for part in ends[0]), sum(part.shape[axis] for part in ends[1])
    )  # fmt: skip
    padded = pad(b, f"{name}.pad", x, sides, 0.0, "constant")
    return affine(b, name, padded, 1.0, offset)


def concatenate(b: GraphBuilder, name: str, parts: Sequence[Value], axis: int) -> Value:
    """Join values along an axis that counts the batch axis."""
    axis = axis_of(axis, parts[0])
    return b.add(name, Concat(axis=axis - 1), *parts)


def cut(b: GraphBuilder, name: str, x: Value, before: Sequence[int], after: Sequence[int]) -> Value:
    """Leave out so many places at both ends of each axis."""
    start = tuple(before)
    stop = tuple(n - end for n, end in zip(x.shape, after, strict=True))
    if any(low < 0 or high > n for low, high, n in zip(start, stop, x.shape, strict=True)):
        raise GraphError(f"cuts {list(before)} and {list(after)} places off {list(x.shape)}")
    return b.add(name, Slice(start=start, stop=stop), x)


def take(
    b: GraphBuilder, name: str, x: Value, axis: int, start: int, stop: int, step: int = 1
) -> Value:
    """Take start:stop:step of one axis, as Python does; `axis` counts the batch axis."""
    if step < 1:
        raise GraphError(f"goes backwards, by {step}; expected a step of at least 1")
    place = axis_of(axis, x) - 1
    first, last, _ = slice(start, stop).indices(x.shape[place])
    if (first, last, step) == (0, x.shape[place], 1):
        return x
    bounds: list[list[int | None]] = [[None] * len(x.shape) for _ in range(3)]
    for bound, number in zip(bounds, (first, last, step), strict=True):
        bound[place] = number
    return b.add(
        name, Slice(start=tuple(bounds[0]), stop=tuple(bounds[1]), step=tuple(bounds[2])), x
    )


def pad(
    b: GraphBuilder, name: str, x: Value, sides: Sequence[Sides], value: float, mode: str
) -> Value:
    """Put zeros before and after each axis of (C,), (C, L) or (C, H, W); negative ones cut."""
    if mode != "constant" or (value != 0 and any(map(any, sides))):
        raise GraphError(f"pads with {value:g} in mode '{mode}'; expected zeros, mode 'constant'")
    if any(min(pair) < 0 for pair in sides):
        before, after = zip(*((max(0, -a), max(0, -z)) for a, z in sides), strict=True)
        x = cut(b, f"{name}.cut", x, before, after)
    pairs = [(max(0, before), max(0, after)) for before, after in sides]
    if not any(map(any, pairs)) and any(map(any, sides)):
        return x
    if any(end > LARGEST_FIELD for pair in pairs for end in pair):
        raise GraphError(f"pads by {pairs}; expected at most {LARGEST_FIELD:,}")
    axes = {1: ("channels",), 2: ("channels", "width"), 3: ("channels", "height", "width")}
    if len(pairs) not in axes:
        raise GraphError(f"pads {list(x.shape)}; expected (C,), (C, L) or (C, H, W)")
    return b.add(name, Pad(**dict(zip(axes[len(pairs)], pairs, strict=True))), x)


def upsample(b: GraphBuilder, name: str, x: Value, scale: Sequence[int]) -> Value:
    """Repeat each place of (C, L) or (C, H, W)."""
    n = expect_channels(x, (1, 2))
    across = tuple(scale) if n == 2 else (1, *scale)
    y = b.add(name, UpsampleNearest(scale=across), as_image(b, name, x))  # type: ignore[arg-type]
    return as_before(b, name, y, x)


def axis_of(axis: int, x: Value) -> int:
    """Return an axis counted from the batch axis, which itself is refused."""
    rank = len(x.shape) + 1
    found = axis + rank if axis < 0 else axis
    if not 1 <= found < rank:
        raise GraphError(
            f"works along axis {axis} of a batch (N, {', '.join(map(str, x.shape))}); expected an "
            "axis of the samples, from 1 on"
        )
    return found
