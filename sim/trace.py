"""Trace: every recorded spike of a run, readable without the spec; its files."""

import csv
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
from thresher.files import replacing
from thresher.ir.linear_map import Shape

COLUMNS = ("sample", "tick", "population", "neuron", "sign")
MEMBRANE, MEMBRANE_NEURONS = "membrane:", "membrane_neurons:"


@dataclass(frozen=True, eq=False)
class Trace:
    """Spikes as a struct of arrays (n,), sorted by sample, then by the order of emission.

    Parameters
    ----------
    sample : int32
        The sample's position in the data.
    tick : int64
        1..steps * ticks_per_step; in lockstep and layered a tick is a step.
    population : int16
        Index into `populations`, the spiking populations in rank order.
    neuron : int32
        Row-major index in the population's shape, `shapes[population]`.
    sign : int8
        1, or -1 for a signed spike.
    recorded : tuple of str
        The populations whose spikes were kept; what others did, the trace does not know.
    samples : (int, int)
        The positions of the recorded samples: from the first up to, not including, the second.
    membranes : dict of str to array
        Potential of the chosen neurons of a node: (samples, ticks, neurons).
    membrane_neurons : dict of str to array
        The row-major indices of these neurons.
    """

    sample: NDArray[np.int32]
    tick: NDArray[np.int64]
    population: NDArray[np.int16]
    neuron: NDArray[np.int32]
    sign: NDArray[np.int8]
    populations: tuple[str, ...]
    shapes: tuple[Shape, ...]
    steps: int
    ticks_per_step: int
    recorded: tuple[str, ...]
    samples: tuple[int, int]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    membranes: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)
    membrane_neurons: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

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
        """Count the spikes of each neuron of one sample, negative ones as -1: (*shape).

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
        path = Path(path)
        write = _WRITERS.get(path.suffix)
        if write is None:
            raise SimulationError(
                f"trace '{path.name}': unknown format '{path.suffix}'; expected one of "
                + ", ".join(_WRITERS)
            )
        if self.membranes and path.suffix == ".csv":
            raise SimulationError(
                f"trace '{path.name}': .csv has one line a spike and no place for the membranes of "
                + ", ".join(f"'{name}'" for name in self.membranes)
                + "; save it as .npz"
            )
        with replacing(path) as temporary:
            write(self, temporary)

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

    def _metadata(self) -> dict[str, Any]:
        return {
            "populations": list(self.populations),
            "shapes": [list(shape) for shape in self.shapes],
            "steps": self.steps,
            "ticks_per_step": self.ticks_per_step,
            "recorded": list(self.recorded),
            "samples": list(self.samples),
            "provenance": dict(self.provenance),
        }


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
    sample, tick, population, neuron, sign = (file[name] for name in COLUMNS)
    first, end = file["samples"].tolist()
    return Trace(
        sample,
        tick,
        population,
        neuron,
        sign,
        tuple(str(name) for name in file["populations"]),
        tuple(tuple(shape) for shape in json.loads(str(file["shapes"]))),
        int(file["steps"]),
        int(file["ticks_per_step"]),
        tuple(str(name) for name in file["recorded"]),
        (first, end),
        json.loads(str(file["provenance"])),
        _with_prefix(file, MEMBRANE),
        _with_prefix(file, MEMBRANE_NEURONS),
    )


def _with_prefix(file: NpzFile, prefix: str) -> dict[str, NDArray[Any]]:
    return {name[len(prefix) :]: file[name] for name in file.files if name.startswith(prefix)}


def _write_npz(trace: Trace, path: Path) -> None:
    arrays: dict[str, Any] = {name: getattr(trace, name) for name in COLUMNS}
    arrays["populations"] = np.array(trace.populations)
    arrays["shapes"] = json.dumps([list(shape) for shape in trace.shapes])
    arrays["steps"], arrays["ticks_per_step"] = trace.steps, trace.ticks_per_step
    arrays["recorded"] = np.array(trace.recorded, np.str_)
    arrays["samples"] = np.array(trace.samples)
    arrays["provenance"] = json.dumps(dict(trace.provenance), sort_keys=True)
    arrays |= {MEMBRANE + name: values for name, values in trace.membranes.items()}
    arrays |= {MEMBRANE_NEURONS + name: index for name, index in trace.membrane_neurons.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _write_csv(trace: Trace, path: Path) -> None:
    """Write one line a spike, populations by name; metadata in a comment on the first line."""
    names = np.array(trace.populations)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write("# " + json.dumps(trace._metadata(), sort_keys=True, ensure_ascii=False) + "\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for start in range(0, len(trace), 2**16):
            rows = slice(start, start + 2**16)
            writer.writerows(
                zip(
                    trace.sample[rows].tolist(),
                    trace.tick[rows].tolist(),
                    names[trace.population[rows]].tolist(),
                    trace.neuron[rows].tolist(),
                    trace.sign[rows].tolist(),
                    strict=True,
                )
            )


_WRITERS = {".npz": _write_npz, ".csv": _write_csv}
TRACE_FORMATS = tuple(_WRITERS)
