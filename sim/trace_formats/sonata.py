"""SONATA spikes: `/spikes/POPULATION/node_ids, timestamps`, as BMTK and libsonata read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from thresher.sim.trace_formats.hdf5 import open_hdf5
from thresher.sim.trace_formats.survey import (
    expect_group_names,
    expect_step,
    recorded_sizes,
    survey,
    windows_of,
)
from thresher.sim.trace_formats.trace_format import TRACE_FORMATS, Rows, blocks
from thresher.sim.trace_header import TraceHeader

MAGIC, VERSION = 0x0A7A, (0, 1)
SORTING = {"none": 0, "by_id": 1, "by_time": 2}


@dataclass(frozen=True)
class Sonata:
    """Spikes by time in milliseconds, samples in windows one after another (`Windows`).

    `/spikes` has the attributes `window_ms`, `first_sample` and `n_samples`. Where spikes carry
    anything but 1, the dataset `payloads` stands beside the others. Nothing is packed, as
    libsonata's wheels cannot unpack. Format: Dai et al. 2020,
    PLoS Comput Biol 16(2), and the SONATA developer guide's section on spikes.
    """

    name: ClassVar[str] = "sonata"
    suffix: ClassVar[str | None] = None
    suffixes: ClassVar[tuple[str, ...]] = (".h5",)
    membranes: ClassVar[bool] = False
    step_ms: float = 1.0

    def check(self, header: TraceHeader) -> None:
        open_hdf5()
        expect_step(self.step_ms)
        expect_group_names(header, "a SONATA file")

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        h5py = open_hdf5()
        found = survey(header, spikes)
        windows = windows_of(header, found, self.step_ms)
        sorting = h5py.enum_dtype(SORTING, basetype="u1")
        with h5py.File(path, "w") as file:
            file.attrs["magic"] = np.uint32(MAGIC)
            file.attrs["version"] = np.array(VERSION, np.uint32)
            root = file.create_group("spikes")
            root.attrs["window_ms"] = windows.window_ms
            root.attrs["first_sample"] = header.samples[0]
            root.attrs["n_samples"] = header.samples[1] - header.samples[0]
            written = {}
            for index, (name, _) in recorded_sizes(header).items():
                group, n = root.create_group(name), (int(found.counts[index].sum()),)
                group.attrs.create("sorting", SORTING["by_time"], dtype=sorting)
                plain = partial(group.create_dataset, shape=n, track_times=False)
                plain("node_ids", dtype=np.uint64)
                plain("timestamps", dtype=np.float64).attrs["units"] = "ms"
                if found.payloads[index]:
                    plain("payloads", dtype=np.int8)
                written[index] = 0
            for block in blocks(spikes):
                times = windows.ms(block)
                for index in np.unique(block["population"]).tolist():
                    chosen = block["population"] == index
                    group = root[header.populations[index]]
                    part = slice(written[index], written[index] + int(chosen.sum()))
                    written[index] = part.stop
                    group["node_ids"][part] = block["neuron"][chosen]
                    group["timestamps"][part] = times[chosen]
                    if "payloads" in group:
                        group["payloads"][part] = block["sign"][chosen]


TRACE_FORMATS.register(Sonata.name, Sonata)
