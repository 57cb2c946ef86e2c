"""The spikes of a block of images, counted neuron by neuron."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thresher.diagnosis.even_run import worth
from thresher.diagnosis.subject import Layer
from thresher.sim import Trace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class BlockSpikes:
    """Count the spikes of a trace that holds every population, layer by layer.

    `end` is the last tick at which a spike may arrive; None where all do (runs that settle, and
    the layered schedule). Counts are net: a row of sign s counts s, and s T / t where it is of
    step t and its neuron differential.
    """

    def __init__(self, trace: Trace, layers: Sequence[Layer], end: int | None) -> None:
        self._trace, self._end = trace, end
        self._layers = {layer.name: layer for layer in layers}
        self._images = trace.samples[1] - trace.samples[0]
        self._rows = {
            name: np.flatnonzero(trace.population == index)
            for index, name in enumerate(trace.populations)
        }

    def net(self, name: str) -> Floats:
        """Return the net count of every neuron in all of the run: (N, *shape)."""
        rows, trace = self._rows[name], self._trace
        differential = self._layers[name].differential
        return self._net(
            name, rows, worth(trace.sign[rows], trace.tick[rows], trace.steps, differential)
        )

    def arrived(self, name: str, delay: int, after: int) -> Floats:
        """Return the net counts of the spikes that arrived, later than in step `after`.

        Those of differential neurons go on arriving: at every step until the last.
        """
        trace, rows = self._trace, self._within(self._rows[name], delay)
        arrived = trace.tick[rows] + delay
        late = arrived > after * trace.ticks_per_step
        if not self._layers[name].differential:
            return self._net(name, rows[late], trace.sign[rows[late]])
        step = trace.tick[rows]
        steps = step * late + trace.steps - np.maximum(arrived, after)
        return self._net(name, rows, trace.sign[rows] * (steps / step))

    def n_spikes(self, name: str) -> int:
        """Count the spikes of a layer, those of both signs."""
        return len(self._rows[name])

    def fired(self, name: str) -> NDArray[np.bool_]:
        """Tell which neurons of a layer sent a spike of either sign on any image: (*shape)."""
        shape = self._layers[name].shape
        fired = np.zeros(int(np.prod(shape)), np.bool_)
        fired[self._trace.neuron[self._rows[name]]] = True
        return fired.reshape(shape)

    def operations(self, name: str) -> int:
        """Count the synaptic operations that a layer's spikes cause where they arrive."""
        total = 0
        for delay, fan_out in self._layers[name].fan_out:
            rows = self._within(self._rows[name], delay)
            total += int(fan_out[self._trace.neuron[rows]].sum())
        return total

    def _within(self, rows: NDArray[np.intp], delay: int) -> NDArray[np.intp]:
        if self._end is None:
            return rows
        return rows[self._trace.tick[rows] + delay <= self._end]

    def _net(
        self, name: str, rows: NDArray[np.intp], payloads: NDArray[np.integer] | Floats
    ) -> Floats:
        trace, shape = self._trace, self._layers[name].shape
        size = int(np.prod(shape))
        image = trace.sample[rows].astype(np.int64) - trace.samples[0]
        place = image * size + trace.neuron[rows]
        counts = np.bincount(place, payloads, self._images * size)
        return counts.reshape(self._images, *shape).astype(np.float64)
