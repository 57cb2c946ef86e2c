"""Norms by the mean and variance of the sample itself: layer_norm, group_norm."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.fields import FloatRule, IntRule, TensorRule, ruled
from thresher.ir.op import Array, Op, Shape, expect_tensor, register_op
from thresher.ir.tensor import Tensor


@dataclass(frozen=True)
class SampleNorm(Op):
    """(x - mean) / sqrt(variance + eps) * weight + bias, by the mean and variance of parts of x.

    Of values that are all alike x - mean is 0, and so is the quotient, even where eps is 0.
    """

    can_operate: ClassVar[bool] = True
    weight: Tensor | None = ruled(TensorRule(optional=True), None)
    bias: Tensor | None = ruled(TensorRule(optional=True), None)
    eps: float = ruled(FloatRule(0.0), 1e-5)

    @abstractmethod
    def to_rows(self, x: Array) -> Array:
        """Return x (N, *shape) as rows (N, parts, n) whose values are normalised together."""

    @abstractmethod
    def over(self, values: Array, shape: Shape) -> Array:
        """Shape a weight or bias so that it broadcasts over the input's shape."""

    def evaluate(self, *x: Array) -> Array:
        (values,) = x
        rows = self.to_rows(values)
        centred = rows - rows.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        deviation = np.sqrt(variance + values.dtype.type(self.eps))
        y: Array = centred / np.where(deviation > 0, deviation, values.dtype.type(1))
        y = y.reshape(values.shape)
        for tensor, apply in ((self.weight, np.multiply), (self.bias, np.add)):
            if tensor is not None:
                factor = self.over(tensor.values.astype(values.dtype), values.shape[1:])
                y = apply(y, factor)
        return y


@register_op
@dataclass(frozen=True)
class LayerNorm(SampleNorm):
    """Normalise over the last `axes` axes, whose shape weight and bias have (Ba et al. 2016)."""

    kind: ClassVar[str] = "layer_norm"
    axes: int = ruled(IntRule(1), 1)

    @classmethod
    def tensor_shapes(cls, settings: Mapping[str, Any], *shapes: Shape) -> dict[str, Shape]:
        return dict.fromkeys(("weight", "bias"), shapes[0][-settings.get("axes", 1) :])

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if self.axes > len(shape):
            raise GraphError(f"normalises over {self.axes} axes, and the input is {list(shape)}")
        for role, tensor in self.tensors.items():
            why = f"the last {self.axes} axes of the input are normalised"
            expect_tensor(role, tensor, shape[-self.axes :], why)
        return shape

    def to_rows(self, x: Array) -> Array:
        parts = int(np.prod(x.shape[1 : x.ndim - self.axes]))
        return x.reshape(len(x), parts, -1)

    def over(self, values: Array, shape: Shape) -> Array:
        return values

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        weight, bias = np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
        op = cls(weight=Tensor("weight", weight), bias=Tensor("bias", bias), eps=1e-3)
        return op, ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class GroupNorm(SampleNorm):
    """Normalise `groups` groups of channels over all places (Wu and He 2018).

    Weight and bias are per channel. As many groups as channels make an instance norm.
    """

    kind: ClassVar[str] = "group_norm"
    groups: int = ruled(IntRule(1), 1)

    @classmethod
    def tensor_shapes(cls, settings: Mapping[str, Any], *shapes: Shape) -> dict[str, Shape]:
        return dict.fromkeys(("weight", "bias"), shapes[0][:1])

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if shape[0] % self.groups:
            raise GraphError(f"{self.groups} groups do not divide the {shape[0]} channels")
        for role, tensor in self.tensors.items():
            expect_tensor(role, tensor, shape[:1], f"the input has {shape[0]} channels")
        return shape

    def to_rows(self, x: Array) -> Array:
        return x.reshape(len(x), self.groups, -1)

    def over(self, values: Array, shape: Shape) -> Array:
        return values.reshape(-1, *[1] * (len(shape) - 1))

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        weight, bias = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
        op = cls(weight=Tensor("weight", weight), bias=Tensor("bias", bias), groups=2)
        return op, ((4, 3, 5),)
