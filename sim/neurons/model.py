"""Model and Neuron: what a model of a spiking neuron has to say; the registry of models."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.ir.parameters import Parameters
from thresher.ir.spiking import Spiking
from thresher.registry import Registry, suggest
from thresher.sim.contract import NEVER
from thresher.sim.network import Ints, Population, Projection, Reals
from thresher.sim.neurons.parameter import Parameter
from thresher.sim.neurons.time import Time
from thresher.sim.neurons.window import Window

Chosen = Ints | slice
EVERY = slice(None)
Bools = NDArray[np.bool_]
Signs = NDArray[np.int8]


class Model:
    """What there is to know of a neuron model without running it; its equations are its docstring.

    A model that runs in time is a `Neuron`; one whose spikes mean something only in a window of
    their own is a `TimeCoded`.
    """

    name: ClassVar[str]
    has_kernel: ClassVar[bool] = False
    """Whether the compiled engines know the model."""
    takes: ClassVar[frozenset[str]] = frozenset()
    """Which of an annotation's `levels` and `tau` the model has."""
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    """What an annotation may set under `parameters`, by name; `population.parameters` has all."""
    window: ClassVar[Window | None] = None
    """How its populations fire in schedule `layered`; None where that has no meaning."""
    own_reset: ClassVar[str] = ""
    """What a model's neurons do after a spike, where `reset` and `v_reset` have no meaning."""
    stepped: ClassVar[bool] = False
    """Whether the state is stepped through every tick, so that no spike is known ahead: `settle`
    has no meaning then."""
    leaks: ClassVar[bool] = False
    """Whether a count depends on when the input came: `layered` and `int` have no meaning then."""
    counted: ClassVar[bool] = False
    """Whether the net count of its spikes is never negative, so that a max pool may follow it."""
    operates: ClassVar[bool] = False
    """Whether its neurons stand for an operator, and follow a function of what reaches it."""
    rests: ClassVar[bool] = True
    """Whether the refractory rule holds."""
    differential: ClassVar[bool] = False
    """Whether a spike of step t also brings what it carries, divided by t, at every later step:
    `async`, `layered`, `int` and `settle` have no meaning then."""
    decodes: ClassVar[bool] = False
    """Whether spikes of differential neurons may reach its neurons."""

    @classmethod
    def check(cls, spiking: Spiking) -> None:
        """Raise SimulationError for an annotation that the model cannot follow."""
        for field in ("levels", "tau"):
            if getattr(spiking, field) is not None and field not in cls.takes:
                others = [f"'{name}'" for name in NEURONS if field in NEURONS.get(name).takes]
                raise SimulationError(
                    f"neuron '{cls.name}' has no {field}; leave it out, or take neuron "
                    + " or ".join(others)
                )
        if cls.own_reset and (spiking.reset == "hard" or spiking.v_reset):
            raise SimulationError(
                f"neuron '{cls.name}' has a reset of its own ({cls.own_reset}); leave 'reset' and "
                "'v_reset' out"
            )
        for name, value in spiking.parameters.items():
            cls._check_parameter(name, value)

    @classmethod
    def _check_parameter(cls, name: str, value: float) -> None:
        if name not in cls.parameters:
            known = ", ".join(cls.parameters)
            raise SimulationError(
                f"neuron '{cls.name}' has no parameter '{name}': "
                + (f"{suggest(name, cls.parameters)}known are {known}" if known else "it has none")
            )
        parameter = cls.parameters[name]
        try:
            parameter.rule.parse(value)
        except ValueError as error:
            unit = f" in {parameter.unit}" if parameter.unit else ""
            raise SimulationError(
                f"neuron '{cls.name}': parameter '{name}', {parameter.meaning}{unit}, is "
                f"{value:g}; expected {error}"
            ) from None

    @classmethod
    def complete(cls, parameters: Parameters) -> Parameters:
        """Return all parameters of the model: those given, and the defaults of the others."""
        return Parameters({**{n: p.default for n, p in cls.parameters.items()}, **parameters})

    @classmethod
    def window_of(cls, population: Population, steps: int) -> Window | None:
        """Return how a population fires in schedule `layered`, in a run of T steps."""
        return cls.window

    @classmethod
    def ceiling_of(cls, population: Population, steps: int) -> int | None:
        """Return L where the net count of even input is clip(floor((T z + start) / theta), 0, L).

        None where it is no such staircase.
        """
        return None

    @classmethod
    def floor_of(cls, population: Population, steps: int) -> int:
        """Return the least net count of that staircase: 0, or below where it may be negative."""
        return 0

    @classmethod
    def levels_of(cls, population: Population, steps: int) -> int:
        """Count what a neuron may send at once, nothing included, in a run of T steps."""
        return 2

    @classmethod
    def payload_of(cls, population: Population, steps: int) -> int:
        """Return the largest magnitude of what one spike carries: 1 but for graded models."""
        return 1


