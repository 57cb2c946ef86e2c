"""Constants that an exported PyTorch program computes from constants, in numpy."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, cast

import numpy as np

from thresher.converters.importers.aten.walk import Folder, Here
from thresher.converters.importers.builder import LARGEST_VALUE, Array
from thresher.errors import GraphError
from thresher.ir.op import Shape


def _traced(here: Here) -> Shape:
    """Return the shape of the result, which has no batch axis."""
    sizes = here.walk.traced(here.call.outputs[0])
    if not all(isinstance(size, int) for size in sizes) or prod(cast(Shape, sizes)) > LARGEST_VALUE:
        raise GraphError(f"would be a constant of {list(sizes)}")
    return cast(Shape, sizes)


def _folded(here: Here) -> Array:
    sizes = here.walk.traced(here.call.outputs[0])
    return here.array("self").reshape([1 if isinstance(size, str) else size for size in sizes])


def _same(here: Here) -> Array:
    return here.array("self")


def _repeated(here: Here) -> Array:
    """Repeat along the axes that the result is longer in; a batch left open stays 1."""
    x, sizes = here.array("self"), here.walk.traced(here.call.outputs[0])
    whole = [1 if isinstance(size, str) else size for size in sizes]
    if prod(whole) > LARGEST_VALUE:
        raise GraphError(f"would be a constant of {list(sizes)}")
    if here.call.operator == "expand":
        return np.broadcast_to(x, whole)
    shape = (*[1] * (len(whole) - x.ndim), *x.shape)
    return np.tile(x, [size // n for size, n in zip(whole, shape, strict=True)])


def _full(here: Here) -> Array:
    fills = {"zeros": 0.0, "ones": 1.0, "zeros_like": 0.0, "ones_like": 1.0}
    name = here.call.operator
    value = fills[name] if name in fills else here.number("fill_value")
    return np.full(_traced(here), value, np.float32)


def _transposed(here: Here) -> Array:
    x = here.array("self")
    if here.call.operator == "t":
        return x.T
    if here.call.operator == "permute":
        return np.transpose(x, here.ints("dims", x.ndim))
    return np.swapaxes(x, here.integer("dim0"), here.integer("dim1"))


def _binary(function: Callable[[Array, Array], Any]) -> Folder:
    def fold(here: Here) -> Array:
        x, other = here.array("self"), here.array("other")
        if here.number("alpha", 1) != 1:
            other = other * here.number("alpha")
        sizes = _traced(here)
        dtype = x.dtype if x.ndim else other.dtype
        y = np.asarray(function(np.broadcast_to(x, sizes), np.broadcast_to(other, sizes)))
        return y.astype(dtype) if dtype.kind == "f" else y

    return fold


def _unary(function: Callable[[Array], Any]) -> Folder:
    return lambda here: np.asarray(function(here.array("self")))


FOLDERS: Mapping[str, Folder] = {
    **dict.fromkeys(
        ("lift_fresh_copy", "detach_", "detach", "clone", "contiguous", "alias", "to", "_to_copy"),
        _same,
    ),
    **dict.fromkeys(
        ("view", "reshape", "unsqueeze", "squeeze", "flatten", "_unsafe_view", "unflatten"), _folded
    ),
    **dict.fromkeys(("full", "zeros", "ones", "full_like", "zeros_like", "ones_like"), _full),
    **dict.fromkeys(("t", "permute", "transpose"), _transposed),
    **dict.fromkeys(("expand", "repeat"), _repeated),
    "add": _binary(np.add),
    "sub": _binary(np.subtract),
    "mul": _binary(np.multiply),
    "div": _binary(np.divide),
    "neg": _unary(np.negative),
    "sqrt": _unary(np.sqrt),
    "rsqrt": _unary(lambda x: 1 / np.sqrt(x)),
    "reciprocal": _unary(lambda x: 1 / x),
    "exp": _unary(np.exp),
    "abs": _unary(np.abs),
    "relu": _unary(lambda x: np.maximum(x, 0)),
    "sigmoid": _unary(lambda x: 1 / (1 + np.exp(-x))),
    "tanh": _unary(np.tanh),
}
