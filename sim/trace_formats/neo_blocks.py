"""Neo: a `SpikeTrain` for each neuron that fired, a `Segment` for each sample; NIX files."""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from thresher.errors import MissingExtraError, SimulationError
from thresher.sim.trace_formats.survey import (
    Windows,
    expect_step,
    recorded_sizes,
    survey,
    windows_of,
)
from thresher.sim.trace_formats.trace_format import COLUMNS, TRACE_FORMATS, Block, Rows, blocks
from thresher.sim.trace_header import TraceHeader

MOST_SPIKES = 10**7
"""That are written at once: Neo holds a block in memory, as an object for each train."""
FEW_TRAINS = 500
"""That are written without a word; each takes as long as SECONDS_A_TRAIN."""
SECONDS_A_TRAIN, BYTES_A_TRAIN = 0.013, 24_000
"""What Neo and nixio take for a train, whatever its spikes (measured)."""


@dataclass(frozen=True)
class NeoBlocks:
    """Times in milliseconds of the sample, from 0; `population` and `neuron` are annotations.

    A neuron without a spike in a sample has no train there; the block's annotations hold the
    shapes. Where spikes carry anything but 1, the array annotation `payload` says what.
    """

    name: ClassVar[str] = "neo"
    suffix: ClassVar[str | None] = ".nix"
    suffixes: ClassVar[tuple[str, ...]] = (".nix",)
    membranes: ClassVar[bool] = False
    step_ms: float = 1.0

    def check(self, header: TraceHeader) -> None:
        _neo()
        _nixio()
        expect_step(self.step_ms)

    def write(
        self,
        path: Path,
        header: TraceHeader,
        spikes: Mapping[str, Rows],
        membranes: Mapping[str, Rows],
    ) -> None:
        n_spikes = len(spikes["sample"])
        if n_spikes > MOST_SPIKES:
            raise SimulationError(
                f"{n_spikes:,} spikes are more than Neo can hold as objects; expected at most "
                f"{MOST_SPIKES:,}: record fewer nodes or samples, or take .nwb"
            )
        _nixio()
        block = neo_block(header, spikes, self.step_ms)
        _warn_of_many(sum(len(segment.spiketrains) for segment in block.segments))
        file = _neo().io.NixIO(str(path), "ow")
        try:
            file.write_block(block)
        finally:
            file.close()


def neo_block(header: TraceHeader, spikes: Mapping[str, Rows], step_ms: float = 1.0) -> Any:
    """Return a trace as a `neo.Block`, a segment for each sample.

    Raises
    ------
    MissingExtraError
        Where Neo is not installed.
    """
    neo, windows = _neo(), windows_of(header, survey(header, spikes), step_ms)
    names = recorded_sizes(header)
    result = neo.Block(name=str(header.provenance.get("graph", "trace")), step_ms=step_ms)
    result.annotate(**{f"shape_of_{n}": list(header.shapes[i]) for i, (n, _) in names.items()})
    for sample, spikes_of_sample in _samples(header, spikes):
        segment = neo.Segment(name=f"sample {sample}", sample=sample)
        for population, neuron, train in _trains(spikes_of_sample):
            segment.spiketrains.append(
                _spike_train(train, windows, sample, names[population][0], neuron)
            )
        result.segments.append(segment)
    return result


def _spike_train(train: Block, windows: Windows, sample: int, name: str, neuron: int) -> Any:
    neo = _neo()
    ticks = (train["tick"] - 1) * windows.step_ms / windows.ticks_per_step
    payload = {} if (train["sign"] == 1).all() else {"payload": train["sign"].astype(np.int64)}
    return neo.SpikeTrain(
        ticks,
        units="ms",
        t_stop=windows.window_ms,
        name=f"{name} {neuron} of sample {sample}",
        population=name,
        neuron=neuron,
        sample=sample,
        array_annotations=payload,
    )


def _samples(header: TraceHeader, spikes: Mapping[str, Rows]) -> Iterator[tuple[int, Block]]:
    """Yield every recorded sample with its spikes, those without any too."""
    held: list[Block] = []
    current = header.samples[0]
    for block in blocks(spikes):
        cuts = np.flatnonzero(np.diff(block["sample"])) + 1
        for part in np.split(np.arange(len(block["sample"])), cuts):
            sample = int(block["sample"][part[0]])
            while current < sample:
                yield current, _joined(held)
                held, current = [], current + 1
            held.append({name: block[name][part] for name in COLUMNS})
    for sample in range(current, header.samples[1]):
        yield sample, _joined(held)
        held = []


def _joined(held: list[Block]) -> Block:
    empty = {name: np.zeros(0, dtype) for name, dtype in COLUMNS.items()}
    return {name: np.concatenate([part[name] for part in [empty, *held]]) for name in COLUMNS}


def _trains(sample: Block) -> Iterator[tuple[int, int, Block]]:
    """Yield population, neuron and spikes of each neuron that fired."""
    order = np.lexsort([sample["neuron"], sample["population"]])  # stable: time still ascends
    keys = np.stack([sample["population"][order], sample["neuron"][order]])
    cuts = np.flatnonzero((np.diff(keys) != 0).any(axis=0)) + 1
    for part in np.split(order, cuts):
        if len(part):
            train = {name: values[part] for name, values in sample.items()}
            yield int(train["population"][0]), int(train["neuron"][0]), train


def _warn_of_many(n_trains: int) -> None:
    if n_trains > FEW_TRAINS:
        warnings.warn(
            f"writing {n_trains:,} spike trains as NIX takes about "
            f"{n_trains * SECONDS_A_TRAIN:,.0f} seconds and {n_trains * BYTES_A_TRAIN / 1e6:,.0f} "
            "MB; '.nwb', '.parquet' and SONATA ('.h5', format 'sonata') hold the same spikes and "
            "are written in a moment",
            stacklevel=2,
        )


def _neo() -> Any:
    try:
        import neo
        import neo.io
    except ImportError as error:
        raise MissingExtraError("neo", "trace", "Neo") from error
    return neo


def _nixio() -> None:
    try:
        import nixio  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("nixio", "trace", "a .nix file of Neo's") from error


TRACE_FORMATS.register(NeoBlocks.name, NeoBlocks)
