"""Encoder: the interface and the registry."""

from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.registry import Registry


class SpikeTimes(NamedTuple):
    """Spikes of the input population, by tick and then by neuron."""

    ticks: NDArray[np.int64]
    neurons: NDArray[np.int32]


class Encoder(Protocol):
    """How input enters the network: what every encoder has."""

    name: ClassVar[str]
    spikes: ClassVar[bool]
    """Whether the input becomes a population of its own."""


@runtime_checkable
class IntensityEncoder(Encoder, Protocol):
    """Turn intensities into spikes, or leave them an analog current."""

    def encode(
        self,
        rate: NDArray[np.float64],
        steps: int,
        ticks_per_step: int,
        rng: np.random.Generator,
    ) -> SpikeTimes:
        """Draw the spikes of neurons with rates (n,) in [0, 1] spikes per step.

        A neuron fires at most once a tick; draws go tick by tick, in index order.
        """
        ...


ENCODERS: Registry[Encoder] = Registry("encoder", SimulationError)


def from_mask(blocks: list[NDArray[np.bool_]]) -> SpikeTimes:
    """List the spikes of masks (ticks, n) that follow one another, the first at tick 1."""
    ticks, neurons, start = [], [], 1
    for mask in blocks:
        tick, neuron = np.nonzero(mask)
        ticks.append(tick + start)
        neurons.append(neuron)
        start += len(mask)
    return SpikeTimes(
        np.concatenate(ticks).astype(np.int64), np.concatenate(neurons).astype(np.int32)
    )


def tick_blocks(n: int, ticks: int) -> list[range]:
    """Cut the ticks 1..ticks into blocks whose masks stay small."""
    size = max(1, 2**20 // max(n, 1))
    return [range(k, min(k + size, ticks + 1)) for k in range(1, ticks + 1, size)]
