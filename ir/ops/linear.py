"""Linear (fully connected) layers: linear, and positionwise_linear over the last axis."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.fields import IntRule, TensorRule, ruled
from thresher.ir.linear_map import LinearMap, expect_sparse_size, identity, sparse_from_rows
from thresher.ir.op import Array, Op, Shape, expect_axes, expect_tensor, register_op
from thresher.ir.tensor import Tensor
from thresher.ir.weighted_map import DenseMap


@dataclass(frozen=True)
class MatrixOp(Op):
    """What linear layers share: a weight (out, in) for the last axis; `out_features` 0 is its."""

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
    @abstractmethod
    def expect_layout(cls, shape: Shape) -> None:
        """Raise GraphError for an input of too few or too many axes."""

    @classmethod
    def tensor_shapes(cls, settings: Mapping[str, Any], *shapes: Shape) -> dict[str, Shape]:
        (shape,) = shapes
        cls.expect_layout(shape)
        if not settings.get("out_features"):
            raise GraphError("needs 'out_features' where its weight is not in a file")
        out = settings["out_features"]
        return {"weight": (out, shape[-1]), "bias": (out,)}

    def infer_shape(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        self.expect_layout(shape)
        why = f"the input has {shape[-1]} values"
        expect_tensor("weight", self.weight, (self.out_features, shape[-1]), why)
        expect_tensor(
            "bias", self.bias, (self.out_features,), f"there are {self.out_features} outputs"
        )
        return (*shape[:-1], self.out_features)

    def macs(self, *shapes: Shape) -> int:
        return prod(shapes[0][:-1]) * self.weight.values.size

    def _with_bias(self, y: Array) -> Array:
        return y if self.bias is None else y + self.bias.values.astype(y.dtype)


@register_op
@dataclass(frozen=True)
class Linear(MatrixOp):
    """Multiply (N,) by a weight (out, in); `out_features` 0 is taken from the weight."""

    kind: ClassVar[str] = "linear"

    @classmethod
    def expect_layout(cls, shape: Shape) -> None:
        expect_axes(shape, 1, "(N,); put a flatten before it")

    def evaluate(self, *x: Array) -> Array:
        (values,) = x
        weight = self.weight.values.astype(values.dtype, copy=False)
        # One product a sample: a product of the batch would round by the batch's size.
        return self._with_bias(np.matmul(weight, values[:, :, None])[:, :, 0])

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        (shape,) = shapes
        bias = None if self.bias is None else self.bias.values.astype(np.float64)
        weight = self.weight.values.astype(np.float64)
        return (DenseMap(shape, self.infer_shape(shape), bias, identity(shape), weight),)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(*_drawn()), ((7,),)


@register_op
@dataclass(frozen=True)
class PositionwiseLinear(MatrixOp):
    """Multiply the last axis of (L, C), at every place the same, by a weight (out, in).

    Of more axes, such as (H, W, C), all but the last are places (PyTorch's Linear).
    """

    kind: ClassVar[str] = "positionwise_linear"

    @classmethod
    def expect_layout(cls, shape: Shape) -> None:
        if len(shape) < 2:
            raise GraphError(f"takes (L, C) or more axes, got {list(shape)}; take a linear")

    def evaluate(self, *x: Array) -> Array:
        (values,) = x
        places = values.reshape(len(values), -1, values.shape[-1])
        weight = self.weight.values.astype(values.dtype, copy=False)
        y = np.matmul(places, weight.T)
        return self._with_bias(y.reshape(*values.shape[:-1], self.out_features))

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        """Write the weights out at every place."""
        (shape,) = shapes
        out_shape, (out, features) = self.infer_shape(shape), self.weight.shape
        places = prod(shape[:-1])
        expect_sparse_size(places * self.weight.values.size)
        bias = None if self.bias is None else np.broadcast_to(self.bias.values, out_shape)
        first = np.repeat(np.arange(places) * out, features)
        targets = (first[:, None] + np.arange(out)).ravel()
        values = np.tile(self.weight.values.T.ravel().astype(np.float64), places)
        return (
            sparse_from_rows(
                shape,
                out_shape,
                None if bias is None else bias.astype(np.float64),
                np.full(places * features, out),
                targets,
                values,
            ),
        )

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(*_drawn()), ((3, 7),)


def _drawn() -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    weight = Tensor("w", rng.normal(size=(5, 7)).astype(np.float32))
    return weight, Tensor("b", rng.normal(size=5).astype(np.float32))
