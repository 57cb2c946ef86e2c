"""Trace: every recorded spike of a run, readable without the spec; its files."""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.files import replacing
from thresher.ir.linear_map import Shape

COLUMNS = ("sample", "tick", "population", "neuron", "sign")


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
    membranes : dict of str to array
        Potential of the chosen neurons of a node: (samples, ticks, neurons).
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
    provenance: Mapping[str, Any] = field(default_factory=dict)
    membranes: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tick)

    def spike_train(self, population: str, neuron: int, sample: int = 0) -> NDArray[np.int64]:
        """Return the ticks at which one neuron fired, ascending.

        `neuron` is the row-major index in the population's shape.
        """
        chosen = self._of(population) & (self.neuron == neuron) & (self.sample == sample)
        ticks: NDArray[np.int64] = self.tick[chosen]
        return ticks

    def counts(self, population: str, sample: int = 0) -> NDArray[np.int64]:
        """Count the spikes of each neuron of one sample, negative ones as -1: (*shape)."""
        shape = self.shapes[self._index(population)]
        chosen = self._of(population) & (self.sample == sample)
        n = np.bincount(self.neuron[chosen], self.sign[chosen], int(np.prod(shape)))
        return n.astype(np.int64).reshape(shape)

    def save(self, path: str | Path) -> None:
        """Write the trace in the format that the suffix names: .npz or .csv.

        Raises
        ------
        SimulationError
            For an unknown suffix, before anything is written.
        """
        path = Path(path)
        write = _WRITERS.get(path.suffix)
        if write is None:
            raise SimulationError(
                f"trace '{path.name}': unknown format '{path.suffix}'; expected one of "
                + ", ".join(_WRITERS)
            )
        with replacing(path) as temporary:
            write(self, temporary)

    def _index(self, population: str) -> int:
        if population not in self.populations:
            raise SimulationError(
                f"the trace holds no population '{population}'; it holds "
                + ", ".join(f"'{name}'" for name in self.populations)
            )
        return self.populations.index(population)

    def _of(self, population: str) -> NDArray[np.bool_]:
        chosen: NDArray[np.bool_] = self.population == self._index(population)
        return chosen

    def _metadata(self) -> dict[str, Any]:
        return {
            "populations": list(self.populations),
            "shapes": [list(shape) for shape in self.shapes],
            "steps": self.steps,
            "ticks_per_step": self.ticks_per_step,
            "provenance": dict(self.provenance),
        }


def load_trace(path: str | Path) -> Trace:
    """Read a trace that was saved as .npz."""
    with np.load(Path(path), allow_pickle=False) as file:
        prefix = "membrane:"
        sample, tick, population, neuron, sign = (file[name] for name in COLUMNS)
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
            json.loads(str(file["provenance"])),
            {n[len(prefix) :]: file[n] for n in file.files if n.startswith(prefix)},
        )


def _write_npz(trace: Trace, path: Path) -> None:
    arrays: dict[str, Any] = {name: getattr(trace, name) for name in COLUMNS}
    arrays["populations"] = np.array(trace.populations)
    arrays["shapes"] = json.dumps([list(shape) for shape in trace.shapes])
    arrays["steps"], arrays["ticks_per_step"] = trace.steps, trace.ticks_per_step
    arrays["provenance"] = json.dumps(dict(trace.provenance), sort_keys=True)
    arrays |= {f"membrane:{name}": values for name, values in trace.membranes.items()}
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
