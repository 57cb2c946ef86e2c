"""Keras' functions of each value, as layers and as settings of layers."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Value
from thresher.converters.importers.keras.call import HANDLERS, Here, Item
from thresher.converters.importers.layers import SELU_ALPHA, SELU_SCALE
from thresher.errors import GraphError
from thresher.ir.ops import (
    Dropout,
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    Identity,
    Relu,
    Sigmoid,
    Silu,
    Tanh,
)


@HANDLERS.of("Activation")
def _activation(here: Here) -> Item:
    return function(here, here.name, here.get("activation"), here.x)


@HANDLERS.of("ReLU")
def _relu(here: Here) -> Item:
    ceiling, slope = here.layer.config.get("max_value"), here.get("negative_slope", 0.0)
    if here.get("threshold", 0.0) != 0 or (slope != 0 and ceiling is not None):
        raise GraphError("has a threshold, or a slope and a maximum; expected one of max and slope")
    if slope != 0:
        y = layers.leaky_relu(here.b, here.name, here.x.value, np.asarray(slope))
    else:
        y = layers.clip(here.b, here.name, here.x.value, 0.0, ceiling)
    return Item(y, here.x.order)


@HANDLERS.of("LeakyReLU")
def _leaky_relu(here: Here) -> Item:
    slope = here.get("negative_slope", here.get("alpha", 0.3))
    y = layers.leaky_relu(here.b, here.name, here.x.value, np.asarray(slope))
    return Item(y, here.x.order)


@HANDLERS.of("PReLU")
def _prelu(here: Here) -> Item:
    y = layers.leaky_relu(here.b, here.name, here.x.value, here.weight(0))
    return Item(y, here.x.order)


@HANDLERS.of("ELU")
def _elu(here: Here) -> Item:
    y = here.b.add(here.name, Elu(alpha=here.get("alpha", 1.0)), here.x.value)
    return Item(y, here.x.order)


@HANDLERS.of("Softmax")
def _softmax(here: Here) -> Item:
    if here.get("axis", -1) not in (-1, 1):
        raise GraphError(f"is over axis {here.get('axis')}; expected the last")
    return function(here, here.name, "softmax", here.x)


@HANDLERS.of("Dropout", "SpatialDropout1D", "SpatialDropout2D")
def _dropout(here: Here) -> Item:
    return Item(here.b.add(here.name, Dropout(p=here.get("rate", 0.5)), here.x.value), here.x.order)


@HANDLERS.of(
    "Identity", "AlphaDropout", "GaussianDropout", "GaussianNoise", "RandomBrightness",
    "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom",
)  # fmt: skip
def _identity(here: Here) -> Item:
    """Read what leaves values as they are, the layers that do so but in training among them."""
    return Item(here.b.add(here.name, Identity(), here.x.value), here.x.order)


def activated(here: Here) -> Item:
    """Add the function that a layer's `activation` names."""
    given = here.layer.config.get("activation")
    if here.layer.kind == "Activation" or given in (None, "linear"):
        return here.x
    name = f"{here.name}.{_function_name(given)}"
    return function(here, name, given, here.x)


def function(here: Here, name: str, given: Any, x: Item) -> Item:
    kind = _function_name(given)
    plain: Mapping[str, Callable[[], Value]] = {
        "linear": lambda: here.b.add(name, Identity(), x.value),
        "relu": lambda: here.b.add(name, Relu(), x.value),
        "relu6": lambda: layers.clip(here.b, name, x.value, 0.0, 6.0),
        "leaky_relu": lambda: layers.leaky_relu(here.b, name, x.value, np.asarray(0.2)),
        "softmax": lambda: layers.softmax(here.b, name, x.value, 0),
        "sigmoid": lambda: here.b.add(name, Sigmoid(), x.value),
        "tanh": lambda: here.b.add(name, Tanh(), x.value),
        "silu": lambda: here.b.add(name, Silu(), x.value),
        "swish": lambda: here.b.add(name, Silu(), x.value),
        "gelu": lambda: here.b.add(name, Gelu(), x.value),
        "hard_sigmoid": lambda: here.b.add(name, HardSigmoid(), x.value),
        "hard_silu": lambda: here.b.add(name, HardSwish(), x.value),
        "hard_swish": lambda: here.b.add(name, HardSwish(), x.value),
        "elu": lambda: here.b.add(name, Elu(), x.value),
        "selu": lambda: layers.elu(here.b, name, x.value, SELU_ALPHA, SELU_SCALE, 1.0),
    }
    if kind not in plain:
        raise GraphError(f"has the activation '{kind}'; expected one of {', '.join(plain)}")
    if kind == "softmax" and x.order is not None:
        raise GraphError("is a softmax of a Flatten, whose values would be in another order")
    return Item(plain[kind](), x.order)


def _function_name(given: Any) -> str:
    while isinstance(given, dict):
        if ">" in (given.get("registered_name") or ""):
            return str(given["registered_name"])
        inner = given.get("config")
        given = inner if given.get("class_name") == "function" else given.get("class_name")
    return str(given)
