"""ATen's norms."""

from typing import cast

from thresher.converters.importers import placed
from thresher.converters.importers.aten.handlers import HANDLERS
from thresher.converters.importers.aten.walk import Here
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layout import Placed
from thresher.errors import GraphError
from thresher.ir.ops import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
)


@HANDLERS.of("batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm")
def _batch_norm(here: Here) -> Value:
    return _by_running_statistics(here)


@HANDLERS.of("layer_norm", "native_layer_norm")
def _layer_norm(here: Here) -> Placed:
    axes = len(cast(list[int], here.get("normalized_shape")))
    op = LayerNorm(here.tensor("weight"), here.tensor("bias"), here.number("eps", 1e-5), axes)
    return placed.layer_norm(here.b, here.name, here.placed("input"), op)


@HANDLERS.of("group_norm", "native_group_norm")
def _group_norm(here: Here) -> Value:
    native = here.call.operator == "native_group_norm"
    groups = here.integer("group" if native else "num_groups")
    op = GroupNorm(here.tensor("weight"), here.tensor("bias"), here.number("eps", 1e-5), groups)
    return here.b.add(here.name, op, here.x("input"))


@HANDLERS.of("instance_norm")
def _instance_norm(here: Here) -> Value:
    """Read what normalises each channel by itself; by running statistics it is a batch norm."""
    if not here.get("use_input_stats", True):
        return _by_running_statistics(here)
    x = here.x("input")
    op = GroupNorm(here.tensor("weight"), here.tensor("bias"), here.number("eps", 1e-5), x.shape[0])
    return here.b.add(here.name, op, x)


def _by_running_statistics(here: Here) -> Value:
    if here.get("training", False):
        raise GraphError("normalises by the batch, as in training; call the module's eval() first")
    op = BatchNorm(
        running_mean=here.required("running_mean"),
        running_var=here.required("running_var"),
        weight=here.tensor("weight"),
        bias=here.tensor("bias"),
        eps=here.number("eps", 1e-5),
    )
    return here.b.add(here.name, op, here.x("input"))
