"""The linear (fully connected) layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.fields import IntRule, TensorRule, ruled
from thresher.ir.linear_map import LinearMap, identity
from thresher.ir.op import Array, Op, Shape, expect_axes, expect_tensor, register_op
from thresher.ir.tensor import Tensor
from thresher.ir.weighted_map import DenseMap


@register_op
@dataclass(frozen=True)
class Linear(Op):
    """Multiply (N,) by a weight (out, in); `out_features` 0 is taken from the weight."""

    kind: ClassVar[str] = "linear"
    weight: Tensor = ruled(TensorRule())
    bias: Tensor | None = ruled(TensorRule(optional=True), None)
    out_features: int = ruled(IntRule(0), 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight.values.ndim != 2:
            raise GraphError(
                f"weight '{self.weight.name}' is {list(self.weight.shape)}; expected (out, in)"
            )
        object.__setattr__(self, "out_features", self.out_features or self.weight.shape[0])

    @classmethod
    def tensor_shapes(cls, settings: Mapping[str, Any], *shapes: Shape) -> dict[str, Shape]:
        (shape,) = shapes
        expect_axes(shape, 1, "(N,); put a flatten before it")
        if not settings.get("out_features"):
            raise GraphError("needs 'out_features' where its weight is not in a file")
        out = settings["out_features"]
        return {"weight": (out, shape[0]), "bias": (out,)}

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        expect_axes(shape, 1, "(N,); put a flatten before it")
        why = f"the input has {shape[0]} values"
        expect_tensor("weight", self.weight, (self.out_features, shape[0]), why)
        expect_tensor(
            "bias", self.bias, (self.out_features,), f"there are {self.out_features} outputs"
        )
        return (self.out_features,)

    def evaluate(self, *x: Array) -> Array:
        (values,) = x
        weight = self.weight.values.astype(values.dtype, copy=False)
        # One product a sample: a product of the batch would round by the batch's size.
        y: Array = np.matmul(weight, values[:, :, None])[:, :, 0]
        return y if self.bias is None else y + self.bias.values.astype(values.dtype)

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        bias = None if self.bias is None else self.bias.values.astype(np.float64)
        weight = self.weight.values.astype(np.float64)
        return (DenseMap(shape, self.infer_shape(shape), bias, identity(shape), weight),)

    def macs(self, *shapes: Shape) -> int:
        return self.weight.values.size

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        rng = np.random.default_rng(0)
        weight = Tensor("w", rng.normal(size=(5, 7)).astype(np.float32))
        return cls(weight=weight, bias=Tensor("b", rng.normal(size=5).astype(np.float32))), ((7,),)
