"""Keras' convolutions and dense layers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Value
from thresher.converters.importers.keras.call import HANDLERS, Here, Item
from thresher.converters.importers.keras.order import order_of
from thresher.converters.importers.layers import Window
from thresher.errors import GraphError
from thresher.ir import Tensor


@HANDLERS.of("Conv1D", "Conv2D")
def _convolution(here: Here) -> Item:
    kernel = here.weight(0)
    n = kernel.ndim - 2
    ours = kernel.transpose(n + 1, n, *range(n))
    window = read_window(here, kernel.shape[:n], "strides", here.get("padding", "valid"))
    weight, bias, groups = here.tensor("weight", ours), here.bias(1), here.get("groups", 1)
    return Item(layers.convolution(here.b, here.name, here.x.value, weight, bias, window, groups))


@HANDLERS.of("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise(here: Here) -> Item:
    return Item(_by_channel(here, here.name, here.bias(1)))


@HANDLERS.of("SeparableConv1D", "SeparableConv2D")
def _separable(here: Here) -> Item:
    between = _by_channel(here, f"{here.name}.depthwise", None)
    point = here.weight(1)
    n = point.ndim - 2
    weight = here.tensor("weight", point.transpose(n + 1, n, *range(n)))
    window = Window((1,) * n, (1,) * n, ((0, 0),) * n, (1,) * n)
    return Item(layers.convolution(here.b, here.name, between, weight, here.bias(2), window, 1))


@HANDLERS.of("Conv1DTranspose", "Conv2DTranspose")
def _convolution_transposed(here: Here) -> Item:
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
    return Item(y)


@HANDLERS.of("Dense")
def _dense(here: Here) -> Item:
    """Multiply the last axis: of a flat value, whose order the weight takes up, or the channels."""
    kernel, x = here.weight(0), here.x
    if len(x.shape) == 1:
        ours = np.empty_like(kernel.T)
        ours[:, order_of(x)] = kernel.T
        weight = here.tensor("weight", ours)
        return Item(layers.linear(here.b, here.name, x.value, weight, here.bias(1)))
    if not here.channels_last:
        raise GraphError(f"works on the last axis of {list(x.shape)}; expected (features,)")
    n = len(x.shape) - 1
    weight = here.tensor("weight", kernel.T.reshape(*kernel.T.shape, *[1] * n))
    window = Window((1,) * n, (1,) * n, ((0, 0),) * n, (1,) * n)
    return Item(layers.convolution(here.b, here.name, x.value, weight, here.bias(1), window, 1))


def read_window(here: Here, kernel: Sequence[int], strides: str, padding: str) -> Window:
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


def _by_channel(here: Here, name: str, bias: Tensor | None) -> Value:
    kernel = here.weight(0)
    n = kernel.ndim - 2
    channels = kernel.shape[n]
    ours = kernel.transpose(n, n + 1, *range(n)).reshape(-1, 1, *kernel.shape[:n])
    window = read_window(here, kernel.shape[:n], "strides", here.get("padding", "valid"))
    weight = here.b.tensor(f"{name}.weight", ours)
    return layers.convolution(here.b, name, here.x.value, weight, bias, window, channels)
