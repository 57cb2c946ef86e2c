"""Convolutions: conv1d, conv2d, and what conv_transpose2d shares with them."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.convolution import Axis, convolve
from thresher.ir.fields import IntRule, Padding, PaddingRule, Pair, PairRule, TensorRule, ruled
from thresher.ir.linear_map import LinearMap, identity, per_channel
from thresher.ir.op import Array, Op, Shape, expect_axes, expect_tensor, register_op
from thresher.ir.tensor import Tensor
from thresher.ir.weighted_map import ConvMap


@dataclass(frozen=True)
class SidesRule(PairRule):
    """One number for both ends of an axis, or [left, right]."""

    @property
    def expected(self) -> str:
        return f"a whole number of at least {self.minimum}, or [left, right] of such"


@dataclass(frozen=True)
class Convolution(Op):
    """What the convolutions share; `out_channels` and `kernel` 0 are taken from the weight."""

    layout: ClassVar[str] = "(C, H, W)"
    weight_layout: ClassVar[str] = "(out, in/groups, kernel height, kernel width)"
    weight: Tensor = ruled(TensorRule())
    bias: Tensor | None = ruled(TensorRule(optional=True), None)
    out_channels: int = ruled(IntRule(0), 0)
    groups: int = ruled(IntRule(1), 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight.values.ndim != 1 + len(self.layout.split(", ")):
            raise GraphError(
                f"weight '{self.weight.name}' is {list(self.weight.shape)}; expected "
                f"{1 + len(self.layout.split(', '))} axes, {self.weight_layout}"
            )
        object.__setattr__(self, "out_channels", self.out_channels or self._weight_channels())

    @property
    @abstractmethod
    def axes(self) -> tuple[Axis, ...]:
        """How the kernel moves along each axis after the channels."""

    @classmethod
    def tensor_shapes(cls, settings: Mapping[str, Any], *shapes: Shape) -> dict[str, Shape]:
        (shape,) = shapes
        expect_axes(shape, len(cls.layout.split(", ")), cls.layout)
        for name in ("out_channels", "kernel"):
            if not np.all(settings.get(name, 0)):
                raise GraphError(f"needs '{name}' where its weight is not in a file")
        out, kernel = settings["out_channels"], np.atleast_1d(settings["kernel"]).tolist()
        weight = cls._weight_shape(shape[0], out, settings.get("groups", 1), tuple(kernel))
        return {"weight": weight, "bias": (out,)}

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        expect_axes(shape, len(self.layout.split(", ")), self.layout)
        if shape[0] % self.groups or self.out_channels % self.groups:
            raise GraphError(
                f"{shape[0]} channels in and {self.out_channels} out do not divide into "
                f"{self.groups} groups"
            )
        kernel = tuple(axis.kernel for axis in self.axes)
        expected = self._weight_shape(shape[0], self.out_channels, self.groups, kernel)
        expect_tensor("weight", self.weight, expected, f"the input is {list(shape)}")
        why = f"there are {self.out_channels} channels"
        expect_tensor("bias", self.bias, (self.out_channels,), why)
        size = self._size(shape[1:])
        if min(size) < 1:
            raise GraphError(f"kernel {list(kernel)} does not fit into an input of {list(shape)}")
        return (self.out_channels, *size)

    def evaluate(self, *x: Array) -> Array:
        y = self._weigh(x[0], self.weight.values.astype(x[0].dtype, copy=False))
        if self.bias is not None:
            y = y + per_channel(self.bias.values, y.shape[1:]).astype(y.dtype)
        return y

    def macs(self, *shapes: Shape) -> int:
        return prod(self.infer_shape(*shapes)[1:]) * self.weight.values.size

    @abstractmethod
    def _weigh(self, x: Array, weight: Array) -> Array:
        """Convolve a batch with the weight in its precision."""

    def _size(self, shape: Shape) -> Shape:
        return tuple(axis.size(size) for axis, size in zip(self.axes, shape, strict=True))

    def _weight_channels(self) -> int:
        """Tell the output's channels from the weight."""
        return self.weight.shape[0]

    @classmethod
    def _weight_shape(cls, channels: int, out: int, groups: int, kernel: Shape) -> Shape:
        return (out, channels // groups, *kernel)

    def _bias_over(self, out_shape: Shape) -> Array | None:
        return None if self.bias is None else per_channel(self.bias.values, out_shape)


@register_op
@dataclass(frozen=True)
class Conv1d(Convolution):
    """Convolve (C, L) with a weight (out, in/groups, kernel)."""

    kind: ClassVar[str] = "conv1d"
    layout: ClassVar[str] = "(C, L)"
    weight_layout: ClassVar[str] = "(out, in/groups, kernel)"
    kernel: int = ruled(IntRule(0), 0)
    stride: int = ruled(IntRule(1), 1)
    padding: Pair = ruled(SidesRule(0), (0, 0))
    dilation: int = ruled(IntRule(1), 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "kernel", self.kernel or self.weight.shape[2])

    @property
    def axes(self) -> tuple[Axis, ...]:
        return (Axis(self.kernel, self.stride, self.padding, self.dilation),)

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        out_shape = self.infer_shape(shape)
        return (
            ConvMap(
                shape,
                out_shape,
                self._bias_over(out_shape),
                identity(shape, (shape[0], 1, shape[1])),
                self.weight.values.astype(np.float64)[:, :, None],
                (1, self.stride),
                ((0, 0), self.padding),
                (1, self.dilation),
                self.groups,
            ),
        )

    def _weigh(self, x: Array, weight: Array) -> Array:
        stride, padding, dilation = (1, self.stride), ((0, 0), self.padding), (1, self.dilation)
        image, kernel = x[:, :, None], weight[:, :, None]
        return convolve(image, kernel, stride, padding, dilation, self.groups)[:, :, 0]

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        weight, bias = random_tensor((6, 2, 3)), random_tensor((6,))
        op = cls(weight=weight, bias=bias, stride=2, padding=(1, 2), dilation=2, groups=2)
        return op, ((4, 9),)


@dataclass(frozen=True)
class PlanarConvolution(Convolution):
    """The geometry of a convolution over height and width."""

    kernel: Pair = ruled(PairRule(0), (0, 0))
    stride: Pair = ruled(PairRule(1), (1, 1))
    padding: Padding = ruled(PaddingRule(), ((0, 0), (0, 0)))
    dilation: Pair = ruled(PairRule(1), (1, 1))

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = zip(self.kernel, self.weight.shape[2:], strict=True)
        object.__setattr__(self, "kernel", tuple(given or told for given, told in sizes))

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(map(Axis, self.kernel, self.stride, self.padding, self.dilation))


@register_op
@dataclass(frozen=True)
class Conv2d(PlanarConvolution):
    """Convolve (C, H, W) with a weight (out, in/groups, kh, kw)."""

    kind: ClassVar[str] = "conv2d"

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        out_shape = self.infer_shape(shape)
        return (
            ConvMap(
                shape,
                out_shape,
                self._bias_over(out_shape),
                identity(shape),
                self.weight.values.astype(np.float64),
                self.stride,
                self.padding,
                self.dilation,
                self.groups,
            ),
        )

    def _weigh(self, x: Array, weight: Array) -> Array:
        return convolve(x, weight, self.stride, self.padding, self.dilation, self.groups)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        op = cls(
            weight=random_tensor((6, 2, 3, 2)),
            bias=random_tensor((6,)),
            stride=(2, 1),
            padding=((1, 0), (2, 1)),
            dilation=(1, 2),
            groups=2,
        )
        return op, ((4, 7, 6),)


def random_tensor(shape: Shape) -> Tensor:
    """Draw a weight or a bias for an example."""
    values = np.random.default_rng(len(shape)).normal(size=shape)
    return Tensor("bias" if len(shape) == 1 else "weight", values.astype(np.float32))
