"""Recorded input: what one event brings to a network, and recordings as what engines are fed."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.ir.events import Recordings
from thresher.ir.graph import Graph
from thresher.sim.contract import Stimulus
from thresher.sim.encoders import Events
from thresher.sim.network import Network
from thresher.sim.stimulus import Stimuli


def with_events(graph: Graph, x: object, steps: int) -> Graph:
    """Return the graph whose input's spikes bring, over T steps in the mean, the frame.

    An event adds 1 / (divide std) to the preprocessed frame of counts, so a spike brings T times
    as much: theta = T / (divide std), whatever the threshold that calibration measured.

    Raises
    ------
    SimulationError
        Where x are no recordings, or the input's value is not 0 where there is no event.
    """
    if not isinstance(x, Recordings):
        raise SimulationError(
            f"encoder '{Events.name}' takes recordings of events (--data events.npy, .npz with "
            "'events', .es or .aedat4; thresher.datasets.recordings), and these are images"
        )
    item = graph.inputs[0]
    unit = 1.0
    if item.preprocess is not None:
        if any(item.preprocess.mean) or len(set(item.preprocess.std)) != 1:
            raise SimulationError(
                f"encoder '{Events.name}': input '{item.name}' is not 0 where no event is, or "
                "channels differ in scale: preprocess has mean "
                f"{list(item.preprocess.mean)} and std {list(item.preprocess.std)}; expected mean "
                "0 and one std"
            )
        unit = 1 / (item.preprocess.divide * item.preprocess.std[0])
    return replace(graph, inputs=(replace(item, threshold=steps * unit), *graph.inputs[1:]))


class RecordedStimuli(Stimuli):
    """Make the stimulus of each recording; its constant current is that of an image of zeros."""

    def __init__(
        self, graph: Graph, network: Network, steps: int, ticks_per_step: int, step_ms: float
    ) -> None:
        super().__init__(graph, network, Events(), steps, ticks_per_step, 0)
        self._shape, self._step_ms = graph.inputs[0].shape, step_ms
        order = network.populations[0].row_major
        self._place_of = np.empty(len(order), np.int32)
        self._place_of[order] = np.arange(len(order))

    def of(self, image: NDArray[Any], position: int) -> tuple[Stimulus, int]:
        """Return the stimulus of one recording, and how many of its events shared a spike."""
        placed = Events().place(image, self._shape, *self._time, self._step_ms)
        ticks, neurons = placed.spikes.ticks, self._place_of[placed.spikes.neurons]
        order = np.lexsort((neurons, ticks))
        current = self._round(self._current.copy(), position)
        stimulus = Stimulus(current, ticks[order], neurons[order], placed.signs[order])
        return stimulus, placed.merged


class Playback:
    """Read recordings one after another, and count the events that come after the last step."""

    def __init__(self, x: Recordings, steps: int, step_ms: float) -> None:
        self._x, self._steps, self._step_ms = x, steps, step_ms
        self._total = self._late = self._last = 0

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for index in range(len(self._x)):
            events = self._x.events(index)
            self._total += len(events)
            self._late += int((events["t"] >= self._steps * self._step_ms * 1000).sum())
            self._last = max(self._last, int(events["t"].max(initial=0)))
            yield events

    def warn(self) -> None:
        """Say how many events were left out, and the step with which none would be."""
        if self._late:
            needed = (self._last + 1) / 1000 / self._steps
            warnings.warn(
                f"{self._late:,} of {self._total:,} events come after the {self._steps} steps of "
                f"{self._step_ms:g} ms and are left out; steps of {np.ceil(needed * 1e3) / 1e3:g} "
                "ms take them all (--step-ms)",
                stacklevel=3,
            )
