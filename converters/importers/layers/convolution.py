"""Convolutions, and maps of the last axis, as other tools say them."""

from collections.abc import Sequence

from thresher.converters.importers.builder import GraphBuilder, Value
from thresher.converters.importers.layers.shape import as_before, as_image, cut
from thresher.converters.importers.layers.window import Window, expect_channels, without_negative
from thresher.errors import GraphError
from thresher.ir import Tensor
from thresher.ir.ops import Conv1d, Conv2d, ConvTranspose2d, Linear, PositionwiseLinear


def convolution(
    b: GraphBuilder,
    name: str,
    x: Value,
    weight: Tensor,
    bias: Tensor | None,
    window: Window,
    groups: int,
) -> Value:
    """Convolve (C, L) or (C, H, W)."""
    window, (before, after) = without_negative(window)
    if any(before) or any(after):
        x = cut(b, f"{name}.cut", x, (0, *before), (0, *after))
    if expect_channels(x, (1, 2)) == 2:
        planar = Conv2d(
            weight=weight,
            bias=bias,
            stride=window.stride,  # type: ignore[arg-type]
            padding=window.padding,  # type: ignore[arg-type]
            dilation=window.dilation,  # type: ignore[arg-type]
            groups=groups,
        )
        return b.add(name, planar, x)
    (stride,), (padding,), (dilation,) = window.stride, window.padding, window.dilation
    op = Conv1d(
        weight=weight, bias=bias, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return b.add(name, op, x)


def convolution_transposed(
    b: GraphBuilder,
    name: str,
    x: Value,
    weight: Tensor,
    bias: Tensor | None,
    window: Window,
    output_padding: Sequence[int],
    groups: int,
) -> Value:
    """Spread (C, L) or (C, H, W); the window's padding is cut off the result."""
    if any(min(sides) < 0 for sides in window.padding):
        raise GraphError(f"has a negative padding {window.padding}; expected 0 or more")
    if expect_channels(x, (1, 2)) == 1:
        weight = b.tensor(f"{weight.name}.planar", weight.values[:, :, None])
        output_padding = (0, *output_padding)
    window = window.planar()
    op = ConvTranspose2d(
        weight=weight,
        bias=bias,
        stride=window.stride,  # type: ignore[arg-type]
        padding=window.padding,  # type: ignore[arg-type]
        dilation=window.dilation,  # type: ignore[arg-type]
        output_padding=tuple(output_padding),  # type: ignore[arg-type]
        groups=groups,
    )
    return as_before(b, name, b.add(name, op, as_image(b, name, x)), x)


def linear(b: GraphBuilder, name: str, x: Value, weight: Tensor, bias: Tensor | None) -> Value:
    """Multiply the last axis by a weight (out, in)."""
    op = Linear if len(x.shape) == 1 else PositionwiseLinear
    return b.add(name, op(weight=weight, bias=bias), x)
