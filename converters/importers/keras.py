"""Keras models: the layers that become nodes, channels first.

Keras keeps channels last: an image (H, W, C) is (C, H, W) here, and so are weights. A Flatten
counts in Keras' order; what reads it has its weights permuted instead of the values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.converters.importers.keras_file import KerasLayer, KerasModel, Place, read_keras
from thresher.converters.importers.layers import SELU_ALPHA, SELU_SCALE, Sides, Window
from thresher.errors import GraphError, SpecError
from thresher.ir import Graph, Tensor
from thresher.ir.op import Shape
from thresher.ir.ops import (
    Add,
    BatchNorm,
    Dropout,
    Elu,
    Gelu,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Identity,
    LayerNorm,
    Relu,
    Sigmoid,
    Silu,
    Tanh,
)

LARGEST_FLATTENED = 2**24


def import_keras(path: str | Path, shape: Shape | None = None) -> Graph:
    """Turn a `.keras` or `.h5` file into a graph, whose images are (C, H, W); needs `h5py` alone.

    Parameters
    ----------
    path : path
        What `model.save` wrote, with Keras 2 or 3: a Sequential or a Functional model.
    shape : tuple of int, optional
        The input's shape as the graph has it, channels first and without the batch axis, where the
        file leaves axes open.

    Raises
    ------
    SpecError
        Where the file is no such model, or is damaged.
    UnsupportedError
        Where a layer is beyond what a graph can say; all that are are listed.
    """
    path = Path(path)
    model = read_keras(path)
    return _Walk(model, GraphBuilder(path.stem, f"'{path}'"), shape).graph()


@dataclass(frozen=True, eq=False)
class _Item:
    """A value, and where each number in Keras' order stands in ours; None: in the same place."""

    value: Value
    order: Array | None = None

    @property
    def shape(self) -> Shape:
        return self.value.shape


@dataclass(frozen=True)
class _Here:
    """One call of a layer."""

    b: GraphBuilder
    layer: KerasLayer
    inputs: tuple[_Item, ...]
    channels_last: bool
    used: set[int] = field(default_factory=set)
    """Which of the layer's weights were asked for."""

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def x(self) -> _Item:
        return self.inputs[0]

    def get(self, name: str, default: Any = None) -> Any:
        value = self.layer.config.get(name, default)
        return default if value is None else value

    def pair(self, name: str, n: int, default: int = 1) -> tuple[int, ...]:
        """Return a whole number for each of n axes."""
        given = self.get(name, default)
        items = [given] * n if isinstance(given, int) else list(given)
        if len(items) != n or not all(type(item) is int for item in items):
            raise GraphError(f"'{name}' is {given}; expected {n} whole numbers")
        return tuple(items)

    def weight(self, place: int) -> Array:
        if place >= len(self.layer.weights):
            raise GraphError(f"weight {place} is not in the file")
        values = self.layer.weights[place]
        if values.dtype.kind != "f":
            raise GraphError(f"weight {place} is of type {values.dtype}; expected floats")
        self.used.add(place)
        return values

    def expect_all_used(self) -> None:
        """Raise GraphError where the layer holds floats that play no part here."""
        floats = {i for i, values in enumerate(self.layer.weights) if values.dtype.kind == "f"}
        if floats - self.used:
            raise GraphError(
                f"holds {len(self.layer.weights)} weights, of which {len(self.used)} are "
                "understood; expected a plain layer"
            )

    def tensor(self, role: str, values: Array) -> Tensor:
        return self.b.tensor(f"{self.name}.{role}", values)

    def bias(self, place: int) -> Tensor | None:
        return self.tensor("bias", self.weight(place)) if self.get("use_bias", True) else None

    def ours(self, axis: int) -> int:
        """Return the axis of the graph (without the batch) for one of Keras' (with it)."""
        rank = len(self.x.shape)
        found = axis % (rank + 1) - 1
        if found < 0:
            raise GraphError("works along the batch; expected an axis of the samples")
        return (found + 1) % rank if self.channels_last else found


Handler = Callable[[_Here], _Item]


