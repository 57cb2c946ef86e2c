"""Channelwise affine ops: batch_norm, scale."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError
from thresher.ir.fields import FloatRule, TensorRule, ruled
from thresher.ir.linear_map import LinearMap, per_channel, scaling
from thresher.ir.op import Array, Op, Shape, expect_tensor, register_op
from thresher.ir.tensor import Tensor

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ChannelAffine(Op):
    """Multiply each channel by a factor and add an offset; shapes (C,), (C, L) and (C, H, W)."""

    @abstractmethod
    def affine(self) -> tuple[Floats, Floats | None]:
        """Return factor and offset, (C,) or the input's shape each; None is no offset."""

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        for role, tensor in self.tensors.items():
            expect_tensor(role, tensor, shape[:1], f"the input has {shape[0]} channels")
        return shape

    def evaluate(self, *x: Array) -> Array:
        (values,) = x
        factor, offset = self.affine()
        y: Array = values * per_channel(factor, values.shape[1:]).astype(values.dtype)
        if offset is not None:
            y = y + per_channel(offset, values.shape[1:]).astype(values.dtype)
        return y

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        factor, offset = self.affine()
        bias = None if offset is None else per_channel(offset, shape)
        return (replace(scaling(per_channel(factor, shape)), bias=bias),)


@register_op
@dataclass(frozen=True)
class BatchNorm(ChannelAffine):
    """(x - running_mean) / sqrt(running_var + eps) * weight + bias, as at evaluation."""

    kind: ClassVar[str] = "batch_norm"
    running_mean: Tensor = ruled(TensorRule())
    running_var: Tensor = ruled(TensorRule())
    weight: Tensor | None = ruled(TensorRule(optional=True), None)
    bias: Tensor | None = ruled(TensorRule(optional=True), None)
    eps: float = ruled(FloatRule(0.0), 1e-5)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.running_var.values + self.eps > 0).all():
            raise GraphError(
                f"running_var '{self.running_var.name}' + eps ({self.eps:g}) is not above 0 "
                "everywhere; expected variances of at least 0 and a positive eps"
            )

    @classmethod
    def tensor_shapes(cls, settings: Mapping[str, Any], *shapes: Shape) -> dict[str, Shape]:
        channels = shapes[0][:1]
        return dict.fromkeys(("running_mean", "running_var", "weight", "bias"), channels)

    def affine(self) -> tuple[Floats, Floats | None]:
        deviation = np.sqrt(self.running_var.values.astype(np.float64) + self.eps)
        factor = (1.0 if self.weight is None else self.weight.values.astype(np.float64)) / deviation
        offset = -self.running_mean.values.astype(np.float64) * factor
        return factor, offset if self.bias is None else offset + self.bias.values

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        rng = np.random.default_rng(0)
        mean, weight, bias = rng.normal(size=(3, 4)).astype(np.float32)
        op = cls(
            running_mean=Tensor("mean", mean),
            running_var=Tensor("var", rng.uniform(0.5, 2.0, 4).astype(np.float32)),
            weight=Tensor("weight", weight),
            bias=Tensor("bias", bias),
            eps=1e-3,
        )
        return op, ((4, 3, 5),)


@register_op
@dataclass(frozen=True)
class Scale(ChannelAffine):
    """x * weight + bias, one value a channel each, or one for each value of the input."""

    kind: ClassVar[str] = "scale"
    weight: Tensor = ruled(TensorRule())
    bias: Tensor | None = ruled(TensorRule(optional=True), None)

    @classmethod
    def tensor_shapes(cls, settings: Mapping[str, Any], *shapes: Shape) -> dict[str, Shape]:
        return dict.fromkeys(("weight", "bias"), shapes[0][:1])

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        for role, tensor in self.tensors.items():
            if tensor.shape != shape:
                why = f"the input has {shape[0]} channels; or {list(shape)}, one for each value"
                expect_tensor(role, tensor, shape[:1], why)
        return shape

    def affine(self) -> tuple[Floats, Floats | None]:
        bias = None if self.bias is None else self.bias.values.astype(np.float64)
        return self.weight.values.astype(np.float64), bias

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        weight, bias = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
        return cls(weight=Tensor("weight", weight), bias=Tensor("bias", bias)), ((4, 3, 5),)
