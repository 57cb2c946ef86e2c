"""Gathered: the measures of the samples run so far, and the result that they make."""

import numpy as np
from numpy.typing import NDArray

from thresher.sim.contract import NEVER, SampleRun
from thresher.sim.network import Network
from thresher.sim.result import Latency, Result, Settings
from thresher.sim.trace import Trace


class Gathered:
    """The measures of the samples run so far."""

    def __init__(self) -> None:
        self.runs: list[tuple[NDArray[np.int64], ...]] = []
        self.scalars: list[tuple[int, ...]] = []

    def add(self, run: SampleRun, clipped: int) -> None:
        self.runs.append((run.predictions, run.spike_counts))
        self.scalars.append(
            (
                run.first_evidence,
                run.settled,
                run.confident,
                run.synaptic_operations,
                run.events,
                run.peak_queue,
                clipped,
            )
        )

    def result(
        self,
        network: Network,
        settings: Settings,
        labels: NDArray[np.int64] | None,
        seconds: float,
        trace: Trace,
    ) -> Result:
        predictions, counts = (np.array(column) for column in zip(*self.runs, strict=True))
        first, settled, confident, operations, events, peak, clipped = np.array(self.scalars).T
        per_step = settings.ticks_per_step
        latency = Latency(*(_in_steps(times, per_step) for times in (first, settled, confident)))
        spiking = network.spiking
        return Result(
            settings,
            labels,
            predictions,
            latency,
            {p.name: counts[:, p.rank] for p in spiking},
            operations,
            events,
            peak,
            clipped,
            {p.name: p.size for p in spiking},
            network.dense_macs,
            network.input_macs * settings.steps,
            seconds,
            trace,
        )


def _in_steps(ticks: NDArray[np.int64], ticks_per_step: int) -> NDArray[np.float64]:
    return np.where(ticks == NEVER, np.nan, ticks / ticks_per_step)