class _Walk:
    def __init__(self, model: KerasModel, builder: GraphBuilder, shape: Shape | None) -> None:
        self._model = model
        self._builder = builder
        self._shape = shape
        formats = {
            layer.config["data_format"]
            for layer in model.layers
            if layer.config.get("data_format") and layer.kind != "Flatten"
        }
        if len(formats) > 1:
            raise SpecError(
                f"{builder.what} mixes the data formats {', '.join(sorted(formats))}; expected one"
            )
        self._channels_last = formats != {"channels_first"}
        self._items: dict[Place, _Item | None] = {}

    def graph(self) -> Graph:
        waiting = [
            (layer, number)
            for layer in self._model.layers
            for number in range(max(1, len(layer.calls)))
        ]
        while waiting:
            ready = [item for item in waiting if self._is_ready(*item)]
            if not ready:
                names = ", ".join(f"'{layer.name}'" for layer, _ in waiting[:8])
                raise SpecError(
                    f"{self._builder.what}: the layers {names} read what no layer gives, or form a "
                    "cycle"
                )
            for layer, number in ready:
                self._take(layer, number)
            waiting = [item for item in waiting if item not in ready]
        ends = [self._items.get(place) for place in self._model.outputs]
        if not self._builder.refusals:
            if not ends or any(end is None for end in ends):
                raise SpecError(f"{self._builder.what}: an output is of no layer")
            if any(end is not None and end.order is not None for end in ends):
                self._builder.refuse(
                    "the output", "Flatten", "its values would be in another order"
                )
        return self._builder.finish([end.value for end in ends if end is not None])

    def _is_ready(self, layer: KerasLayer, number: int) -> bool:
        return not layer.calls or all(place in self._items for place in layer.calls[number])

    def _take(self, layer: KerasLayer, number: int) -> None:
        place = (layer.name, number)
        self._items[place] = None
        try:
            if layer.kind == "InputLayer":
                self._items[place] = _Item(self._input(layer))
                return
            read = [self._items[item] for item in layer.calls[number]] if layer.calls else []
            given = tuple(item for item in read if item is not None)
            if given and layer.kind in KEEPING_SHAPE:
                self._items[place] = given[0]  # stands in where the layer is refused
            if layer.kind not in HANDLERS:
                raise GraphError(REASONS.get(layer.kind, "no op of a graph computes it"))
            if len(given) < len(read):
                return  # what it reads was refused already
            if not given:
                raise GraphError("reads nothing")
            here = _Here(self._builder, layer, given, self._channels_last)
            found = HANDLERS[layer.kind](here)
            here.expect_all_used()
            self._items[place] = found  # and here, where its activation is
            self._items[place] = _activated(replace(here, inputs=(found,)))
        except (GraphError, SpecError) as error:
            if layer.kind == "InputLayer":
                raise SpecError(str(error)) from error
            self._builder.refuse(f"'{layer.name}'", layer.kind, error)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, ZeroDivisionError,
                OverflowError) as error:  # fmt: skip
            why = f"is not what Keras writes: {str(error)[:120]}"
            self._builder.refuse(f"'{layer.name}'", layer.kind, why)

    def _input(self, layer: KerasLayer) -> Value:
        sizes = layer.config.get("batch_shape") or layer.config.get("batch_input_shape")
        what = f"{self._builder.what}: input '{layer.name}'"
        if not sizes and self._shape is None:
            raise SpecError(f"{what} has no shape; give it with --shape C,H,W")
        sample = list(sizes[1:]) if sizes else list(self._last(self._shape or ()))
        ours = tuple([sample[-1], *sample[:-1]] if self._channels_last else sample)
        if self._shape is not None:
            fits = len(ours) == len(self._shape) and all(
                a in (None, z) for a, z in zip(ours, self._shape, strict=False)
            )
            if not fits:
                raise SpecError(f"{what} is {list(ours)}, channels first; --shape is {self._shape}")
            ours = self._shape
        if any(size is None for size in ours):
            raise SpecError(
                f"{what} leaves axes of {sample} open; give the shape, channels first and without "
                "the batch axis, with --shape C,H,W"
            )
        return self._builder.input(layer.name, ours)

    def _last(self, shape: Shape) -> Shape:
        return (*shape[1:], shape[0]) if self._channels_last else shape


def _activated(here: _Here) -> _Item:
    """Add the function that a layer's `activation` names."""
    given = here.layer.config.get("activation")
    if here.layer.kind == "Activation" or given in (None, "linear"):
        return here.x
    name = f"{here.name}.{_function_name(given)}"
    return _function(here, name, given, here.x)


