"""NWB (Neurodata Without Borders 2): a unit for each neuron, a trial for each sample."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.errors import MissingExtraError
from thresher.sim.column import scratch_array
from thresher.sim.trace_formats.survey import expect_step, recorded_sizes, survey, windows_of
from thresher.sim.trace_formats.trace_format import TRACE_FORMATS, Rows, blocks
from thresher.sim.trace_header import TraceHeader

NO_DATE = datetime(1970, 1, 1, tzinfo=timezone.utc)
"""A simulation has none, but a file must."""


@dataclass(frozen=True)
class Nwb:
    """`units` in seconds with columns `population` and `neuron`; samples in `trials`.

    Every neuron of a recorded population is a unit, silent ones too. Samples stand in windows one
    after another (`Windows`), whose limits and numbers `trials` holds. Where spikes carry anything
    but 1, units have the column `spike_payloads`. Times are sorted by neuron in a file without a
    name beside the output, so that memory does not grow with the spikes.
    """

    name: ClassVar[str] = "nwb"
    suffix: ClassVar[str | None] = ".nwb"
    suffixes: ClassVar[tuple[str, ...]] = (".nwb",)
    membranes: ClassVar[bool] = False
    step_ms: float = 1.0

    def check(self, header: TraceHeader) -> None:
        _pynwb()
        expect_step(self.step_ms)

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        pynwb, common = _pynwb()
        described = header.as_json()
        file = pynwb.NWBFile(
            session_description=f"Spikes of the network '{header.provenance.get('graph', '')}', "
            f"simulated with Thresher; one step is {self.step_ms:g} ms. {described}",
            identifier=hashlib.sha256(described.encode()).hexdigest(),
            session_start_time=NO_DATE,
        )
        found = survey(header, spikes)
        windows = windows_of(header, found, self.step_ms)
        n_samples = header.samples[1] - header.samples[0]
        starts = np.arange(n_samples) * (windows.window_ms / 1000)
        samples = np.arange(*header.samples)
        file.trials = pynwb.epoch.TimeIntervals(
            name="trials",
            description="the samples, one after another",
            columns=[
                common.VectorData(name="start_time", description="seconds", data=starts),
                common.VectorData(
                    name="stop_time",
                    description="seconds",
                    data=starts + windows.window_ms / 1000,
                ),
                common.VectorData(
                    name="sample", description="the sample's position in the data", data=samples
                ),
            ],
            id=common.ElementIdentifiers(name="id", data=np.arange(n_samples)),
        )
        units = _Units(header, spikes, bool(found.payloads.any()), path.parent)
        times, payloads = units.sort(spikes, windows.ms)
        file.units = units.table(pynwb, common, times, payloads)
        with pynwb.NWBHDF5IO(str(path), "w") as io:
            io.write(file)


class _Units:
    """Lay spikes out by neuron."""

    def __init__(
        self, header: TraceHeader, spikes: Mapping[str, Rows], payloads: bool, folder: Path
    ) -> None:
        self.sizes = recorded_sizes(header)
        self.folder, self.payloads = folder, payloads
        self.offsets = np.zeros(len(header.populations), np.int64)
        n = 0
        for index, (_, size) in self.sizes.items():
            self.offsets[index] = n
            n += size
        counts = np.zeros(n, np.int64)
        for block in blocks(spikes):
            counts += np.bincount(self._unit(block), minlength=n)
        self.ends: NDArray[np.int64] = np.cumsum(counts)

    def sort(self, spikes: Mapping[str, Rows], times_of: Any) -> tuple[Any, Any]:
        """Return times in seconds by unit, and payloads, in scratch files."""
        n = int(self.ends[-1]) if len(self.ends) else 0
        times = scratch_array(np.dtype(np.float64), n, self.folder)
        payloads = scratch_array(np.dtype(np.int8), n if self.payloads else 0, self.folder)
        free = self.ends - np.diff(self.ends, prepend=0)
        for block in blocks(spikes):
            unit = self._unit(block)
            order = np.argsort(unit, kind="stable")
            ordered = unit[order]
            first = np.searchsorted(ordered, ordered)  # the first spike of the unit in this block
            at = free[ordered] + np.arange(len(ordered)) - first
            times[at] = times_of(block)[order] / 1000
            if self.payloads:
                payloads[at] = block["sign"][order]
            free += np.bincount(unit, minlength=len(free))
        return times, payloads

    def table(self, pynwb: Any, common: Any, times: Any, payloads: Any) -> Any:
        """Return the table of units, sorted spikes among its columns."""
        names = np.repeat([name for name, _ in self.sizes.values()], list(self.sizes_of()))
        neurons = np.concatenate([np.arange(n) for n in self.sizes_of()] or [np.zeros(0, int)])

        def ragged(name: str, description: str, data: Any) -> list[Any]:
            column = common.VectorData(name=name, description=description, data=data)
            ends = self.ends.astype(np.uint64)
            return [common.VectorIndex(name=f"{name}_index", data=ends, target=column), column]

        columns = ragged("spike_times", "seconds; samples one after another, see trials", times)
        if self.payloads:
            columns += ragged("spike_payloads", "what each spike carries", payloads)
        columns += [
            common.VectorData(name="population", description="node", data=names.tolist()),
            common.VectorData(name="neuron", description="row-major index", data=neurons),
        ]
        ids = common.ElementIdentifiers(name="id", data=np.arange(len(neurons)))
        return pynwb.misc.Units(name="units", description="neurons", columns=columns, id=ids)

    def sizes_of(self) -> list[int]:
        return [size for _, size in self.sizes.values()]

    def _unit(self, block: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
        units: NDArray[np.int64] = self.offsets[block["population"]] + block["neuron"]
        return units


def _pynwb() -> tuple[Any, Any]:
    try:
        import hdmf.common
        import pynwb
    except ImportError as error:
        raise MissingExtraError("pynwb", "trace", "an NWB file") from error
    return pynwb, hdmf.common


TRACE_FORMATS.register(Nwb.name, Nwb)
