"""Gathered: the measures of the samples run so far, and the result that they make."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thresher.sim.contract import NEVER, SampleRun
from thresher.sim.network import Network
from thresher.sim.payload import payloads_of
from thresher.sim.result import Latency, Result, Settings
from thresher.sim.trace import Trace


@dataclass(frozen=True)
class Progress:
    """How far a simulation is: samples done, samples in all, and what the done ones cost."""

    done: int
    total: int
    spikes: int
    synaptic_operations: int


class Gathered:
    """The measures of the samples run so far: a small row of numbers a sample."""

    def __init__(self, network: Network, samples: int) -> None:
        self._network, self._total, self._done = network, samples, 0
        self._class_type = np.min_scalar_type(-network.populations[-1].size)
        self._predictions = np.zeros((samples, 0), self._class_type)
        self._counts = np.zeros((samples, len(network.populations)), np.int64)
        self._scalars = np.zeros((samples, 8), np.int64)
        self._spikes = self._operations = 0

    def add(self, run: SampleRun, clipped: int) -> Progress:
        """Take the next sample's measures, and say how far the run is."""
        row = self._done
        if not row:
            self._predictions = np.zeros((self._total, len(run.predictions)), self._class_type)
        self._predictions[row] = run.predictions
        self._counts[row] = run.spike_counts
        self._scalars[row] = (
            run.first_evidence,
            run.settled,
            run.confident,
            run.quiescent,
            run.synaptic_operations,
            run.events,
            run.peak_queue,
            clipped,
        )
        self._done += 1
        self._spikes += int(run.spike_counts.sum())
        self._operations += run.synaptic_operations
        return Progress(self._done, self._total, self._spikes, self._operations)

    def result(
        self,
        settings: Settings,
        labels: NDArray[np.int64] | None,
        seconds: float,
        recorded: Trace | Path,
    ) -> Result:
        network, spiking = self._network, self._network.spiking
        *times, operations, events, peak, clipped = self._scalars.T
        evaluations = 1 if settings.schedule == "layered" else settings.steps
        latency = Latency(*(_in_steps(ticks, settings.ticks_per_step) for ticks in times))
        return Result(
            settings,
            labels,
            self._predictions,
            latency,
            {p.name: self._counts[:, p.rank] for p in spiking},
            operations,
            events,
            peak,
            clipped,
            {p.name: p.size for p in spiking},
            payloads_of(network, settings.steps),
            network.dense_macs,
            network.input_macs * (settings.steps + settings.probe_steps),
            seconds,
            recorded,
            network.operator_macs * evaluations,
            network.operator_values * evaluations,
        )


def _in_steps(ticks: NDArray[np.int64], ticks_per_step: int) -> NDArray[np.float64]:
    return np.where(ticks == NEVER, np.nan, ticks / ticks_per_step)
