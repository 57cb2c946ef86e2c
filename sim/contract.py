"""What passes between the simulator and an engine: options, a sample's stimulus, its run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.registry import Registry
from thresher.sim.network import Network, Reals

NEVER = -1
"""Stands for a tick that did not come."""


@dataclass(frozen=True)
class Options:
    """How to run a network; validated by `simulate`, trusted by engines.

    `record` says for each population whether its spikes are kept; `watch` lists the neurons
    (numbers over all populations, engines' order) whose potential is kept at every tick.
    """

    schedule: str
    steps: int
    ticks_per_step: int = 1
    refractory: int = 0
    netted: bool = True
    confidence: float = 0.9
    record: tuple[bool, ...] = ()
    watch: tuple[int, ...] = ()
    stop: NDArray[np.int32] = field(default_factory=lambda: np.zeros(1, np.int32), compare=False)
    """Set to 1 from another thread, it makes a run end early; its result means nothing then."""
    settle_limit: int = 0
    """Steps that the run may go on after its input, until nothing is pending; 0: it does not."""

    @property
    def ticks(self) -> int:
        """The ticks of the input."""
        return self.steps * self.ticks_per_step

    @property
    def settles(self) -> bool:
        """Whether the run goes on until nothing is pending."""
        return self.settle_limit > 0

    @property
    def last_tick(self) -> int:
        """The tick beyond which the run does not go."""
        return self.ticks + self.settle_limit * self.ticks_per_step

    def ramp(self, dtype: np.dtype[np.floating]) -> Reals:
        """Return k / R for k = 0..ticks, rounded once to the precision: what a ramp multiplies."""
        ramp: Reals = (np.arange(self.ticks + 1) / self.ticks_per_step).astype(dtype)
        return ramp


@dataclass(frozen=True, eq=False)
class Stimulus:
    """One sample's input: constant currents per step, and the encoder's spikes in time order.

    `current` (all neurons,) holds bias, shift and analog input in the engines' precision; the
    spikes' neurons are numbered in the engines' order, signs are 1 or -1.
    """

    current: Reals
    ticks: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    neurons: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    signs: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    start: Reals | None = None
    """Lockstep of `if` alone: potentials to start from (all neurons,) in place of v_init."""


@dataclass(frozen=True, eq=False)
class SampleRun:
    """What an engine measured on one sample; times in ticks, NEVER where they did not come.

    The recorded spikes stand in the order of emission; neurons in the engines' order.
    """

    predictions: NDArray[np.int64]
    """The class that the readout says at the end of each step, and, of a run that settles, in the
    end; -1 before the first evidence."""
    first_evidence: int
    settled: int
    confident: int
    spike_counts: NDArray[np.int64]
    synaptic_operations: int
    events: int
    peak_queue: int
    potentials: Reals
    """The potential of every neuron after the last tick (all neurons,)."""
    ticks: NDArray[np.int64]
    populations: NDArray[np.int16]
    neurons: NDArray[np.int32]
    signs: NDArray[np.int8]
    """Payloads: 1 or -1, a whole number where neurons are graded."""
    watched: Reals
    """(ticks of the input, watched neurons)"""
    quiescent: int = NEVER
    """The tick from which nothing is pending, in a run that settles; NEVER at its limit."""


Run = Callable[[Stimulus], SampleRun]


class Engine(Protocol):
    """Runs samples of one network; `prepare` does once what all samples share."""

    def prepare(self, network: Network, options: Options) -> Run: ...


ENGINES: Registry[Engine] = Registry("engine", SimulationError)
