"""Neuron: what a model of a spiking neuron has to say; the registry of models."""

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.registry import Registry
from thresher.sim.network import Population

Reals = NDArray[np.floating]
Ints = NDArray[np.int64]


class Neuron(Protocol):
    """The reference rule of a neuron model; equations stand in its class's docstring."""

    name: ClassVar[str]
    has_kernel: ClassVar[bool]
    """Whether the compiled engines know the model."""

    def reset(self, population: Population, u: Reals, fired: Ints, ramp: Reals | float) -> None:
        """Reset the neurons that fired, in place.

        `u` is the part of the potential that does not ramp; `ramp` what the constant current has
        added to each of the fired ones so far (0 in lockstep, where `u` is the whole).
        """
        ...


NEURONS: Registry[Neuron] = Registry("neuron", SimulationError)
