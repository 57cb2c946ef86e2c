"""Trace: every recorded spike of a run, readable without the spec; its files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.ir.linear_map import Shape
from thresher.sim.stored_trace import open_trace
from thresher.sim.trace_formats import COLUMNS, choose_format, write_trace
from thresher.sim.trace_formats.neo_blocks import neo_block
from thresher.sim.trace_header import TraceHeader


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace(TraceHeader):
    """Spikes as a struct of arrays (n,), sorted by sample, then by the order of emission.

    Parameters
    ----------
    sample : int32
        The sample's position in the data.
    tick : int64
        1..steps * ticks_per_step, later where the run settled; in lockstep and layered a tick is a
        step.
    population : int16
        Index into `populations`, the spiking populations in rank order.
    neuron : int32
        Row-major index in the population's shape, `shapes[population]`.
    sign : int8
        The payload of the spike: 1, -1 for a signed spike, a whole number for a graded one.
    membranes : dict of str to array
        Potential of the chosen neurons of a node: (samples, ticks, neurons).

    The other fields are those of `TraceHeader`.
    """

    sample: NDArray[np.int32]
    tick: NDArray[np.int64]
    population: NDArray[np.int16]
    neuron: NDArray[np.int32]
    sign: NDArray[np.int8]
    membranes: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tick)

    def spike_train(
        self, population: str, neuron: int, sample: int | None = None
    ) -> NDArray[np.int64]:
        """Return the ticks at which one neuron fired, ascending.

        `neuron` is the row-major index in the population's shape; `sample` a position in the data,
        by default the first recorded.

        Raises
        ------
        SimulationError
            Where the population or the sample was not recorded, or has no such neuron.
        """
        chosen, shape = self._of(population, sample)
        if not 0 <= neuron < prod(shape):
            raise SimulationError(
                f"'{population}' has no neuron {neuron}; they are numbered 0..{prod(shape) - 1}"
            )
        ticks: NDArray[np.int64] = self.tick[chosen & (self.neuron == neuron)]
        return ticks

    def counts(self, population: str, sample: int | None = None) -> NDArray[np.int64]:
        """Add up the payloads of each neuron's spikes in one sample, negative ones off: (*shape).

        Raises
        ------
        SimulationError
            Where the population or the sample was not recorded.
        """
        chosen, shape = self._of(population, sample)
        n = np.bincount(self.neuron[chosen], self.sign[chosen], prod(shape))
        return n.astype(np.int64).reshape(shape)

    def save(self, path: str | Path, format: str | None = None, **options: Any) -> None:
        """Write the trace in the format that the suffix names, or in the one named.

        `options` are those of the format, as `thresher.export_trace` takes them.

        Raises
        ------
        SimulationError
            Where the suffix is unknown or the format cannot say it, before anything is written.
        MissingExtraError
            Where a package is needed and not installed.
        """
        chosen = choose_format(Path(path), format, **options)
        write_trace(Path(path), chosen, self, self._columns(), self.membranes)

    def to_neo(self, step_ms: float = 1.0) -> Any:
        """Return a `neo.Block`: a segment for each sample, a `SpikeTrain` for each neuron in it.

        Times are in milliseconds, from 0 in each sample. A neuron that did not fire has no train.

        Raises
        ------
        MissingExtraError
            Where Neo is not installed.
        """
        return neo_block(self, self._columns(), step_ms)

    def _columns(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in COLUMNS}

    def _of(self, population: str, sample: int | None) -> tuple[NDArray[np.bool_], Shape]:
        """Choose the spikes of a population in one sample; return its shape beside them."""
        if population not in self.recorded:
            raise SimulationError(
                f"the spikes of '{population}' were not recorded; those of "
                + (", ".join(f"'{name}'" for name in self.recorded) or "no population")
                + " were"
            )
        first, end = self.samples
        position = first if sample is None else sample
        if not first <= position < end:
            raise SimulationError(
                f"sample {position} was not recorded; samples {first}..{end - 1} were"
            )
        index = self.populations.index(population)
        chosen = (self.population == index) & (self.sample == position)
        return chosen, self.shapes[index]


def load_trace(path: str | Path) -> Trace:
    """Read a trace that was saved as .npz, .csv, .parquet or .h5.

    Raises
    ------
    SimulationError
        Where the file is missing, or is no such trace.
    """
    with open_trace(Path(path)) as stored:
        fields: dict[str, Any] = {name: column[:] for name, column in stored.spikes.items()}
        fields["membranes"] = {name: column[:] for name, column in stored.membranes.items()}
        return Trace(**vars(stored.header), **fields)
