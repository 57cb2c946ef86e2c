"""Convolutions: conv2d, conv1d, conv_transpose2d."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.convolution import conv_size, convolve
from thresher.ir.fields import IntRule, Padding, PaddingRule, Pair, PairRule, TensorRule, ruled
from thresher.ir.linear_map import ConvMap, LinearMap, identity
from thresher.ir.op import Array, Op, Shape, expect_axes, expect_tensor, register_op
from thresher.ir.tensor import Tensor


@register_op
@dataclass(frozen=True)
class Conv2d(Op):
    """Convolve (C, H, W) with a weight (out, in/groups, kh, kw); 0 sizes come from the weight."""

    kind: ClassVar[str] = "conv2d"
    weight: Tensor = ruled(TensorRule())
    bias: Tensor | None = ruled(TensorRule(optional=True), None)
    out_channels: int = ruled(IntRule(0), 0)
    kernel: Pair = ruled(PairRule(0), (0, 0))
    stride: Pair = ruled(PairRule(1), (1, 1))
    padding: Padding = ruled(PaddingRule(), ((0, 0), (0, 0)))
    dilation: Pair = ruled(PairRule(1), (1, 1))
    groups: int = ruled(IntRule(1), 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight.values.ndim != 4:
            raise GraphError(
                f"weight '{self.weight.name}' is {list(self.weight.shape)}; expected four axes, "
                "(out, in/groups, kernel height, kernel width)"
            )
        out, _, *kernel = self.weight.shape
        object.__setattr__(self, "out_channels", self.out_channels or out)
        sizes = tuple(k or w for k, w in zip(self.kernel, kernel, strict=True))
        object.__setattr__(self, "kernel", sizes)

    @classmethod
    def tensor_shapes(cls, settings: Mapping[str, Any], *shapes: Shape) -> dict[str, Shape]:
        (shape,) = shapes
        expect_axes(shape, 3, "(C, H, W)")
        for name in ("out_channels", "kernel"):
            if not settings.get(name):
                raise GraphError(f"needs '{name}' where its weight is not in a file")
        out, groups = settings["out_channels"], settings.get("groups", 1)
        return {"weight": (out, shape[0] // groups, *settings["kernel"]), "bias": (out,)}

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        expect_axes(shape, 3, "(C, H, W)")
        channels = shape[0]
        if channels % self.groups or self.out_channels % self.groups:
            raise GraphError(
                f"{channels} channels in and {self.out_channels} out do not divide into "
                f"{self.groups} groups"
            )
        expected = (self.out_channels, channels // self.groups, *self.kernel)
        expect_tensor("weight", self.weight, expected, f"the input is {list(shape)}")
        expect_tensor(
            "bias", self.bias, (self.out_channels,), f"there are {self.out_channels} channels"
        )
        size = tuple(
            conv_size(*axis)
            for axis in zip(
                shape[1:], self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        if min(size) < 1:
            raise GraphError(
                f"kernel {list(self.kernel)} does not fit into an input of {list(shape)}"
            )
        return (self.out_channels, *size)

    def evaluate(self, *x: Array) -> Array:
        (image,) = x
        weight = self.weight.values.astype(image.dtype, copy=False)
        y = convolve(image, weight, self.stride, self.padding, self.dilation, self.groups)
        return y if self.bias is None else y + self.bias.values.astype(image.dtype)[:, None, None]

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        out_shape = self.infer_shape(shape)
        return (
            ConvMap(
                shape,
                out_shape,
                per_channel(self.bias, out_shape),
                identity(shape),
                self.weight.values.astype(np.float64),
                self.stride,
                self.padding,
                self.dilation,
                self.groups,
            ),
        )

    def macs(self, *shapes: Shape) -> int:
        return prod(self.infer_shape(*shapes)) * prod(self.weight.shape[1:])

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        rng = np.random.default_rng(0)
        weight = Tensor("w", rng.normal(size=(6, 2, 3, 2)).astype(np.float32))
        bias = Tensor("b", rng.normal(size=6).astype(np.float32))
        op = cls(
            weight=weight,
            bias=bias,
            stride=(2, 1),
            padding=((1, 0), (2, 1)),
            dilation=(1, 2),
            groups=2,
        )
        return op, ((4, 7, 6),)


def per_channel(bias: Tensor | None, shape: Shape) -> Array | None:
    """Spread one value a channel over a shape whose first axis counts the channels."""
    if bias is None:
        return None
    column = bias.values.astype(np.float64).reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(column, shape)
