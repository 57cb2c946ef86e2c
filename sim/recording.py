"""Recording: which spikes and membranes are kept, and whether memory holds them."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.files import writing
from thresher.ir.graph import Graph
from thresher.sim.column import Column
from thresher.sim.contract import SampleRun
from thresher.sim.memory import available_bytes
from thresher.sim.network import Network
from thresher.sim.trace import Trace
from thresher.sim.trace_formats import COLUMNS, choose_format, expect_fit, write_trace
from thresher.sim.trace_header import TraceHeader

SPIKE_BYTES = 19
"""sample int32, tick int64, population int16, neuron int32, sign int8"""


@dataclass(frozen=True)
class Selection:
    """What to keep: populations (by rank), samples (positions in the run), watched neurons."""

    record: tuple[bool, ...]
    samples: range
    watch: tuple[int, ...]
    watched_nodes: Mapping[str, NDArray[np.int64]]
    """The watched neurons of each node, row-major, in the order of `watch`."""


class Recording:
    """Keep the recorded part of one sample after another.

    Parameters
    ----------
    path : Path, optional
        The trace file that becomes of it. Until it is saved, the spikes are kept in files beside
        it that have no name and vanish with the process; without a path they are kept in memory.

    Raises
    ------
    SimulationError
        For a format that there is not.
    ThresherError
        Where nothing can be written beside `path`.
    """

    def __init__(
        self, network: Network, selection: Selection, header: TraceHeader, path: Path | None
    ) -> None:
        self._network, self._selection, self._header = network, selection, header
        self._path = path
        self._folder = None
        self._numbers = np.cumsum([p.fires for p in network.populations]) - 1
        """Of each population, which of those that fire it is, as traces number them."""
        self._row_major = np.concatenate([p.row_major for p in network.populations])
        if path is not None:
            self._format = choose_format(path)
            expect_fit(path, self._format, header, header.membrane_neurons)
            self._folder = path.resolve().parent
        with self._writing():
            self._spikes = {
                name: Column(dtype, (), self._folder) for name, dtype in COLUMNS.items()
            }
        self._membranes: dict[str, Column] = {}

    def add(self, index: int, position: int, run: SampleRun) -> None:
        """Keep what is to be recorded of sample `index`, which stands at `position` in its file.

        Raises
        ------
        SimulationError
            Where memory would not hold as much of every sample as of the first.
        ThresherError
            Where the system refuses to write, on a full disk for example.
        """
        selection = self._selection
        if index not in selection.samples or not (any(selection.record) or run.watched.size):
            return
        if self._path is None and index == selection.samples.start:
            recorded = len(selection.samples)
            watched = run.watched.size * recorded
            expect_memory(len(run.ticks) * recorded, watched, run.watched.itemsize)
        neurons = self._row_major[np.array(self._network.offsets)[run.populations] + run.neurons]
        samples = np.full(len(run.ticks), position)
        numbers = self._numbers[run.populations]
        rows = (samples, run.ticks, numbers, neurons, run.signs)
        with self._writing():
            for column, values in zip(self._spikes.values(), rows, strict=True):
                column.append(values)
            self._add_membranes(run)

    def finish(self) -> Trace | Path:
        """Return the trace, or write it to its file, whole or not at all, and return the path."""
        if self._path is not None:
            write_trace(self._path, self._format, self._header, self._spikes, self._membranes)
            return self._path
        fields: dict[str, Any] = {name: column[:] for name, column in self._spikes.items()}
        fields["membranes"] = {name: column[:] for name, column in self._membranes.items()}
        return Trace(**vars(self._header), **fields)

    def close(self) -> None:
        """Give memory and files back."""
        for column in (*self._spikes.values(), *self._membranes.values()):
            column.close()

    def _add_membranes(self, run: SampleRun) -> None:
        watch = np.array(self._selection.watch, np.int64)
        potentials = self._network.in_activations(run.watched, watch)
        start = 0
        for name, neurons in self._header.membrane_neurons.items():
            part = potentials[:, start : start + len(neurons)]
            start += len(neurons)
            if name not in self._membranes:
                self._membranes[name] = Column(part.dtype, part.shape, self._folder)
            self._membranes[name].append(part[None])

    def _writing(self) -> AbstractContextManager[None]:
        return nullcontext() if self._path is None else writing(self._path)


def trace_header(
    network: Network,
    selection: Selection,
    steps: int,
    ticks_per_step: int,
    offset: int,
    provenance: Mapping[str, object],
) -> TraceHeader:
    """Say what the trace of a run will hold; `offset` is the position of its first sample."""
    return TraceHeader(
        populations=tuple(p.name for p in network.spiking),
        shapes=tuple(p.shape for p in network.spiking),
        steps=steps,
        ticks_per_step=ticks_per_step,
        recorded=tuple(p.name for p in network.spiking if selection.record[p.rank]),
        samples=(offset + selection.samples.start, offset + selection.samples.stop),
        provenance=dict(provenance),
        membrane_neurons=selection.watched_nodes,
    )


def select(
    network: Network,
    graph: Graph,
    record: str | Sequence[str],
    samples: range,
    membranes: Mapping[str, Sequence[int]],
) -> Selection:
    """Resolve what the user asked to record.

    Raises
    ------
    SimulationError
        For a name that is no spiking population, or a neuron that a population does not have.
    """
    spiking = {p.name: p for p in network.spiking}
    names = _recorded_names(record, list(spiking))
    watch: list[int] = []
    every = {p.name: p for p in network.populations}
    for name, neurons in membranes.items():
        _expect_population(name, list(every), "membranes")
        population = every[name]
        index = np.asarray(neurons)
        if (
            index.ndim != 1
            or index.dtype.kind not in "iu"
            or (index < 0).any()
            or (index >= population.size).any()
        ):
            raise SimulationError(
                f"membranes of '{name}': neurons are numbered 0..{population.size - 1} (row-major "
                f"in {list(population.shape)}), got {list(neurons)}"
            )
        inverse = np.empty(population.size, np.int64)
        inverse[population.row_major] = np.arange(population.size)
        watch += (inverse[index] + network.offsets[population.rank]).tolist()
    return Selection(
        tuple(p.name in names for p in network.populations),
        samples,
        tuple(watch),
        {name: np.asarray(neurons, np.int64) for name, neurons in membranes.items()},
    )


def tensors_sha256(graph: Graph) -> str:
    """Fingerprint the network's tensors, so that a trace tells which weights it came from."""
    digest = hashlib.sha256()
    for name, values in sorted(graph.tensors.items()):
        digest.update(f"{name} {values.dtype} {list(values.shape)} ".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def expect_memory(n_spikes: float, n_potentials: float, itemsize: int) -> None:
    """Raise SimulationError where what is to be recorded would not fit into memory."""
    needed = 2 * SPIKE_BYTES * n_spikes + 2 * itemsize * n_potentials
    available = available_bytes()
    if needed > available:
        raise SimulationError(
            f"recording about {n_spikes:.2g} spikes and {n_potentials:.2g} potentials takes "
            f"{needed / 1e9:.1f} GB, but only {available / 1e9:.1f} GB of memory are free; record "
            "fewer populations (--record NODES), fewer samples (--record-samples A:B) or neurons, "
            "or write the spikes to a file while the run goes on (trace=FILE)"
        )


def _recorded_names(record: str | Sequence[str], spiking: list[str]) -> list[str]:
    if record == "none":
        return []
    if record == "spikes":
        return spiking
    if isinstance(record, str):
        raise SimulationError(
            f"record is '{record}'; expected 'none', 'spikes', or a list of nodes' names"
        )
    for name in record:
        _expect_population(name, spiking, "record")
    return list(record)


def _expect_population(name: str, known: list[str], what: str) -> None:
    if name not in known:
        raise SimulationError(
            f"{what}: '{name}' is no population of this network; populations are "
            + ", ".join(f"'{item}'" for item in known)
        )
