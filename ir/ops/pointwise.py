"""Pointwise functions without an integrate-and-fire neuron: sigmoid, tanh, silu, gelu, elu, ..."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from thresher.ir.erf import erf
from thresher.ir.fields import ChoiceRule, FloatRule, ruled
from thresher.ir.op import Array, Op, Shape, register_op


@dataclass(frozen=True)
class Pointwise(Op):
    """A function of each value alone whose firing rate no integrate-and-fire neuron has."""

    can_operate: ClassVar[bool] = True

    def infer_shape(self, *shapes: Shape) -> Shape:
        return shapes[0]

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class Sigmoid(Pointwise):
    """1 / (1 + exp(-x))."""

    kind: ClassVar[str] = "sigmoid"

    def evaluate(self, *x: Array) -> Array:
        return logistic(x[0])


@register_op
@dataclass(frozen=True)
class Tanh(Pointwise):
    """The hyperbolic tangent."""

    kind: ClassVar[str] = "tanh"

    def evaluate(self, *x: Array) -> Array:
        y: Array = np.tanh(x[0])
        return y


@register_op
@dataclass(frozen=True)
class Silu(Pointwise):
    """x / (1 + exp(-x)), also called swish."""

    kind: ClassVar[str] = "silu"

    def evaluate(self, *x: Array) -> Array:
        return x[0] * logistic(x[0])


@register_op
@dataclass(frozen=True)
class Gelu(Pointwise):
    """x times the normal distribution's function at x (Hendrycks and Gimpel 2016).

    `approximate` is PyTorch's: 'none', by the error function, or 'tanh',
    x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).
    """

    kind: ClassVar[str] = "gelu"
    approximate: str = ruled(ChoiceRule(("none", "tanh")), "none")

    def evaluate(self, *x: Array) -> Array:
        one = x[0].dtype.type
        if self.approximate == "none":
            part = erf(x[0] * one(math.sqrt(0.5)))
        else:
            inner = x[0] * (one(1) + one(0.044715) * x[0] * x[0])
            part = np.tanh(one(math.sqrt(2 / math.pi)) * inner)
        y: Array = x[0] * (one(0.5) * (one(1) + part))
        return y


@register_op
@dataclass(frozen=True)
class HardSigmoid(Pointwise):
    """slope * x + offset, clipped to 0 and 1; by default PyTorch's, x / 6 + 1/2."""

    kind: ClassVar[str] = "hard_sigmoid"
    slope: float = ruled(FloatRule(0.0, exclusive=True), 1 / 6)
    offset: float = ruled(FloatRule(), 0.5)

    def evaluate(self, *x: Array) -> Array:
        one = x[0].dtype.type
        y: Array = np.clip(x[0] * one(self.slope) + one(self.offset), 0, 1)
        return y

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(slope=0.25, offset=0.625), ((3, 4, 5),)


@register_op
@dataclass(frozen=True)
class HardSwish(Pointwise):
    """x times PyTorch's hard sigmoid of x (Howard et al. 2019)."""

    kind: ClassVar[str] = "hard_swish"

    def evaluate(self, *x: Array) -> Array:
        one = x[0].dtype.type
        y: Array = x[0] * (np.clip(x[0] + one(3), 0, 6) * one(1 / 6))
        return y


@register_op
@dataclass(frozen=True)
class Elu(Pointwise):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016)."""

    kind: ClassVar[str] = "elu"
    alpha: float = ruled(FloatRule(0.0), 1.0)

    def evaluate(self, *x: Array) -> Array:
        below = x[0].dtype.type(self.alpha) * np.expm1(np.minimum(x[0], 0))
        return np.where(x[0] > 0, x[0], below)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        return cls(alpha=0.5), ((3, 4, 5),)


def logistic(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)) without an overflow, in the input's precision."""
    one = x.dtype.type(1)
    small = np.exp(-np.abs(x))
    y: Array = np.where(x < 0, small, one) / (one + small)
    return y
