"""Spiking: the annotation that turns an activation node into a population of neurons."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError
from thresher.ir.fields import (
    ChoiceRule,
    FloatRule,
    IntRule,
    NumberOrTensorRule,
    OptionalRule,
    TextRule,
    check_fields,
    ruled,
    rules_of,
)
from thresher.ir.parameters import Parameters, ParametersRule
from thresher.ir.tensor import Tensor

Shape = tuple[int, ...]
Value = float | Tensor

SIGNED, SIGNED_BURST = "signed_if", "signed_burst"
"""The neurons whose net counts settle on the quantised ANN's."""
IMBALANCED = "imbalanced"
"""The neuron that stands for a leaky ReLU."""
EXPECTATION = "expectation"
"""The neuron of operators: it follows a function of its mean input."""
DIFFERENTIAL = "differential"
"""The neuron whose spikes say how its value changes."""
COUNTED = frozenset({"if", "burst", SIGNED, SIGNED_BURST, "snm", "multi_threshold"})
"""The neurons whose net counts are never negative; a max pool follows those of no others."""


@dataclass(frozen=True)
class Spiking:
    """Neuron parameters, in units of the source ANN's activations.

    `threshold`, `v_init` and `shift` are one number, a tensor (C,) or one of the population's
    shape. `shift` is a current added at every step (Deng and Gu 2021: threshold / (2 T)). `scale`,
    one number or a tensor (C,), is how many units of `int` precision stand for 1. `levels` is the
    largest net count of a signed neuron (by default what it can fire in T steps), `tau` the time
    constant of a leak, in steps. `parameters` are a model's own numbers by name, which the model
    judges when the network is compiled.
    """

    threshold: Value = ruled(NumberOrTensorRule(FloatRule(0.0, exclusive=True)))
    neuron: str = ruled(TextRule("a neuron model's name"), "if")
    v_init: Value = ruled(NumberOrTensorRule(FloatRule()), 0.0)
    shift: Value = ruled(NumberOrTensorRule(FloatRule()), 0.0)
    reset: str = ruled(ChoiceRule(("soft", "hard")), "soft")
    v_reset: float = ruled(FloatRule(), 0.0)
    scale: Value | None = ruled(
        OptionalRule(NumberOrTensorRule(FloatRule(0.0, exclusive=True))), None
    )
    levels: int | None = ruled(OptionalRule(IntRule(1)), None)
    tau: float | None = ruled(OptionalRule(FloatRule(0.0, exclusive=True)), None)
    parameters: Parameters = ruled(ParametersRule(), Parameters())

    def __post_init__(self) -> None:
        check_fields(self, "spiking", GraphError)

    @property
    def psp(self) -> Value:
        """What one spike brings through a weight of 1: the threshold, or the parameter `psp`."""
        return self.parameters.get("psp", self.threshold)

    @property
    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the fields that hold a tensor, by name."""
        for field, _ in rules_of(self):
            value = getattr(self, field.name)
            if isinstance(value, Tensor):
                yield field.name, value

    def check_shape(self, shape: Shape) -> None:
        """Raise GraphError where a tensor fits neither the channels nor the population."""
        for name, value in self.tensors:
            shapes = [shape[:1]] if name == "scale" else [shape[:1], shape]
            if value.shape not in ((), *shapes):
                raise GraphError(
                    f"spiking: {name} '{value.name}' is {list(value.shape)}; expected a scalar, "
                    + " or ".join(str(list(expected)) for expected in shapes)
                )


def spread(value: Value, shape: Shape) -> NDArray[np.float64]:
    """Give every neuron of a population its value: an array of the population's shape."""
    values = np.asarray(value.values if isinstance(value, Tensor) else value, np.float64)
    if values.shape == shape[:1] and values.shape != shape:
        values = values.reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(values, shape)
