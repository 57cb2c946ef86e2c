"""ONNX's functions of each value, and softmax."""

from collections.abc import Callable
from math import prod

import numpy as np

from thresher.converters.importers import layers, placed
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layers import SELU_ALPHA, SELU_SCALE
from thresher.converters.importers.layout import Placed
from thresher.converters.importers.onnx.file import FLOAT_TYPES
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.walk import Given, Here
from thresher.errors import GraphError
from thresher.ir import Op
from thresher.ir.ops import (
    Dropout,
    Gelu,
    HardSigmoid,
    HardSwish,
    Identity,
    Relu,
    Sigmoid,
    Silu,
    Tanh,
)


def _pointwise(make: Callable[[Here], Op], *operators: str) -> None:
    """Register a function of each value alone, wherever the batch is."""

    def handle(here: Here) -> Placed:
        return placed.pointwise(here.b, here.name, here.placed(), make(here))

    HANDLERS.add(handle, *operators)


_pointwise(lambda here: Relu(), "Relu")
_pointwise(lambda here: Sigmoid(), "Sigmoid")
_pointwise(lambda here: Tanh(), "Tanh")
_pointwise(lambda here: HardSwish(), "HardSwish")


def _gelu(here: Here) -> Op:
    return Gelu(approximate=here.get("approximate", "none"))


_pointwise(_gelu, "Gelu")


def _hard_sigmoid(here: Here) -> Op:
    """Read slope and offset; what is 1/6 in float32 is meant to be 1/6."""
    slope, offset = here.get("alpha", 0.2), here.get("beta", 0.5)
    sixth = np.float32(slope) == np.float32(1 / 6)
    return HardSigmoid(slope=1 / 6 if sixth else slope, offset=offset)


_pointwise(_hard_sigmoid, "HardSigmoid")


def _swish(here: Here) -> Op:
    if here.get("alpha", 1.0) != 1:
        raise GraphError(f"has alpha {here.get('alpha')}; expected 1")
    return Silu()


_pointwise(_swish, "Swish")


def _dropout(here: Here) -> Op:
    ratio = here.optional(1)
    training = here.optional(2)
    if training is not None and training.any():
        raise GraphError("drops values, as in training; export it for inference")
    p = here.get("ratio", 0.5) if ratio is None else float(ratio.item())
    return Dropout(p=p)


_pointwise(_dropout, "Dropout")


@HANDLERS.of("Elu", "Selu", "Celu")
def _elu(here: Here) -> Placed:
    """Read ELU, SELU and CELU."""
    x, alpha, scale, within = here.placed(), here.get("alpha", 1.0), 1.0, 1.0
    if here.call.operator == "Celu":
        within = 1 / alpha
    if here.call.operator == "Selu":
        alpha, scale = here.get("alpha", SELU_ALPHA), here.get("gamma", SELU_SCALE)
    return x.holding(layers.elu(here.b, here.name, x.value, alpha, scale, within))


@HANDLERS.of("Clip")
def _clip(here: Here) -> Value:
    bounds = [here.optional(place) for place in (1, 2)]
    low, high = (None if bound is None else float(bound.item()) for bound in bounds)
    return layers.clip(here.b, here.name, here.x(), low, high)


@HANDLERS.of("LeakyRelu")
def _leaky_relu(here: Here) -> Value:
    return layers.leaky_relu(here.b, here.name, here.x(), np.asarray(here.get("alpha", 0.01)))


@HANDLERS.of("PRelu")
def _prelu(here: Here) -> Value:
    return layers.leaky_relu(here.b, here.name, here.x(), here.constant(1))


@HANDLERS.of("Softmax")
def _softmax(here: Here) -> Given:
    """Take the softmax along an axis; up to opset 12 over all axes from one on."""
    x = here.placed()
    axis = here.get("axis", 1 if here.opset < 13 else -1)
    if here.opset >= 13 or axis in (-1, x.rank - 1):
        return placed.softmax(here.b, here.name, x, axis)
    value, place = here.x(), x.place(axis)
    shape = (*value.shape[:place], prod(value.shape[place:]))
    flat = layers.reshape_if_needed(here.b, f"{here.name}.flat", value, shape)
    y = layers.softmax(here.b, here.name, flat, place)
    return layers.reshape_if_needed(here.b, f"{here.name}.shape", y, value.shape)


@HANDLERS.of("Identity")
def _identity(here: Here) -> Given:
    found = here.item(0)
    if not isinstance(found, Placed):
        return found
    return placed.pointwise(here.b, here.name, found, Identity())


@HANDLERS.of("Cast")
def _cast(here: Here) -> Placed:
    if here.get("to") not in FLOAT_TYPES:
        raise GraphError(f"casts to type {here.get('to')}; expected a float type")
    return here.placed()