def _function_name(given: Any) -> str:
    while isinstance(given, dict):
        if ">" in (given.get("registered_name") or ""):
            return str(given["registered_name"])
        inner = given.get("config")
        given = inner if given.get("class_name") == "function" else given.get("class_name")
    return str(given)


def _function(here: _Here, name: str, given: Any, x: _Item) -> _Item:
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
    return _Item(plain[kind](), x.order)


def _window(here: _Here, kernel: Sequence[int], strides: str, padding: str) -> Window:
    """Read a window whose padding is 'valid', 'same' or 'causal'."""
    n = len(kernel)
    layers.expect_channels(here.x.value, (n,))
    window = Window(
        tuple(kernel), here.pair(strides, n), ((0, 0),) * n, here.pair("dilation_rate", n)
    )
    if padding == "same":
        return replace(window, padding=layers.same_padding(window, here.x.shape[1:], True))
    if padding == "causal" and n == 1:
        return replace(window, padding=((window.axes[0].reach - 1, 0),))
    if padding != "valid":
        raise GraphError(f"pads by '{padding}'; expected 'valid' or 'same'")
    return window


def _convolution(here: _Here) -> _Item:
    kernel = here.weight(0)
    n = kernel.ndim - 2
    ours = kernel.transpose(n + 1, n, *range(n))
    window = _window(here, kernel.shape[:n], "strides", here.get("padding", "valid"))
    weight, bias, groups = here.tensor("weight", ours), here.bias(1), here.get("groups", 1)
    return _Item(layers.convolution(here.b, here.name, here.x.value, weight, bias, window, groups))


def _depthwise(here: _Here) -> _Item:
    return _Item(_by_channel(here, here.name, here.bias(1)))


def _by_channel(here: _Here, name: str, bias: Tensor | None) -> Value:
    kernel = here.weight(0)
    n = kernel.ndim - 2
    channels = kernel.shape[n]
    ours = kernel.transpose(n, n + 1, *range(n)).reshape(-1, 1, *kernel.shape[:n])
    window = _window(here, kernel.shape[:n], "strides", here.get("padding", "valid"))
    weight = here.b.tensor(f"{name}.weight", ours)
    return layers.convolution(here.b, name, here.x.value, weight, bias, window, channels)


def _separable(here: _Here) -> _Item:
    between = _by_channel(here, f"{here.name}.depthwise", None)
    point = here.weight(1)
    n = point.ndim - 2
    weight = here.tensor("weight", point.transpose(n + 1, n, *range(n)))
    window = Window((1,) * n, (1,) * n, ((0, 0),) * n, (1,) * n)
    return _Item(layers.convolution(here.b, here.name, between, weight, here.bias(2), window, 1))


