"""NIRData: `EventData` for each recorded node, as `nir.read_data` reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from thresher.sim.trace_formats import trace_format
from thresher.sim.trace_formats.hdf5 import open_hdf5
from thresher.sim.trace_formats.survey import expect_group_names, recorded_sizes, survey
from thresher.sim.trace_formats.trace_format import TRACE_FORMATS, Rows, blocks
from thresher.sim.trace_header import TraceHeader


@dataclass(frozen=True)
class NirData:
    """Rows are samples, times are ticks from 0 on; an observable `spikes` for each node.

    Samples have as many events as the fullest, -1 at infinity where there is none. Where a
    node's spikes carry anything but 1 it is `ValuedEventData`. The time is tick - 1, so that
    `to_time_gridded(1)` has one row a tick. Written as nir 1.0.8 would.
    """

    name: ClassVar[str] = "nirdata"
    suffix: ClassVar[str | None] = ".nir"
    suffixes: ClassVar[tuple[str, ...]] = (".nir", ".h5")
    membranes: ClassVar[bool] = False

    def check(self, header: TraceHeader) -> None:
        open_hdf5()
        expect_group_names(header, "NIRData")

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        found = survey(header, spikes)
        first = header.samples[0]
        with open_hdf5().File(path, "w") as file:
            file.attrs["__type__"] = "NIRGraphData"
            root = file.create_group("nodes")
            groups = {}
            for index, (name, size) in recorded_sizes(header).items():
                node = root.create_group(name)
                node.attrs["__type__"] = "NIRNodeData"
                group = groups[index] = node.create_group("observables/spikes")
                valued = bool(found.payloads[index])
                group.attrs["__type__"] = "ValuedEventData" if valued else "EventData"
                group.attrs["n_neurons"] = size
                group.attrs["t_max"] = float(found.last_tick)
                shape = (found.counts.shape[1], int(found.counts[index].max(initial=0)))
                _padded(group, "idx", shape, np.int64, -1)
                _padded(group, "time", shape, np.float64, np.inf)
                if valued:
                    _padded(group, "value", shape, np.float64, 0.0)
            written = np.zeros_like(found.counts)
            for block in blocks(spikes):
                order = np.argsort(block["population"], kind="stable")  # samples ascend already
                block = {name: values[order] for name, values in block.items()}
                rows = block["sample"].astype(np.int64) - first
                change = (np.diff(block["population"]) != 0) | (np.diff(rows) != 0)
                for run in np.split(np.arange(len(rows)), np.flatnonzero(change) + 1):
                    index, row = int(block["population"][run[0]]), int(rows[run[0]])
                    start = int(written[index, row])
                    part = slice(start, start + len(run))
                    written[index, row] = part.stop
                    groups[index]["idx"][row, part] = block["neuron"][run]
                    groups[index]["time"][row, part] = block["tick"][run] - 1.0
                    if "value" in groups[index]:
                        groups[index]["value"][row, part] = block["sign"][run]


def _padded(group: Any, name: str, shape: tuple[int, int], dtype: Any, fill: float) -> None:
    packed: dict[str, Any] = {}
    if shape[0] and shape[1]:
        chunks = (1, min(shape[1], trace_format.CHUNK))
        packed = {"compression": "gzip", "compression_opts": 4, "chunks": chunks}
    group.create_dataset(name, shape, dtype, fillvalue=fill, track_times=False, **packed)


TRACE_FORMATS.register(NirData.name, NirData)
