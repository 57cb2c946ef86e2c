"""Keras' norms, and the normalisation of inputs by fixed statistics."""

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Array
from thresher.converters.importers.keras.call import HANDLERS, Here, Item
from thresher.converters.importers.keras.order import order_of
from thresher.errors import GraphError
from thresher.ir.ops import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
)

EPSILON = 1e-7
"""Keras' `backend.epsilon()`, by which no standard deviation is less."""


@HANDLERS.of("BatchNormalization")
def _batch_norm(here: Here) -> Item:
    axis = here.get("axis", -1)
    if here.ours(axis[0] if isinstance(axis, list) else axis) != 0:
        raise GraphError(f"normalises along axis {axis}; expected the channels'")
    roles = [role for role, key in (("weight", "scale"), ("bias", "center")) if here.get(key, True)]
    roles += ["running_mean", "running_var"]
    order = order_of(here.x) if here.x.order is not None else slice(None)
    tensors = {}
    for place, role in enumerate(roles):
        values = np.empty_like(here.weight(place))
        values[order] = here.weight(place)
        tensors[role] = here.tensor(role, values)
    op = BatchNorm(
        running_mean=tensors["running_mean"],
        running_var=tensors["running_var"],
        weight=tensors.get("weight"),
        bias=tensors.get("bias"),
        eps=here.get("epsilon", 1e-3),
    )
    return Item(here.b.add(here.name, op, here.x.value), here.x.order)


@HANDLERS.of("LayerNormalization")
def _layer_norm(here: Here) -> Item:
    """Normalise the channels of each place, which come last in Keras."""
    axis, x = here.get("axis", -1), here.x
    found = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if not isinstance(found, int) or here.ours(found) != 0 or x.order is not None:
        raise GraphError(f"normalises along axes {axis}; expected the channels'")
    roles = [role for role, key in (("weight", "scale"), ("bias", "center")) if here.get(key, True)]
    tensors = {role: here.tensor(role, here.weight(place)) for place, role in enumerate(roles)}
    rank = len(x.shape)
    last = layers.permute(here.b, f"{here.name}.last", x.value, [*range(1, rank), 0])
    eps = here.get("epsilon", 1e-3)
    y = here.b.add(here.name, LayerNorm(tensors.get("weight"), tensors.get("bias"), eps), last)
    return Item(layers.permute(here.b, f"{here.name}.first", y, [rank - 1, *range(rank - 1)]))


@HANDLERS.of("GroupNormalization")
def _group_norm(here: Here) -> Item:
    if here.ours(here.get("axis", -1)) != 0 or here.x.order is not None:
        raise GraphError(f"normalises along axis {here.get('axis')}; expected the channels'")
    roles = [role for role, key in (("weight", "scale"), ("bias", "center")) if here.get(key, True)]
    tensors = {role: here.tensor(role, here.weight(place)) for place, role in enumerate(roles)}
    groups = here.get("groups", 32)
    groups = here.x.shape[0] if groups == -1 else groups
    eps = here.get("epsilon", 1e-3)
    op = GroupNorm(tensors.get("weight"), tensors.get("bias"), eps, groups)
    return Item(here.b.add(here.name, op, here.x.value))


@HANDLERS.of("Normalization")
def _normalization(here: Here) -> Item:
    """Compute (x - mean) / max(sqrt(variance), 1e-7) of adapted or given statistics, or undo it."""
    given = [here.layer.config.get(name) for name in ("mean", "variance")]
    held = given if None not in given else [here.weight(0), here.weight(1)]
    mean, variance = (_statistic(here, np.asarray(values, np.float32)) for values in held)
    deviation = np.maximum(np.sqrt(variance), EPSILON)
    x = here.x.value
    if here.get("invert", False):
        return Item(layers.affine(here.b, here.name, x, deviation, mean), here.x.order)
    centred = layers.affine(here.b, f"{here.name}.centred", x, 1.0, -mean)
    return Item(layers.affine(here.b, here.name, centred, 1 / deviation), here.x.order)


def _statistic(here: Here, values: Array) -> Array:
    """Return a statistic so that it broadcasts over our value; axes are kept by their numbers."""
    rank = len(here.x.shape)
    axes = here.layer.config.get("axis")
    kept = [] if axes is None else [axes] if isinstance(axes, int) else list(axes)
    places = sorted(axis % (rank + 1) - 1 for axis in kept)
    if places and places[0] < 0:
        raise GraphError("keeps the batch's axis; expected axes of the samples")
    shape = [1] * rank
    for place, size in zip(places, values.shape if values.ndim else [1] * len(places), strict=True):
        shape[place] = size
    whole = values.reshape(shape)
    if here.x.order is None:
        return np.moveaxis(whole, -1, 0) if here.channels_last else whole
    ours = np.empty(here.x.shape, np.float32)
    ours[here.x.order] = whole
    return ours
