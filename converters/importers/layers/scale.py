"""Constants that values are multiplied by and that are added, and rounding to a grid."""

from collections.abc import Sequence

import numpy as np

from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.errors import GraphError
from thresher.ir.op import Shape
from thresher.ir.ops import Qcfs, Scale


def affine(
    b: GraphBuilder, name: str, x: Value, factor: Array | float, offset: Array | float | None = None
) -> Value:
    """Multiply by a constant and add one; both broadcast over (1, *shape)."""
    given = [np.asarray(factor), np.asarray(0.0 if offset is None else offset)]
    dtype = np.result_type(*(item.dtype for item in given if item.ndim), np.float32)
    full = [_spread(item, x.shape).astype(dtype) for item in given]
    least = [_by_channel(item) for item in full]
    return b.add(name, _scale(b, name, least, offset is not None), x)


def _scale(b: GraphBuilder, name: str, values: Sequence[Array], shifted: bool) -> Scale:
    weight, bias = (b.tensor(f"{name}.{role}", item) for role, item in zip(
        ("weight", "bias"), values, strict=True))  # fmt: skip
    return Scale(weight=weight, bias=bias if shifted else None)


def _spread(values: Array, shape: Shape) -> Array:
    """Broadcast a constant over a batch of values of a shape, which it must not enlarge."""
    extra = values.ndim - len(shape)
    if extra > 1 or (extra == 1 and values.shape[0] != 1):
        raise GraphError(f"a constant {list(values.shape)} does not fit values {list(shape)}")
    try:
        return np.broadcast_to(values[0] if extra == 1 else values, shape)
    except ValueError:
        raise GraphError(
            f"a constant {list(values.shape)} does not fit values {list(shape)}"
        ) from None


def _by_channel(values: Array) -> Array:
    """Return one value a channel, (C,), where all of a channel are alike."""
    rows = values.reshape(values.shape[0], -1)
    return rows[:, 0] if (rows == rows[:, :1]).all() else values


def fake_quantised(
    b: GraphBuilder, name: str, x: Value, scale: float, zero: int, lowest: int, highest: int
) -> Value:
    """Round to a grid, (clip(round(x / scale) + zero, lowest, highest) - zero) * scale.

    A QCFS from 0 on, between shifts where the grid has negative values.
    """
    levels, below = highest - lowest, (zero - lowest) * scale
    if levels < 1 or not scale > 0:
        raise GraphError(f"rounds to a grid of step {scale:g} from {lowest} to {highest}")
    start = x if below == 0 else affine(b, f"{name}.up", x, 1.0, below)
    y = b.add(name, Qcfs(levels=levels, max=levels * scale), start)
    return y if below == 0 else affine(b, f"{name}.down", y, 1.0, -below)