def _convolution_transposed(here: _Here) -> _Item:
    """Spread as the gradient of a convolution does; places that no kernel reaches are padded."""
    kernel = here.weight(0)
    n = kernel.ndim - 2
    layers.expect_channels(here.x.value, (n,))
    padding, stride = here.get("padding", "valid"), here.pair("strides", n)
    if here.get("output_padding") is not None:
        raise GraphError("has an output_padding; expected none")
    if padding not in ("valid", "same"):
        raise GraphError(f"pads by '{padding}'; expected 'valid' or 'same'")
    window = Window(kernel.shape[:n], stride, ((0, 0),) * n, here.pair("dilation_rate", n))
    spare = [axis.reach - axis.stride for axis in window.axes]
    if padding == "same":
        sides = tuple((max(0, more) // 2, max(0, more) - max(0, more) // 2) for more in spare)
        window = replace(window, padding=sides)
    extra = [max(0, -more) for more in spare]
    weight = here.tensor("weight", kernel.transpose(n + 1, n, *range(n)))
    y = layers.convolution_transposed(
        here.b, here.name, here.x.value, weight, here.bias(1), window, extra, 1
    )
    return _Item(y)


def _dense(here: _Here) -> _Item:
    """Multiply the last axis: of a flat value, whose order the weight takes up, or the channels."""
    kernel, x = here.weight(0), here.x
    if len(x.shape) == 1:
        ours = np.empty_like(kernel.T)
        ours[:, _order(x)] = kernel.T
        weight = here.tensor("weight", ours)
        return _Item(layers.linear(here.b, here.name, x.value, weight, here.bias(1)))
    if not here.channels_last:
        raise GraphError(f"works on the last axis of {list(x.shape)}; expected (features,)")
    n = len(x.shape) - 1
    weight = here.tensor("weight", kernel.T.reshape(*kernel.T.shape, *[1] * n))
    window = Window((1,) * n, (1,) * n, ((0, 0),) * n, (1,) * n)
    return _Item(layers.convolution(here.b, here.name, x.value, weight, here.bias(1), window, 1))


def _batch_norm(here: _Here) -> _Item:
    axis = here.get("axis", -1)
    if here.ours(axis[0] if isinstance(axis, list) else axis) != 0:
        raise GraphError(f"normalises along axis {axis}; expected the channels'")
    roles = [role for role, key in (("weight", "scale"), ("bias", "center")) if here.get(key, True)]
    roles += ["running_mean", "running_var"]
    order = _order(here.x) if here.x.order is not None else slice(None)
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
    return _Item(here.b.add(here.name, op, here.x.value), here.x.order)


def _activation(here: _Here) -> _Item:
    return _function(here, here.name, here.get("activation"), here.x)


def _relu(here: _Here) -> _Item:
    ceiling, slope = here.layer.config.get("max_value"), here.get("negative_slope", 0.0)
    if here.get("threshold", 0.0) != 0 or (slope != 0 and ceiling is not None):
        raise GraphError("has a threshold, or a slope and a maximum; expected one of max and slope")
    if slope != 0:
        y = layers.leaky_relu(here.b, here.name, here.x.value, np.asarray(slope))
    else:
        y = layers.clip(here.b, here.name, here.x.value, 0.0, ceiling)
    return _Item(y, here.x.order)


def _leaky_relu(here: _Here) -> _Item:
    slope = here.get("negative_slope", here.get("alpha", 0.3))
    y = layers.leaky_relu(here.b, here.name, here.x.value, np.asarray(slope))
    return _Item(y, here.x.order)


def _prelu(here: _Here) -> _Item:
    y = layers.leaky_relu(here.b, here.name, here.x.value, here.weight(0))
    return _Item(y, here.x.order)


def _elu(here: _Here) -> _Item:
    y = here.b.add(here.name, Elu(alpha=here.get("alpha", 1.0)), here.x.value)
    return _Item(y, here.x.order)


def _multiply(here: _Here) -> _Item:
    """Multiply two values; one of size 1 along an axis is a gate of what lies there."""
    if len(here.inputs) != 2 or any(item.order is not None for item in here.inputs):
        raise GraphError("multiplies Flattens, or more than two values; expected two as they are")
    x, other = (item.value for item in here.inputs)
    return _Item(layers.multiply(here.b, here.name, x, other))


def _layer_norm(here: _Here) -> _Item:
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
    return _Item(layers.permute(here.b, f"{here.name}.first", y, [rank - 1, *range(rank - 1)]))


def _group_norm(here: _Here) -> _Item:
    if here.ours(here.get("axis", -1)) != 0 or here.x.order is not None:
        raise GraphError(f"normalises along axis {here.get('axis')}; expected the channels'")
    roles = [role for role, key in (("weight", "scale"), ("bias", "center")) if here.get(key, True)]
    tensors = {role: here.tensor(role, here.weight(place)) for place, role in enumerate(roles)}
    groups = here.get("groups", 32)
    groups = here.x.shape[0] if groups == -1 else groups
    eps = here.get("epsilon", 1e-3)
    op = GroupNorm(tensors.get("weight"), tensors.get("bias"), eps, groups)
    return _Item(here.b.add(here.name, op, here.x.value))


def _permute(here: _Here) -> _Item:
    """Bring Keras' axes, counted from 1, into another order."""
    rank = len(here.x.shape)
    dims = here.get("dims")
    if sorted(dims) != list(range(1, rank + 1)):
        raise GraphError(f"brings the axes into the order {dims}")
    if not here.channels_last:
        return _Item(layers.permute(here.b, here.name, here.x.value, [axis - 1 for axis in dims]))
    ours = [here.ours(axis) for axis in dims]
    return _Item(layers.permute(here.b, here.name, here.x.value, [ours[-1], *ours[:-1]]))


def _softmax(here: _Here) -> _Item:
    if here.get("axis", -1) not in (-1, 1):
        raise GraphError(f"is over axis {here.get('axis')}; expected the last")
    return _function(here, here.name, "softmax", here.x)


def _pool(here: _Here, average: bool) -> _Item:
    n = layers.expect_channels(here.x.value, (1, 2))
    kernel = here.pair("pool_size", n)
    strides = "strides" if here.get("strides") is not None else "pool_size"
    window = _window(here, kernel, strides, here.get("padding", "valid"))
    if average:
        return _Item(layers.average_pool(here.b, here.name, here.x.value, window, False))
    return _Item(layers.max_pool(here.b, here.name, here.x.value, window))


def _global_average(here: _Here) -> _Item:
    keep = bool(here.get("keepdims", False))
    return _Item(layers.global_average(here.b, here.name, here.x.value, keep))


def _global_max(here: _Here) -> _Item:
    keep = bool(here.get("keepdims", False))
    return _Item(layers.global_max(here.b, here.name, here.x.value, keep))


def _flatten(here: _Here) -> _Item:
    """Fold all axes into one, in Keras' order (H, W, C), which channels first hide behind too."""
    last = here.channels_last or here.get("data_format", "channels_last") == "channels_first"
    y = layers.reshape(here.b, here.name, here.x.value, (prod(here.x.shape),))
    return _Item(y, here.x.order if len(here.x.shape) == 1 else _counted(here.x.shape, last))


def _reshape(here: _Here) -> _Item:
    """Fold into a shape, where Keras' order and ours lead to the same places."""
    asked = list(here.get("target_shape"))
    count = prod(here.x.shape)
    if -1 in asked:
        asked[asked.index(-1)] = count // max(1, prod(size for size in asked if size != -1))
    if prod(asked) != count or not asked:
        raise GraphError(f"folds {list(here.x.shape)} into {asked}, which it does not fill")
    last = here.channels_last
    shape = (asked[-1], *asked[:-1]) if last else tuple(asked)
    order = here.x.order if len(here.x.shape) == 1 else _counted(here.x.shape, last)
    wanted = _counted(shape, last)
    y = layers.reshape_if_needed(here.b, here.name, here.x.value, shape)
    if len(shape) == 1:
        return _Item(y, order)
    if not np.array_equal(_whole(order, count), _whole(wanted, count)):
        raise GraphError(
            f"folds channels and places of {list(here.x.shape)} into one another; expected a "
            "Flatten, or a shape that keeps them apart"
        )
    return _Item(y)


def _add(here: _Here) -> _Item:
    first = here.x
    if any(not _same_order(first, item) for item in here.inputs):
        raise GraphError("adds Flattens of different shapes; expected one shape before them")
    values = [item.value for item in here.inputs]
    return _Item(here.b.add(here.name, Add(), *values), first.order)


def _subtract(here: _Here) -> _Item:
    x, other = here.inputs
    negative = layers.affine(here.b, f"{here.name}.negative", other.value, -1.0)
    return _add(replace(here, inputs=(x, _Item(negative, other.order))))


def _concatenate(here: _Here) -> _Item:
    axis = here.ours(here.get("axis", -1))
    values = [item.value for item in here.inputs]
    y = layers.concatenate(here.b, here.name, values, axis + 1)
    if all(item.order is None for item in here.inputs):
        return _Item(y)
    starts = np.cumsum([0, *(item.shape[0] for item in here.inputs)])
    orders = [_order(item) + start for item, start in zip(here.inputs, starts, strict=False)]
    return _Item(y, np.concatenate(orders))


def _sides(here: _Here, name: str) -> list[Sides]:
    """Read the sides of each axis after the channels: a number, one an axis, or two."""
    n, given = len(here.x.shape) - 1, here.get(name, 1)
    if n == 1 and isinstance(given, list) and all(isinstance(item, int) for item in given):
        given = [given]
    items = [given] * n if isinstance(given, int) else given
    pairs = [(item, item) if isinstance(item, int) else tuple(item) for item in items]
    if len(pairs) != n or n < 1:
        raise GraphError(f"'{name}' is {given}; expected both sides of {n} axes")
    return pairs


def _zero_padding(here: _Here) -> _Item:
    sides = [(0, 0), *_sides(here, "padding")]
    return _Item(layers.pad(here.b, here.name, here.x.value, sides, 0.0, "constant"))


def _cropping(here: _Here) -> _Item:
    before, after = zip((0, 0), *_sides(here, "cropping"), strict=True)
    return _Item(layers.cut(here.b, here.name, here.x.value, before, after))


def _upsampling(here: _Here) -> _Item:
    if here.get("interpolation", "nearest") != "nearest":
        raise GraphError(f"interpolates '{here.get('interpolation')}'; expected 'nearest'")
    scale = here.pair("size", len(here.x.shape) - 1)
    return _Item(layers.upsample(here.b, here.name, here.x.value, scale))


def _rescaling(here: _Here) -> _Item:
    factor, offset = (np.asarray(here.get(n, d)) for n, d in (("scale", 1.0), ("offset", 0.0)))
    if factor.ndim or offset.ndim:
        raise GraphError("has a factor for each channel; expected one number")
    shift = offset.item() if offset else None
    return _Item(layers.affine(here.b, here.name, here.x.value, factor, shift), here.x.order)


def _dropout(here: _Here) -> _Item:
    return _Item(
        here.b.add(here.name, Dropout(p=here.get("rate", 0.5)), here.x.value), here.x.order
    )


def _identity(here: _Here) -> _Item:
    return _Item(here.b.add(here.name, Identity(), here.x.value), here.x.order)


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(("Conv1D", "Conv2D"), _convolution),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose"), _convolution_transposed),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable),
    "Dense": _dense,
    "BatchNormalization": _batch_norm,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "PReLU": _prelu,
    "Softmax": _softmax,
    "ELU": _elu,
    "Multiply": _multiply,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "Permute": _permute,
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D"), lambda here: _pool(here, False)),
    **dict.fromkeys(("AveragePooling1D", "AveragePooling2D"), lambda here: _pool(here, True)),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalAveragePooling2D"), _global_average),
    **dict.fromkeys(("GlobalMaxPooling1D", "GlobalMaxPooling2D"), _global_max),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Add": _add,
    "Subtract": _subtract,
    "Concatenate": _concatenate,
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), _zero_padding),
    **dict.fromkeys(("Cropping1D", "Cropping2D"), _cropping),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D"), _upsampling),
    "Rescaling": _rescaling,
    **dict.fromkeys(("Dropout", "SpatialDropout1D", "SpatialDropout2D"), _dropout),
    "Identity": _identity,
}

