"""Keras' norms."""

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.keras.call import HANDLERS, Here, Item
from thresher.converters.importers.keras.order import order_of
from thresher.errors import GraphError
from thresher.ir.ops import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
)


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