class Neuron(Model, ABC):
    """The neurons of one population while one sample runs.

    The engine delivers spikes, asks who would fire, sees to the refractory rule, resets those that
    do fire and passes their spikes on. In lockstep a tick is a step.
    """

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        self.population, self.current, self.time = population, current, time

    @abstractmethod
    def potential(self, tick: int, neurons: Chosen = EVERY) -> Reals:
        """Return the potentials after what has happened up to a tick."""

    @abstractmethod
    def receive(self, projection: Projection, neuron: int, sign: int, tick: int) -> Ints:
        """Take the spike of one source neuron; return the neurons that it reaches.

        `sign` is the spike's payload, +-1 but for graded models.
        """

    @abstractmethod
    def begin_step(self, step: int) -> None:
        """Prepare to receive the spikes of a step (lockstep)."""

    @abstractmethod
    def end_step(self, step: int) -> None:
        """Add what came in this step to the potentials (lockstep)."""

    def end_input(self) -> None:
        """Take note that the input is over and the run goes on to settle (`async`)."""

    @abstractmethod
    def signs(self, neurons: Chosen, tick: int) -> Signs:
        """Return the payload with which each of these would fire at a tick; 0: it would not."""

    @abstractmethod
    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        """Reset the neurons that fired."""

    @abstractmethod
    def next_tick(self, neurons: Ints, earliest: Ints) -> Ints:
        """Return the tick from `earliest` on at which each would fire if nothing came; or NEVER.

        A tick before that one may be returned too: the engine compares, and asks again.
        """

    def pending(self, tick: int) -> bool:
        """Tell whether a neuron is to fire after a step although nothing comes (lockstep)."""
        return bool(self.signs(EVERY, tick).any())


NEURONS: Registry[type[Model]] = Registry("neuron", SimulationError)
"""The models that an annotation may name."""
PARTS: dict[str, type[Neuron]] = {}
"""What the populations are made of that stand for no activation: input, readout, max pool; and
"operator", whatever follows an operation."""


def model_of(population: Population) -> type[Model]:
    """Return the model of a population's neurons."""
    return PARTS.get(population.neuron) or NEURONS.get(population.neuron)


def neuron_of(population: Population) -> type[Neuron]:
    """Return the model that lets a population's neurons run in time.

    Raises
    ------
    SimulationError
        Where their spikes mean something only in a window of their own.
    """
    model = PARTS["operator"] if population.operation is not None else model_of(population)
    if not issubclass(model, Neuron):
        raise SimulationError(
            f"node '{population.name}': neurons '{population.neuron}' say their values by the "
            "times of spikes in a window of their own; take --schedule layered"
        )
    return model


def first_tick(holds: Callable[[Ints], Bools], opens: Bools, earliest: Ints, last: int) -> Ints:
    """Return each neuron's first tick, from `earliest` on, at which a condition holds; or NEVER.

    Where `opens`, the condition may come to hold at a tick up to `last`, and holds from there on:
    bisect. Elsewhere it holds at `earliest` or not at all.
    """
    low, high = earliest, np.full_like(earliest, last + 1)
    while (low < high).any():
        middle = (low + high) // 2
        below = ~holds(middle) & (middle < high)
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    found = np.where(opens & (low <= last), low, NEVER)
    return np.where(holds(earliest), earliest, found)
