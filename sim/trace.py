"""Trace: every recorded spike of a run, readable without the spec; its files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.ir.linear_map import Shape
from thresher.sim.trace_files import COLUMNS, MEMBRANE, MEMBRANE_NEURONS, write_trace
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

    def save(self, path: str | Path) -> None:
        """Write the trace in the format that the suffix names: .npz or .csv.

        Raises
        ------
        SimulationError
            For an unknown suffix, or membranes and a .csv, before anything is written.
        """
        write_trace(
            Path(path), self, {name: getattr(self, name) for name in COLUMNS}, self.membranes
        )

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
    """Read a trace that was saved as .npz.

    Raises
    ------
    SimulationError
        Where the file is missing, or is no such trace.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as file:
            return _read_npz(file)
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        BadZipFile,
    ) as error:
        raise SimulationError(
            f"'{path}' cannot be read as a trace ({error}); expected an .npz that "
            "'thresher simulate --trace' or trace.save wrote"
        ) from error


def _read_npz(file: NpzFile) -> Trace:
    first, end = file["samples"].tolist()
    return Trace(
        **{name: file[name] for name in COLUMNS},
        populations=tuple(str(name) for name in file["populations"]),
        shapes=tuple(tuple(shape) for shape in json.loads(str(file["shapes"]))),
        steps=int(file["steps"]),
        ticks_per_step=int(file["ticks_per_step"]),
        recorded=tuple(str(name) for name in file["recorded"]),
        samples=(first, end),
        provenance=json.loads(str(file["provenance"])),
        membranes=_with_prefix(file, MEMBRANE),
        membrane_neurons=_with_prefix(file, MEMBRANE_NEURONS),
    )


def _with_prefix(file: NpzFile, prefix: str) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: file[name] for name in file.files if name.startswith(prefix)}
