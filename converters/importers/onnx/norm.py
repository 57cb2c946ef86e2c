"""ONNX's norms."""

import numpy as np

from thresher.converters.importers import placed
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layout import Placed
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.walk import Here
from thresher.errors import GraphError
from thresher.ir import Tensor
from thresher.ir.ops import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
)


@HANDLERS.of("BatchNormalization")
def _batch_norm(here: Here) -> Value:
    if here.get("training_mode", 0) or len([name for name in here.call.outputs if name]) > 1:
        raise GraphError("normalises by the batch, as in training; export it for inference")
    op = BatchNorm(
        weight=here.tensor(1),
        bias=here.tensor(2),
        running_mean=here.tensor(3),
        running_var=here.tensor(4),
        eps=here.get("epsilon", 1e-5),
    )
    return here.b.add(here.name, op, here.x())


@HANDLERS.of("LayerNormalization")
def _layer_norm(here: Here) -> Placed:
    x = here.placed()
    axes = x.rank - here.get("axis", -1) % x.rank
    shape = x.value.shape[len(x.value.shape) - axes :]

    def over(place: int, role: str) -> Tensor | None:
        if not here.has(place):
            return None
        values = here.constant(place)
        if values.shape == shape:
            return here.tensor(place)
        return here.b.tensor(f"{here.name}.{role}", np.broadcast_to(values, shape).copy())

    eps = here.get("epsilon", 1e-5)
    op = LayerNorm(weight=over(1, "weight"), bias=over(2, "bias"), eps=eps, axes=axes)
    return placed.layer_norm(here.b, here.name, x, op)


@HANDLERS.of("GroupNormalization")
def _group_norm(here: Here) -> Value:
    """Normalise groups of channels; up to opset 20 a group has one weight."""
    x, groups = here.x(), here.get("num_groups")

    def by_channel(place: int, role: str) -> Tensor:
        values = here.constant(place)
        repeats = x.shape[0] // len(values)
        return here.b.tensor(f"{here.name}.{role}", np.repeat(values, repeats))

    weight, bias = by_channel(1, "weight"), by_channel(2, "bias")
    op = GroupNorm(weight, bias, eps=here.get("epsilon", 1e-5), groups=groups)
    return here.b.add(here.name, op, x)


@HANDLERS.of("InstanceNormalization")
def _instance_norm(here: Here) -> Value:
    x = here.x()
    eps = here.get("epsilon", 1e-5)
    op = GroupNorm(here.tensor(1), here.tensor(2), eps=eps, groups=x.shape[0])
    return here.b.add(here.name, op, x)
