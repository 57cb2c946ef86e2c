"""Recording: which spikes and membranes are kept, and whether memory holds them."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError
from thresher.ir.graph import Graph
from thresher.sim.contract import SampleRun
from thresher.sim.network import Network
from thresher.sim.trace import Trace

Number = TypeVar("Number", bound=np.generic)
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


@dataclass
class Recording:
    """Gather the recorded part of each sample, and make the trace of it."""

    network: Network
    selection: Selection
    parts: list[tuple[int, SampleRun]] = field(default_factory=list)

    def add(self, index: int, position: int, run: SampleRun) -> None:
        """Keep what is to be recorded of sample `index`, which stands at `position` in its file."""
        if index in self.selection.samples and (any(self.selection.record) or run.watched.size):
            watched = self.network.in_activations(run.watched, np.array(self.selection.watch, int))
            part = replace(run, potentials=run.potentials[:0], watched=watched)
            self.parts.append((position, part))

    def trace(
        self, steps: int, ticks_per_step: int, offset: int, provenance: Mapping[str, object]
    ) -> Trace:
        """Return the trace: populations numbered among the spiking ones, neurons row-major.

        `offset` is the position of the run's first sample in its file.
        """
        runs = [run for _, run in self.parts]
        sizes = [len(run.ticks) for run in runs]
        samples = np.repeat([position for position, _ in self.parts], sizes).astype(np.int32)
        populations = _join([run.populations for run in runs], np.int16)
        neurons = _join([run.neurons for run in runs], np.int32)
        for population in self.network.spiking:
            of = populations == population.rank
            neurons[of] = population.row_major[neurons[of]]
        membranes, start = {}, 0
        for name, watched in self.selection.watched_nodes.items():
            columns = slice(start, start + len(watched))
            membranes[name] = np.array([run.watched[:, columns] for run in runs])
            start += len(watched)
        covered = self.selection.samples
        spiking = self.network.spiking
        return Trace(
            samples,
            _join([run.ticks for run in runs], np.int64),
            populations,
            neurons,
            _join([run.signs for run in runs], np.int8),
            tuple(p.name for p in spiking),
            tuple(p.shape for p in spiking),
            steps,
            ticks_per_step,
            tuple(p.name for p in spiking if self.selection.record[p.rank]),
            (offset + covered.start, offset + covered.stop),
            dict(provenance),
            membranes,
            self.selection.watched_nodes,
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
            "fewer populations (--record NODES), fewer samples (--record-samples A:B) or neurons"
        )


def available_bytes() -> int:
    """Return the memory that a recording may take: half of what the system has available."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = dict(line.split(":", 1) for line in lines)
        return int(sizes["MemAvailable"].split()[0]) * 1024 // 2
    except (OSError, KeyError, ValueError):  # no Linux: all there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


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


def _join(parts: list[NDArray[Number]], dtype: type[Number]) -> NDArray[Number]:
    return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype)
