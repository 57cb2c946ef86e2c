"""Keras' attention."""

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Array, Value
from thresher.converters.importers.keras.call import HANDLERS, Here, Item
from thresher.errors import GraphError

SIGNATURE = ("query", "value", "key")
"""What a MultiHeadAttention reads, in the order of its arguments; the key may be the value."""


@HANDLERS.of("MultiHeadAttention")
def _attention(here: Here) -> Item:
    """Attend along the one axis (length, features) that a value has, without a mask.

    Kernels are (features, heads, d) for query, key and value, and (heads, d, out) after them.
    """
    if any(here.get(name) for name in ("use_gate", "sliding_window")):
        raise GraphError("has a gate or a sliding window; expected a plain attention")
    names = [name or SIGNATURE[place] for place, name in enumerate(here.call.names)]
    masks = sorted(set(names) - set(SIGNATURE))
    if masks:
        raise GraphError(f"reads {', '.join(masks)}; expected an attention of all to all")
    given = dict(zip(names, here.inputs, strict=True))
    shapes = [list(item.shape) for item in given.values()]
    if any(len(shape) != 2 for shape in shapes) or not here.channels_last:
        raise GraphError(
            f"attends over values {shapes}; expected (length, features), channels last"
        )
    value = given["value"].value
    key = given["key"].value if "key" in given else value
    step = 2 if here.get("use_bias", True) else 1
    query = _heads(here, "query", given["query"].value, 0, step)
    key, value = _heads(here, "key", key, step, step), _heads(here, "value", value, 2 * step, step)
    y = layers.attention(here.b, f"{here.name}.attention", query, key, value, None)
    heads, length, size = y.shape
    rows = layers.permute(here.b, f"{here.name}.joined", y, [1, 0, 2])
    flat = layers.reshape(here.b, f"{here.name}.flat", rows, (length, heads * size))
    kernel = here.weight(3 * step)
    out = _linear(here, "output", flat, kernel.reshape(heads * size, -1), 3 * step, step, here.name)
    return Item(layers.permute(here.b, f"{here.name}.first", out, [1, 0]))


def _heads(here: Here, role: str, x: Value, place: int, step: int) -> Value:
    """Project (features, length) to (heads, length, d)."""
    kernel = here.weight(place)
    features, heads, size = kernel.shape
    rows = layers.permute(here.b, f"{here.name}.{role}.last", x, [1, 0])
    name = f"{here.name}.{role}"
    y = _linear(here, role, rows, kernel.reshape(features, heads * size), place, step, name)
    parted = layers.reshape(here.b, f"{name}.parted", y, (x.shape[1], heads, size))
    return layers.permute(here.b, f"{name}.heads", parted, [1, 0, 2])


def _linear(
    here: Here, role: str, x: Value, kernel: Array, place: int, step: int, name: str
) -> Value:
    """Multiply (length, in) by a kernel (in, out), whose bias, if any, is the weight after it."""
    weight = here.tensor(f"{role}.weight", kernel.T)
    bias = None
    if step == 2:
        bias = here.tensor(f"{role}.bias", np.ravel(here.weight(place + 1)))
    return layers.linear(here.b, name, x, weight, bias)
