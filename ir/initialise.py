"""Initialisers: how the tensors of an untrained network are drawn, each from its own seed."""

import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SpecError
from thresher.ir.fields import FloatRule, IntRule, check_fields, ruled
from thresher.ir.op import Shape
from thresher.registry import Registry

Floats = NDArray[np.float32]
INITIALISERS: Registry[type["Initialiser"]] = Registry("initialiser", SpecError)


def register_initialiser(initialiser: type["Initialiser"]) -> type["Initialiser"]:
    """Register an initialiser under its `kind`; used as a decorator."""
    return INITIALISERS.register(initialiser.kind, initialiser)


@dataclass(frozen=True)
class Initialiser(ABC):
    """Draw a tensor; its ruled fields are the keys of the spec file beside `init`."""

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        check_fields(self, f"init '{self.kind}'", SpecError)

    @abstractmethod
    def draw(self, name: str, shape: Shape) -> Floats:
        """Return a float32 tensor of the shape, the same for the same name and fields."""


@dataclass(frozen=True)
class RandomInitialiser(Initialiser):
    """An initialiser with a seed; every tensor has a generator of its own, so order is free."""

    seed: int = ruled(IntRule(0), 0)

    def draw(self, name: str, shape: Shape) -> Floats:
        digest = hashlib.sha256(name.encode()).digest()
        rng = np.random.default_rng([self.seed, int.from_bytes(digest[:8], "little")])
        return self.sample(rng, name, shape).astype(np.float32)

    @abstractmethod
    def sample(self, rng: np.random.Generator, name: str, shape: Shape) -> NDArray[Any]: ...


@register_initialiser
@dataclass(frozen=True)
class KaimingNormal(RandomInitialiser):
    """Normal of standard deviation sqrt(2 / fan_out) (He et al. 2015, mode `fan_out`)."""

    kind: ClassVar[str] = "kaiming_normal"

    def sample(self, rng: np.random.Generator, name: str, shape: Shape) -> NDArray[Any]:
        return rng.normal(0.0, math.sqrt(2 / fan_out(name, shape)), shape)


@register_initialiser
@dataclass(frozen=True)
class KaimingUniform(RandomInitialiser):
    """Uniform within +-sqrt(6 / fan_out) (He et al. 2015, mode `fan_out`)."""

    kind: ClassVar[str] = "kaiming_uniform"

    def sample(self, rng: np.random.Generator, name: str, shape: Shape) -> NDArray[Any]:
        bound = math.sqrt(6 / fan_out(name, shape))
        return rng.uniform(-bound, bound, shape)


@register_initialiser
@dataclass(frozen=True, kw_only=True)
class Normal(RandomInitialiser):
    """Normal of mean 0 and standard deviation `std`."""

    kind: ClassVar[str] = "normal"
    std: float = ruled(FloatRule(0.0))

    def sample(self, rng: np.random.Generator, name: str, shape: Shape) -> NDArray[Any]:
        return rng.normal(0.0, self.std, shape)


@register_initialiser
@dataclass(frozen=True, kw_only=True)
class Uniform(RandomInitialiser):
    """Uniform from `low` to `high`."""

    kind: ClassVar[str] = "uniform"
    low: float = ruled(FloatRule())
    high: float = ruled(FloatRule())

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > self.high:
            raise SpecError(
                f"init 'uniform': low is {self.low:g}; expected at most high, {self.high:g}"
            )

    def sample(self, rng: np.random.Generator, name: str, shape: Shape) -> NDArray[Any]:
        return rng.uniform(self.low, self.high, shape)


@register_initialiser
@dataclass(frozen=True)
class Zeros(Initialiser):
    """0 everywhere."""

    kind: ClassVar[str] = "zeros"

    def draw(self, name: str, shape: Shape) -> Floats:
        return np.zeros(shape, np.float32)


@register_initialiser
@dataclass(frozen=True)
class Ones(Initialiser):
    """1 everywhere."""

    kind: ClassVar[str] = "ones"

    def draw(self, name: str, shape: Shape) -> Floats:
        return np.ones(shape, np.float32)


@register_initialiser
@dataclass(frozen=True)
class Constant(Initialiser):
    """`value` everywhere."""

    kind: ClassVar[str] = "constant"
    value: float = ruled(FloatRule())

    def draw(self, name: str, shape: Shape) -> Floats:
        return np.full(shape, self.value, np.float32)


def fan_out(name: str, shape: Shape) -> int:
    """Count what one input value reaches: the first axis times the kernel, as PyTorch does."""
    if len(shape) < 2:
        raise SpecError(
            f"tensor '{name}' is {list(shape)} and has no fan-out; expected two axes or more: use "
            "zeros, ones, constant, normal or uniform"
        )
    return shape[0] * math.prod(shape[2:])
