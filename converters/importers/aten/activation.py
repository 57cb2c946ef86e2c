"""ATen's functions of each value, and softmax."""

from collections.abc import Callable
from typing import cast

import numpy as np

from thresher.converters.importers import layers, placed
from thresher.converters.importers.aten.handlers import HANDLERS
from thresher.converters.importers.aten.walk import Here
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layers import SELU_ALPHA, SELU_SCALE
from thresher.converters.importers.layout import Placed
from thresher.errors import GraphError
from thresher.ir import Op
from thresher.ir.ops import (
    Dropout,
    Gelu,
    HardSigmoid,
    HardSwish,
    Relu,
    Sigmoid,
    Silu,
    Tanh,
)


def _pointwise(make: Callable[[Here], Op], *operators: str) -> None:
    """Register a function of each value alone, wherever the batch is."""

    def handle(here: Here) -> Placed:
        x = here.placed("self" if "self" in here.call.arguments else "input")
        return placed.pointwise(here.b, here.name, x, make(here))

    HANDLERS.add(handle, *operators)


_pointwise(lambda here: Relu(), "relu", "relu_")
_pointwise(lambda here: Sigmoid(), "sigmoid", "sigmoid_")
_pointwise(lambda here: Tanh(), "tanh", "tanh_")
_pointwise(lambda here: Silu(), "silu", "silu_")
_pointwise(lambda here: HardSigmoid(), "hardsigmoid", "hardsigmoid_")
_pointwise(lambda here: HardSwish(), "hardswish", "hardswish_")
_pointwise(lambda here: Gelu(approximate=str(here.get("approximate", "none"))), "gelu", "gelu_")
HANDLERS.add(lambda here: _clip(here, "min_val", "max_val", (-1.0, 1.0)), "hardtanh", "hardtanh_")
HANDLERS.add(lambda here: _clip(here, "", "", (0.0, 6.0)), "relu6", "relu6_")
HANDLERS.add(lambda here: _clip(here, "min", "max", (None, None)), "clamp", "clamp_")
HANDLERS.add(lambda here: _clip(here, "min", "", (None, None)), "clamp_min", "clamp_min_")


def _dropout(here: Here) -> Op:
    if here.get("train", False):
        raise GraphError("drops values, as in training; call the module's eval() first")
    return Dropout(p=here.number("p", 0.5))


_pointwise(_dropout, "dropout", "dropout_", "feature_dropout", "native_dropout")


@HANDLERS.of("elu", "elu_", "celu", "celu_", "selu", "selu_")
def _elu(here: Here) -> Placed:
    """Read ELU, CELU, max(x, 0) + min(alpha (exp(x / alpha) - 1), 0), and SELU."""
    x, alpha = here.placed(), here.number("alpha", 1.0)
    scale, within = here.number("scale", 1.0), here.number("input_scale", 1.0)
    if here.call.operator.startswith("celu"):
        within = 1 / alpha
    if here.call.operator.startswith("selu"):
        alpha, scale = SELU_ALPHA, SELU_SCALE
    return x.holding(layers.elu(here.b, here.name, x.value, alpha, scale, within))


@HANDLERS.of("leaky_relu", "leaky_relu_")
def _leaky_relu(here: Here) -> Value:
    slope = np.asarray(here.number("negative_slope", 0.01))
    return layers.leaky_relu(here.b, here.name, here.x(), slope)


@HANDLERS.of("prelu", "_prelu_kernel")
def _prelu(here: Here) -> Value:
    return layers.leaky_relu(here.b, here.name, here.x(), here.required("weight").values)


@HANDLERS.of("softmax", "_softmax")
def _softmax(here: Here) -> Placed:
    return placed.softmax(here.b, here.name, here.placed(), here.integer("dim"))


def _clip(here: Here, low: str, high: str, defaults: tuple[float | None, float | None]) -> Value:
    bounds = [here.get(name, default) for name, default in zip((low, high), defaults, strict=True)]
    first, last = (None if bound is None else float(cast(float, bound)) for bound in bounds)
    return layers.clip(here.b, here.name, here.x(), first, last)
