"""Result: what a simulation measured, sample by sample; aggregates are computed from it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.sim.payload import Payload, richest
from thresher.sim.trace import Trace
from thresher.version import package_version

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Latency:
    """Times in steps (samples,); NaN where the event did not come.

    `first_evidence`: the first spike that reached (membrane) or left (spikes) the output;
    `settled`: from here on the argmax did not change; `confident`: the softmax of the best class
    exceeded the next one's by the confidence asked for; `quiescent`: nothing was pending any more
    (runs that settle).
    """

    first_evidence: Floats
    settled: Floats
    confident: Floats
    quiescent: Floats


@dataclass(frozen=True, eq=False)
class Settings:
    """How the simulation was run, as far as results depend on it."""

    schedule: str
    steps: int
    ticks_per_step: int
    refractory: int
    delay: int
    arrivals: str
    encoder: str
    readout: str
    t_start: int
    engine: str
    precision: str
    seed: int
    settle_limit: int = 0
    probe_steps: int = 0
    """Steps run before the `steps` that decide; they count in all but the predictions."""
    step_ms: float | None = None
    """How long a step of recorded events is."""


@dataclass(frozen=True, eq=False)
class Result:
    """Arrays first: one row a sample; the properties aggregate them.

    `predictions` is (samples, steps), -1 before the first evidence, in the smallest integer that
    holds the classes; a run that settles has one more, the decision in the end, and the layered
    schedule only that, (samples, 1). `spike_counts` maps each spiking population, in rank order, to
    its spikes per sample (samples,), those of both signs; `payloads` what one of them may carry:
    counts of spikes and synaptic operations take it as one. `clipped_inputs` counts, per sample,
    the pixels beyond the input's threshold, which a spiking encoder cannot tell from the threshold
    itself, and of recorded events those that became no spike of their own. In all a sample takes T
    bytes (twice as many from 129 classes on), 8 a population, and 100.
    """

    settings: Settings
    labels: Ints | None
    predictions: NDArray[np.signedinteger]
    latency: Latency
    spike_counts: Mapping[str, Ints]
    synaptic_operations: Ints
    events: Ints
    peak_queue: Ints
    clipped_inputs: Ints
    population_sizes: Mapping[str, int]
    payloads: Mapping[str, Payload]
    dense_macs: int
    input_macs: int
    wall_seconds: float
    recorded: Trace | Path
    """The trace, or the file that it was written to."""
    operator_macs: int = 0
    """Multiply-accumulates of the matrix products among the operators' functions, per sample."""
    operator_values: int = 0
    """Values that operators, max pools of currents among them, computed per sample: one a neuron
    and step, in the schedule layered one a neuron."""
    ann_predictions: Ints | None = None

    def __len__(self) -> int:
        return len(self.predictions)

    def with_ann(self, logits: NDArray[np.floating]) -> "Result":
        """Return the result beside what the ANN says of the same samples: (samples, classes)."""
        return replace(self, ann_predictions=np.argmax(logits, axis=-1))

    @property
    def trace(self) -> Trace:
        """What was recorded.

        Raises
        ------
        SimulationError
            Where it was written to a file while the run went on.
        """
        if isinstance(self.recorded, Trace):
            return self.recorded
        raise SimulationError(
            f"the spikes were written to '{self.recorded}' and not kept in memory; load_trace "
            "reads an .npz"
        )

    @property
    def accuracy(self) -> float | None:
        """The fraction of samples right at the end; None without labels."""
        by_step = self.accuracy_by_step
        return None if by_step is None else float(by_step[-1])

    @property
    def accuracy_by_step(self) -> Floats | None:
        """The fraction of samples right at the end of each step; None without labels."""
        if self.labels is None:
            return None
        by_step: Floats = (self.predictions == self.labels[:, None]).mean(axis=0)
        return by_step

    @property
    def ann_accuracy(self) -> float | None:
        """The ANN's accuracy on the same samples; None where it was not evaluated, or no labels."""
        if self.ann_predictions is None or self.labels is None:
            return None
        return float((self.ann_predictions == self.labels).mean())

    @property
    def ann_agreement(self) -> float | None:
        """The fraction of samples on which SNN and ANN agree; None without the ANN."""
        if self.ann_predictions is None:
            return None
        return float((self.ann_predictions == self.predictions[:, -1]).mean())

    def metrics(self) -> dict[str, Any]:
        """Summarise as plain values, under keys that stay."""
        settings, n = self.settings, len(self)
        by_step = self.accuracy_by_step
        spikes = {name: float(counts.mean()) for name, counts in self.spike_counts.items()}
        carried = richest(self.payloads)
        return {
            "format": 1,
            "schedule": settings.schedule,
            "steps": settings.steps,
            "ticks_per_step": settings.ticks_per_step,
            "refractory": settings.refractory,
            "delay": settings.delay,
            "arrivals": settings.arrivals,
            "encoder": settings.encoder,
            "readout": settings.readout,
            "t_start": settings.t_start,
            "settle_limit": settings.settle_limit,
            "probe_steps": settings.probe_steps,
            "seed": settings.seed,
            "samples": n,
            "engine": settings.engine,
            "precision": settings.precision,
            "accuracy": self.accuracy,
            "ann_accuracy": self.ann_accuracy,
            "ann_agreement": self.ann_agreement,
            "accuracy_by_step": None if by_step is None else by_step.tolist(),
            "predictions": self.predictions[:, -1].tolist(),
            "spikes_per_sample": sum(spikes.values()),
            "spikes_by_population": spikes,
            "mean_rate_by_population": {
                name: spikes[name] / size / (settings.steps + settings.probe_steps)
                for name, size in self.population_sizes.items()
            },
            "spike_levels": carried.levels,
            "bits_per_spike": carried.bits,
            "largest_payload": carried.largest,
            "synaptic_operations_per_sample": float(self.synaptic_operations.mean()),
            "dense_macs_per_sample": self.dense_macs,
            "input_macs_per_sample": self.input_macs,
            "operator_macs_per_sample": self.operator_macs,
            "operator_values_per_sample": self.operator_values,
            "latency_steps": _summary(self.latency.settled),
            "first_evidence_steps": _summary(self.latency.first_evidence),
            "confident_steps": _summary(self.latency.confident),
            "quiescent_steps": _summary(self.latency.quiescent),
            "undecided": int(np.isnan(self.latency.first_evidence).sum()),
            "clipped_inputs_per_sample": float(self.clipped_inputs.mean()),
            "events": float(self.events.mean()),
            "peak_queue": int(self.peak_queue.max()),
            "wall_seconds": self.wall_seconds,
            "images_per_second": n / self.wall_seconds if self.wall_seconds else None,
            "thresher_version": package_version(),
        }


def _summary(times: Floats) -> dict[str, float | None]:
    """Summarise the times that came; None where none did."""
    came = times[~np.isnan(times)]
    if not len(came):
        return {"mean": None, "median": None, "p95": None}
    return {
        "mean": float(came.mean()),
        "median": float(np.median(came)),
        "p95": float(np.percentile(came, 95)),
    }