KEEPING_SHAPE = frozenset({
    "Activation", "AlphaDropout", "BatchNormalization", "ELU", "GaussianDropout", "GaussianNoise",
    "GroupNormalization", "LayerNormalization", "LeakyReLU", "Normalization", "PReLU",
    "RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation",
    "RandomZoom", "ReLU", "Softmax", "SpectralNormalization", "UnitNormalization",
})  # fmt: skip
"""Layers that give what they read in the same shape, so that what reads them can be looked at."""
_NESTED = "is a model inside the model; build one model of its layers and save that"
REASONS = {
    "Lambda": "holds code, which is never run; write it as layers",
    **dict.fromkeys(("Functional", "Model", "Sequential"), _NESTED),
}


def _order(item: _Item) -> Array:
    return _whole(item.order, prod(item.shape))


def _whole(order: Array | None, count: int) -> Array:
    return np.arange(count) if order is None else order


def _same_order(one: _Item, other: _Item) -> bool:
    if one.order is None and other.order is None:
        return True
    return one.shape == other.shape and np.array_equal(_order(one), _order(other))


def _counted(shape: Shape, channels_last: bool) -> Array | None:
    """Return where each number of (places, channels) stands in (channels, places)."""
    if not channels_last or len(shape) == 1 or shape[0] == 1 or prod(shape[1:]) == 1:
        return None
    if prod(shape) > LARGEST_FLATTENED:
        raise GraphError(f"flattens {list(shape)}; expected at most {LARGEST_FLATTENED:,} numbers")
    places = np.arange(prod(shape)).reshape(shape)
    return np.moveaxis(places, 0, -1).ravel()
