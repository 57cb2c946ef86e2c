"""Node and Input: what a graph is made of, each checked as it is made."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError
from thresher.ir.fields import (
    ChoiceRule,
    FloatRule,
    IntRule,
    IntsRule,
    NumbersRule,
    OptionalRule,
    TensorRule,
    check_fields,
    ruled,
)
from thresher.ir.op import Op, Shape
from thresher.ir.spiking import Spiking
from thresher.ir.tensor import Tensor

POSITIVE = FloatRule(0.0, exclusive=True)


@dataclass(frozen=True)
class Mark:
    """Where in a file something stands; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Preprocess:
    """Turn stored pixels into what the network was trained on: (x / divide - mean) / std.

    `mean` and `std` hold one value a channel, or one for all.
    """

    divide: float = ruled(POSITIVE, 1.0)
    mean: tuple[float, ...] = ruled(NumbersRule(FloatRule()), (0.0,))
    std: tuple[float, ...] = ruled(NumbersRule(POSITIVE), (1.0,))

    def __post_init__(self) -> None:
        check_fields(self, "preprocess", GraphError)

    def apply(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Preprocess a batch (N, C, ...) in float32."""
        axes = (-1, *[1] * (x.ndim - 2))
        mean, std = (np.asarray(v, np.float32).reshape(axes) for v in (self.mean, self.std))
        y: NDArray[np.float32] = (x.astype(np.float32) / np.float32(self.divide) - mean) / std
        return y


@dataclass(frozen=True)
class Input:
    """An input of the graph; `threshold` is what one spike of a spiking encoder stands for."""

    name: str
    shape: Shape = ruled(IntsRule(minimum=1))
    preprocess: Preprocess | None = None
    threshold: float | None = ruled(OptionalRule(POSITIVE), None)
    mark: Mark | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        what = f"input '{self.name}'"
        check_fields(self, what, GraphError)
        if not self.shape:
            raise GraphError(f"{what}: shape is []; expected the size of at least one axis")
        for role in ("mean", "std") if self.preprocess is not None else ():
            n = len(getattr(self.preprocess, role))
            if n not in (1, self.shape[0]):
                raise GraphError(
                    f"{what}: preprocess: {role} has {n} values; expected 1, or one for each of "
                    f"the {self.shape[0]} channels"
                )


@dataclass(frozen=True)
class Readout:
    """How the decision is read: the output's membrane, or its spikes; counted from `t_start`.

    `scale` is how many units of the membrane in `int` precision stand for 1.
    """

    kind: str = ruled(ChoiceRule(("membrane", "spikes")), "membrane")
    t_start: int = ruled(IntRule(0), 0)
    scale: float | None = ruled(OptionalRule(POSITIVE), None)

    def __post_init__(self) -> None:
        check_fields(self, "readout", GraphError)


@dataclass(frozen=True)
class Probe:
    """Steps that are run before those that count, to see which neurons would be off by a spike.

    `srp` silences the neurons that the probe leaves without charge (Hao et al., AAAI 2023); `cos`
    moves the start of those that fired once too often or too seldom, a probe for each population
    (Hao et al., ICLR 2023). Every sample is probed for itself.
    """

    method: str = ruled(ChoiceRule(("srp", "cos")))
    steps: int = ruled(IntRule(1), 4)

    def __post_init__(self) -> None:
        check_fields(self, "probe", GraphError)


@dataclass(frozen=True)
class Synapses:
    """Weights and biases of the SNN where they are others than the ANN's, in the same shapes."""

    weight: Tensor = ruled(TensorRule())
    bias: Tensor = ruled(TensorRule())

    def __post_init__(self) -> None:
        check_fields(self, "synapses", GraphError)


@dataclass(frozen=True)
class Node:
    """An operation of the ANN; with `spiking`, also a population of the SNN.

    `delay` (ticks; steps in lockstep) holds for the projection that a linear node is part of;
    `synapses` take the place of the op's weights in the SNN.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    spiking: Spiking | None = None
    delay: int | None = ruled(OptionalRule(IntRule(0)), None)
    mark: Mark | None = field(default=None, compare=False, repr=False)
    synapses: Synapses | None = None

    def __post_init__(self) -> None:
        check_fields(self, f"node '{self.name}'", GraphError)

    @cached_property
    def synaptic_op(self) -> Op:
        """What the node computes in the SNN: its op, with the weights of its own synapses."""
        if self.synapses is None:
            return self.op
        changes: dict[str, Any] = {"weight": self.synapses.weight, "bias": self.synapses.bias}
        return replace(self.op, **changes)

    @property
    def tensors(self) -> Iterator[Tensor]:
        yield from self.op.tensors.values()
        if self.synapses is not None:
            yield from (self.synapses.weight, self.synapses.bias)
        if self.spiking is not None:
            yield from (tensor for _, tensor in self.spiking.tensors)
