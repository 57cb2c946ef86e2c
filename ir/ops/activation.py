"""Activations: relu, clipped_relu (threshold ReLU), qcfs, slip_relu, leaky_relu, softmax."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.fields import FloatRule, IntRule, ruled
from thresher.ir.op import Array, Op, Shape, register_op


@dataclass(frozen=True)
class Activation(Op):
    """An elementwise function whose node may become a population of neurons."""

    can_spike: ClassVar[bool] = True

    @property
    def ceiling(self) -> float | None:
        """The largest value that the function gives; None where it has none."""
        return None

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]


@register_op
@dataclass(frozen=True)
class Relu(Activation):
    """max(x, 0)."""

    kind: ClassVar[str] = "relu"

    def evaluate(self, *x: Array) -> Array:
        return np.maximum(x[0], 0)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class ClippedRelu(Activation):
    """Threshold ReLU, min(max(x, 0), max) (Deng and Gu 2021)."""

    kind: ClassVar[str] = "clipped_relu"
    max: float = ruled(FloatRule(0.0, exclusive=True))

    @property
    def ceiling(self) -> float:
        return self.max

    def evaluate(self, *x: Array) -> Array:
        return np.clip(x[0], 0, x[0].dtype.type(self.max))

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(max=1.0), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class Qcfs(Activation):
    """Quantised clip-floor-shift, max * clip(floor(x L / max + 1/2) / L, 0, 1) (Bu et al. 2022)."""

    kind: ClassVar[str] = "qcfs"
    levels: int = ruled(IntRule(1))
    max: float = ruled(FloatRule(0.0, exclusive=True))

    @property
    def ceiling(self) -> float:
        return self.max

    def evaluate(self, *x: Array) -> Array:
        one = x[0].dtype.type
        level = np.floor(x[0] * one(self.levels) / one(self.max) + one(0.5))
        y: Array = np.clip(level, 0, self.levels) / one(self.levels) * one(self.max)
        return y

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(levels=4, max=1.5), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class SlipRelu(Activation):
    """slope * min(max(x, 0), max) + (1 - slope) * qcfs(x), a mean of threshold ReLU and QCFS.

    Jiang et al. 2023 (SlipReLU), with their code's shifts: 0 of the threshold ReLU, 1/2 of the
    step function.
    """

    kind: ClassVar[str] = "slip_relu"
    levels: int = ruled(IntRule(1))
    max: float = ruled(FloatRule(0.0, exclusive=True))
    slope: float = ruled(FloatRule(0.0, maximum=1.0), 0.5)

    @property
    def ceiling(self) -> float:
        return self.max

    def evaluate(self, *x: Array) -> Array:
        one = x[0].dtype.type
        line = ClippedRelu(max=self.max).evaluate(*x)
        steps = Qcfs(levels=self.levels, max=self.max).evaluate(*x)
        y: Array = line * one(self.slope) + steps * one(1 - self.slope)
        return y

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(levels=4, max=1.5, slope=0.25), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class LeakyRelu(Activation):
    """x where it is positive, slope * x elsewhere; its neurons fire spikes of both signs."""

    kind: ClassVar[str] = "leaky_relu"
    slope: float = ruled(FloatRule(0.0), 0.01)

    def evaluate(self, *x: Array) -> Array:
        return np.where(x[0] > 0, x[0], x[0] * x[0].dtype.type(self.slope))

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(slope=0.1), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class Softmax(Op):
    """exp(x) over its sum along an axis, without the batch axis; -1 is the last one.

    At the output, over the classes (N,), it does not move the argmax.
    """

    kind: ClassVar[str] = "softmax"
    can_operate: ClassVar[bool] = True
    axis: int = ruled(IntRule(-1), -1)

    def infer_shape(self, *shapes: Shape) -> Shape:
        if self.axis >= len(shapes[0]):
            raise GraphError(f"axis {self.axis} does not exist in an input of {list(shapes[0])}")
        return shapes[0]

    def evaluate(self, *x: Array) -> Array:
        axis = self.axis if self.axis < 0 else self.axis + 1
        raised = np.exp(x[0] - x[0].max(axis=axis, keepdims=True))
        y: Array = raised / raised.sum(axis=axis, keepdims=True)
        return y

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(), ((6,),)
