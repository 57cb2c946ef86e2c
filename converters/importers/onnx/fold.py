"""Constants that an ONNX graph computes from constants, in numpy: shapes, weights, scales."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from thresher.converters.importers.builder import LARGEST_VALUE, Array
from thresher.errors import GraphError

OPEN_BATCH = 1_000_003
"""What an open batch axis counts as where shapes are computed: a prime that no other axis has."""

# of onnx.TensorProto.DataType
_CASTS = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64,
    9: np.bool_, 10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64, 16: np.float32,
}  # fmt: skip


class Folding(NamedTuple):
    """An operator on constants; an input that is left out is None."""

    inputs: Sequence[Array | None]
    attributes: Mapping[str, Any]

    def input(self, place: int) -> Array:
        found = self.optional(place)
        if found is None:
            raise GraphError(f"lacks input {place}")
        return found

    def optional(self, place: int) -> Array | None:
        return self.inputs[place] if place < len(self.inputs) else None

    def ints(self, name: str, place: int) -> list[int] | None:
        """Return whole numbers that are an attribute or, in later versions, an input."""
        given = self.attributes.get(name)
        values = self.optional(place) if given is None else np.asarray(given)
        return None if values is None else [int(item) for item in np.ravel(values)]


Fold = Callable[[Folding], Array]


def expect_room(shape: Sequence[int]) -> tuple[int, ...]:
    """Return a shape; raise GraphError where a constant of it would take too much memory."""
    sizes = tuple(int(size) for size in shape)
    if min(sizes, default=0) < 0 or prod(sizes) > LARGEST_VALUE or len(sizes) > 32:
        raise GraphError(f"would be a constant of {list(sizes)[:32]}; at most {LARGEST_VALUE:,}")
    return sizes


def new_shape(sizes: Sequence[int], shape: Sequence[int], allow_zero: bool = False) -> list[int]:
    """Return what Reshape makes of a shape; 0 keeps an axis, -1 takes what is left."""
    found = [
        shape[place] if size == 0 and not allow_zero and place < len(shape) else int(size)
        for place, size in enumerate(sizes)
    ]
    told = prod(size for size in found if size != -1)
    if found.count(-1) > 1 or min(found, default=1) < -1 or told == 0:
        raise GraphError(f"reshapes {list(shape)} to {list(sizes)}, which is no shape")
    found = [prod(shape) // told if size == -1 else size for size in found]
    if prod(found) != prod(shape):
        raise GraphError(f"reshapes {list(shape)} to {list(sizes)}, which it does not fill")
    return found


def squeezed(axes: Sequence[int] | None, shape: Sequence[int]) -> list[int]:
    """Return a shape without axes of size 1."""
    rank = len(shape)
    gone = [i for i, n in enumerate(shape) if n == 1] if axes is None else [a % rank for a in axes]
    if any(shape[axis] != 1 for axis in gone):
        raise GraphError(f"takes axes {gone} out of {list(shape)}; expected size 1 there")
    return [size for axis, size in enumerate(shape) if axis not in gone]


def unsqueezed(axes: Sequence[int], shape: Sequence[int]) -> list[int]:
    """Return a shape with axes of size 1 put in."""
    rank = len(shape) + len(axes)
    if rank > 32:
        raise GraphError(f"has {rank} axes; expected at most 32")
    new = {axis % rank for axis in axes}
    rest = iter(shape)
    return [1 if axis in new else next(rest) for axis in range(rank)]


def dequantised(values: Array, scale: Array, zero: Array | None, axis: int) -> Array:
    """Return (values - zero) * scale, by axis where scale is a list."""
    sizes = [1] * values.ndim
    if scale.size > 1:
        sizes[axis] = scale.size
    shift = 0 if zero is None else zero.astype(np.int64).reshape(sizes if zero.size > 1 else ())
    y: Array = (values.astype(np.int64) - shift).astype(np.float32)
    return y * scale.reshape(sizes if scale.size > 1 else ())


def _constant(f: Folding) -> Array:
    if len(f.attributes) != 1:
        raise GraphError("has no value")
    ((name, value),) = f.attributes.items()
    kinds = {"value_int": np.int64, "value_ints": np.int64}
    if name not in ("value", "value_float", "value_floats", *kinds):
        raise GraphError(f"holds its value as '{name}'; expected numbers")
    return np.asarray(value, kinds.get(name, None if name == "value" else np.float32))


def _constant_of_shape(f: Folding) -> Array:
    value = np.asarray(f.attributes.get("value", np.zeros(1, np.float32))).ravel()[:1]
    return np.array(np.broadcast_to(value, expect_room(f.input(0).tolist())))


def _reshape(f: Folding) -> Array:
    x = f.input(0)
    allow_zero = bool(f.attributes.get("allowzero", 0))
    return x.reshape(new_shape(f.input(1).tolist(), x.shape, allow_zero))


def _slice(f: Folding) -> Array:
    x, starts, stops = f.input(0), f.ints("", 1) or [], f.ints("", 2) or []
    axes = f.ints("", 3) or list(range(len(starts)))
    steps = f.ints("", 4) or [1] * len(starts)
    bounds = [slice(None)] * x.ndim
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        last: int | None = stop
        if step < 0 and stop < -x.shape[axis]:
            last = None
        bounds[axis] = slice(start, last, step)
    return x[tuple(bounds)]


def _cast(f: Folding) -> Array:
    kind = _CASTS.get(f.attributes.get("to", 0))
    if kind is None:
        raise GraphError(f"casts to type {f.attributes.get('to')}; expected plain numbers")
    return f.input(0).astype(kind)


def _binary(function: Callable[[Array, Array], Any]) -> Fold:
    def fold(f: Folding) -> Array:
        x, other = f.input(0), f.input(1)
        expect_room(np.broadcast_shapes(x.shape, other.shape))
        return np.asarray(function(x, other))

    return fold


def _divide(x: Array, other: Array) -> Any:
    if x.dtype.kind not in "iu":
        return x / other
    return np.fix(x / other).astype(x.dtype)


def _unary(function: Callable[[Array], Any]) -> Fold:
    return lambda f: np.asarray(function(f.input(0)))


def _range(f: Folding) -> Array:
    start, stop, step = (f.input(place).item() for place in range(3))
    expect_room([max(0, int(np.ceil((stop - start) / step)))])
    return np.asarray(np.arange(start, stop, step)).astype(f.input(0).dtype)


def _reduced(function: Callable[..., Any]) -> Fold:
    def fold(f: Folding) -> Array:
        axes = f.ints("axes", 1)
        keep = bool(f.attributes.get("keepdims", 1))
        axis = None if axes is None else tuple(axes)
        return np.asarray(function(f.input(0), axis=axis, keepdims=keep))

    return fold


def _dequantised(f: Folding) -> Array:
    if f.attributes.get("block_size", 0):
        raise GraphError("has a scale for each block; expected one, or one a channel")
    axis = f.attributes.get("axis", 1)
    return dequantised(f.input(0), f.input(1), f.optional(2), axis)


def _expand(f: Folding) -> Array:
    """Repeat a constant; over the batch it is left to be repeated where it is used."""
    asked = [1 if size == OPEN_BATCH else size for size in f.input(1).tolist()]
    sizes = np.broadcast_shapes(f.input(0).shape, expect_room(asked))
    return np.broadcast_to(f.input(0), expect_room(sizes))


FOLDERS: Mapping[str, Fold] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Identity": lambda f: f.input(0),
    "Shape": lambda f: np.array(
        f.input(0).shape[f.attributes.get("start", 0) : f.attributes.get("end")], np.int64
    ),
    "Gather": lambda f: np.take(f.input(0), f.input(1), axis=f.attributes.get("axis", 0)),
    "Concat": lambda f: np.concatenate(
        [f.input(place) for place in range(len(f.inputs))], axis=f.attributes["axis"]
    ),
    "Unsqueeze": lambda f: f.input(0).reshape(
        unsqueezed(f.ints("axes", 1) or [], f.input(0).shape)
    ),
    "Squeeze": lambda f: f.input(0).reshape(squeezed(f.ints("axes", 1), f.input(0).shape)),
    "Slice": _slice,
    "Cast": _cast,
    "Reshape": _reshape,
    "Flatten": lambda f: f.input(0).reshape(
        prod(f.input(0).shape[: f.attributes.get("axis", 1)]), -1
    ),
    "Transpose": lambda f: np.transpose(f.input(0), f.attributes.get("perm")),
    "Expand": _expand,
    "Range": _range,
    "Where": lambda f: np.where(f.input(0), f.input(1), f.input(2)),
    "Equal": _binary(np.equal),
    "Add": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Div": _binary(_divide),
    "Mod": _binary(np.mod),
    "Pow": _binary(np.power),
    "Neg": _unary(np.negative),
    "Abs": _unary(np.abs),
    "Sqrt": _unary(np.sqrt),
    "Reciprocal": _unary(np.reciprocal),
    "Floor": _unary(np.floor),
    "Ceil": _unary(np.ceil),
    "Exp": _unary(np.exp),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
    "DequantizeLinear": _dequantised,
}
