"""Trace formats: each file is read back by its format's own library."""

import json
import tracemalloc
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import chain, fires, linear

from thresher import SimulationError, Trace, export_trace, load_trace, simulate
from thresher.ir.ops import Flatten
from thresher.sim import TRACE_FORMATS
from thresher.sim.trace_formats import COLUMNS, neo_blocks, trace_format

OWN = pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet", ".h5"])
NEEDS = {".parquet": "pyarrow", ".h5": "h5py"}

# By hand: pixels 1, 1/2, 0 and -1 fire at steps 1..4, 1 and 3, never, and 1..4 with sign -1
FIRST = {0: [1, 2, 3, 4], 1: [1, 3], 3: [1, 2, 3, 4]}
SECOND = {0: [2], 3: [1, 2, 3, 4]}
"""Spike trains of population 'image' in samples 5 and 7; nothing fires in sample 6."""


def library(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} reads this format back")


def needs(suffix: str) -> None:
    if suffix in NEEDS:
        library(NEEDS[suffix])


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Three samples from position 5 on through a signed input and a population of (2, 1, 2)."""
    graph = chain(
        (2, 1, 2),
        ("relu/1", *fires(0.5)),
        ("flat", Flatten()),
        ("out", linear("out", np.ones((2, 4)))),
        threshold=1.0,
    )
    x = np.array([[1, 0.5, 0, -1], [0, 0, 0, 0], [0.25, 0, 0, 1]], np.float32)
    found = simulate(
        graph,
        x.reshape(3, 2, 1, 2),
        steps=4,
        offset=5,
        encoder="regular",
        record="spikes",
        membranes={"out": [1, 0]},
    ).trace
    for neuron, ticks in FIRST.items():
        np.testing.assert_array_equal(found.spike_train("image", neuron, 5), ticks)
    for neuron, ticks in SECOND.items():
        np.testing.assert_array_equal(found.spike_train("image", neuron, 7), ticks)
    return found


@pytest.fixture(scope="module")
def spikes(trace: Trace) -> Trace:
    """Without membranes, and the second population under a name that HDF5 takes."""
    return replace(
        trace,
        populations=("image", "relu1"),
        recorded=("image", "relu1"),
        membranes={},
        membrane_neurons={},
    )


def assert_same(found: Trace, expected: Trace) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    for name in ("populations", "shapes", "steps", "ticks_per_step", "recorded", "samples"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.provenance == expected.provenance


@OWN
@pytest.mark.parametrize("chunk", [3, 2**16])
def test_a_trace_reads_back_from_every_format_of_our_own(
    spikes: Trace, tmp_path: Path, suffix: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(suffix)
    monkeypatch.setattr(trace_format, "CHUNK", chunk)
    spikes.save(tmp_path / f"t{suffix}")
    assert_same(load_trace(tmp_path / f"t{suffix}"), spikes)


@OWN
def test_a_trace_without_spikes_reads_back(tmp_path: Path, suffix: str) -> None:
    needs(suffix)
    graph = chain((1,), ("if", *fires()), ("out", linear("out", [[1.0]])))
    empty = simulate(graph, np.zeros((2, 1), np.float32), steps=1, record="spikes").trace
    empty.save(tmp_path / f"t{suffix}")
    assert_same(load_trace(tmp_path / f"t{suffix}"), empty)


@OWN
def test_the_same_trace_gives_the_same_bytes(spikes: Trace, tmp_path: Path, suffix: str) -> None:
    needs(suffix)
    for name in "ab":
        spikes.save(tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_membranes_read_back(trace: Trace, tmp_path: Path, suffix: str) -> None:
    needs(suffix)
    trace.save(tmp_path / f"t{suffix}")
    export_trace(tmp_path / f"t{suffix}", tmp_path / "again.npz")
    for path in (f"t{suffix}", "again.npz"):
        found = load_trace(tmp_path / path)
        np.testing.assert_array_equal(found.membranes["out"], trace.membranes["out"])
        np.testing.assert_array_equal(found.membrane_neurons["out"], [1, 0])


@OWN
def test_an_export_is_what_the_run_would_have_written(
    spikes: Trace, tmp_path: Path, suffix: str
) -> None:
    needs(suffix)
    spikes.save(tmp_path / "t.npz")
    spikes.save(tmp_path / f"saved{suffix}")
    export_trace(tmp_path / "t.npz", tmp_path / f"exported{suffix}")
    written = [(tmp_path / f"{name}{suffix}").read_bytes() for name in ("saved", "exported")]
    assert written[0] == written[1]


def test_pyarrow_reads_a_row_a_spike_with_populations_by_name(
    spikes: Trace, tmp_path: Path
) -> None:
    library("pyarrow")
    from pyarrow import parquet

    spikes.save(tmp_path / "t.parquet")
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.column_names == list(COLUMNS)
    names = [spikes.populations[p] for p in spikes.population]
    assert table["population"].to_pylist() == names
    for name in ("sample", "tick", "neuron", "sign"):
        np.testing.assert_array_equal(table[name].to_numpy(), getattr(spikes, name))
    header = json.loads(table.schema.metadata[b"thresher"])
    assert (header["samples"], header["steps"]) == ([5, 8], 4)


def test_h5py_reads_the_columns(spikes: Trace, tmp_path: Path) -> None:
    h5py = library("h5py")
    spikes.save(tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5") as file:
        for name, dtype in COLUMNS.items():
            np.testing.assert_array_equal(file[f"spikes/{name}"][:], getattr(spikes, name))
            assert file[f"spikes/{name}"].dtype == dtype
        assert json.loads(file["header"].asstr()[()])["populations"] == ["image", "relu1"]


def test_nir_reads_events_whose_rows_are_samples_and_whose_times_are_ticks(
    spikes: Trace, tmp_path: Path
) -> None:
    nir = library("nir")
    spikes.save(tmp_path / "t.nir")
    events = nir.read_data(tmp_path / "t.nir").nodes["image"].observables["spikes"]
    assert type(events) is nir.ValuedEventData
    assert (events.n_samples, events.n_neurons, events.t_max) == (3, 4, 4)
    grid = np.zeros((3, 4, 4))
    for sample, trains in ((0, FIRST), (2, SECOND)):
        for neuron, ticks in trains.items():
            grid[sample, np.array(ticks) - 1, neuron] = 1
    grid[0, :, 3] = -1  # the pixel at -1
    np.testing.assert_array_equal(events.to_time_gridded(1).data, grid)


def test_nir_reads_spikes_that_are_all_1_as_plain_events(spikes: Trace, tmp_path: Path) -> None:
    nir = library("nir")
    spikes.save(tmp_path / "t.nir")
    events = nir.read_data(tmp_path / "t.nir").nodes["relu1"].observables["spikes"]
    assert type(events) is nir.EventData
    grid = events.to_time_gridded(1)
    for sample in range(3):
        counts = grid.data[sample].sum(axis=0).reshape(2, 1, 2)
        np.testing.assert_array_equal(counts, spikes.counts("relu1", 5 + sample))


def test_nir_data_are_what_nir_itself_writes(spikes: Trace, tmp_path: Path) -> None:
    nir, h5py = library("nir"), library("h5py")
    spikes.save(tmp_path / "ours.nir")
    nir.write_data(tmp_path / "theirs.nir", nir.read_data(tmp_path / "ours.nir"))
    found: list[dict[str, Any]] = []
    for name in ("ours", "theirs"):
        listed: dict[str, Any] = {}
        with h5py.File(tmp_path / f"{name}.nir") as file:
            listed[""] = dict(file.attrs)

            def note(path: str, item: Any, listed: dict[str, Any] = listed) -> None:
                values = item[()].tolist() if isinstance(item, h5py.Dataset) else None
                listed[path] = (dict(item.attrs), values, getattr(item, "dtype", None))

            file.visititems(note)
        found.append(listed)
    assert found[0] == found[1]


def test_libsonata_reads_spikes_by_time_with_samples_in_windows(
    spikes: Trace, tmp_path: Path
) -> None:
    libsonata = library("libsonata")
    spikes.save(tmp_path / "t.h5", "sonata", step_ms=2.5)
    population = libsonata.SpikeReader(str(tmp_path / "t.h5"))["image"]
    expected = [
        (neuron, 10.0 * sample + 2.5 * (tick - 1))
        for sample, trains in ((0, FIRST), (2, SECOND))
        for neuron, ticks in trains.items()
        for tick in ticks
    ]
    assert sorted(population.get()) == sorted(expected)
    assert (population.sorting, population.time_units) == ("by_time", "ms")
    window = population.get(node_ids=[0], tstart=20.0, tstop=29.9)  # that of sample 7
    assert window == [(0, 22.5)]


def test_a_sonata_file_says_its_version_and_its_windows(spikes: Trace, tmp_path: Path) -> None:
    h5py = library("h5py")
    spikes.save(tmp_path / "t.h5", "sonata")
    with h5py.File(tmp_path / "t.h5") as file:
        assert (file.attrs["magic"], file.attrs["version"].tolist()) == (0x0A7A, [0, 1])
        root = file["spikes"]
        assert (root.attrs["window_ms"], root.attrs["first_sample"], root.attrs["n_samples"]) == (
            4.0,
            5,
            3,
        )
        assert set(root["relu1"]) == {"node_ids", "timestamps"}
        negative = root["image/node_ids"][:] == 3
        first = root["image/timestamps"][:] < 4
        expected = np.where(negative & first, -1, 1)
        np.testing.assert_array_equal(root["image/payloads"][:], expected)


def test_neo_reads_a_train_for_each_neuron_in_the_segment_of_its_sample(
    spikes: Trace, tmp_path: Path
) -> None:
    neo = library("neo")
    library("nixio")
    spikes.save(tmp_path / "t.nix", step_ms=2.0)
    block = neo.io.NixIO(str(tmp_path / "t.nix"), "ro").read_block()
    assert [segment.annotations["sample"] for segment in block.segments] == [5, 6, 7]
    assert not len(block.segments[1].spiketrains)
    for segment, trains in ((block.segments[0], FIRST), (block.segments[2], SECOND)):
        of_image = [t for t in segment.spiketrains if t.annotations["population"] == "image"]
        found = {t.annotations["neuron"]: t for t in of_image}
        assert set(found) == set(trains)
        for neuron, ticks in trains.items():
            np.testing.assert_array_equal(found[neuron].magnitude, 2.0 * (np.array(ticks) - 1))
            assert (str(found[neuron].dimensionality), float(found[neuron].t_stop)) == ("ms", 8.0)


def test_many_trains_are_warned_of_before_nix_is_written(
    spikes: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library("neo")
    n = sum(len(segment.spiketrains) for segment in spikes.to_neo().segments)
    monkeypatch.setattr(neo_blocks, "FEW_TRAINS", n - 1)
    with pytest.warns(UserWarning, match=rf"writing {n} spike trains as NIX .*seconds.*'\.nwb'"):
        spikes.save(tmp_path / "t.nix")
    monkeypatch.setattr(neo_blocks, "FEW_TRAINS", n)
    with warnings.catch_warnings(record=True) as caught:
        spikes.save(tmp_path / "t.nix")
    assert not [item for item in caught if "spike trains" in str(item.message)]


def test_neo_knows_what_a_signed_spike_carries(spikes: Trace) -> None:
    library("neo")
    trains = spikes.to_neo().segments[0].spiketrains
    signed = [train for train in trains if "payload" in train.array_annotations]
    assert [(t.annotations["population"], t.annotations["neuron"]) for t in signed] == [
        ("image", 3)
    ]
    np.testing.assert_array_equal(signed[0].array_annotations["payload"], [-1] * 4)


@pytest.mark.filterwarnings("ignore::UserWarning:hdmf", "ignore::UserWarning:pynwb")
@pytest.mark.parametrize("chunk", [3, 2**16])
def test_pynwb_reads_a_unit_for_each_neuron_and_a_trial_for_each_sample(
    spikes: Trace, tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pynwb = library("pynwb")
    monkeypatch.setattr(trace_format, "CHUNK", chunk)
    spikes.save(tmp_path / "t.nwb")
    with pynwb.NWBHDF5IO(str(tmp_path / "t.nwb"), "r") as io:
        file = io.read()
        units, trials = file.units, file.trials
        names = [(units["population"][i], int(units["neuron"][i])) for i in range(len(units))]
        assert names == [(name, i) for name in ("image", "relu1") for i in range(4)]
        assert trials["sample"][:].tolist() == [5, 6, 7]
        np.testing.assert_allclose(trials["start_time"][:], [0, 0.004, 0.008])
        np.testing.assert_allclose(trials["stop_time"][:], [0.004, 0.008, 0.012])
        for neuron in range(4):
            ticks = [*FIRST.get(neuron, []), *(8 + t for t in SECOND.get(neuron, []))]
            found = units["spike_times"][neuron]
            np.testing.assert_allclose(found, (np.array(ticks, float) - 1) / 1000)
        np.testing.assert_array_equal(units["spike_payloads"][3], [-1] * 4 + [1] * 4)
    assert [path.name for path in tmp_path.iterdir()] == ["t.nwb"]


def test_an_nwb_file_has_what_its_inspector_asks_for(spikes: Trace, tmp_path: Path) -> None:
    pynwb = library("pynwb")
    spikes.save(tmp_path / "t.nwb")
    assert pynwb.validate(path=str(tmp_path / "t.nwb")) == []


def test_an_event_array_holds_microseconds_places_and_channels(
    spikes: Trace, tmp_path: Path
) -> None:
    spikes.save(tmp_path / "t.npy", population="relu1", step_ms=0.5)
    events = np.load(tmp_path / "t.npy")
    assert events.dtype.names == ("t", "x", "y", "p", "sample")
    of_relu = spikes.population == 1
    channel, y, x = np.unravel_index(spikes.neuron[of_relu], (2, 1, 2))
    for name, expected in (
        ("t", 500 * (spikes.tick[of_relu] - 1)),
        ("x", x),
        ("y", y),
        ("p", channel),
        ("sample", spikes.sample[of_relu]),
    ):
        np.testing.assert_array_equal(events[name], expected)


def test_an_event_array_of_one_sample_has_four_fields_and_p_is_the_sign(tmp_path: Path) -> None:
    graph = chain((1, 1, 3), ("flat", Flatten()), ("out", linear("out", np.eye(3))), threshold=1.0)
    x = np.array([1, -1, 0], np.float32).reshape(1, 1, 1, 3)
    simulate(graph, x, steps=2, encoder="regular", record=["image"]).trace.save(tmp_path / "t.npy")
    events = np.load(tmp_path / "t.npy")
    assert events.tolist() == [(0, 0, 0, 1), (0, 1, 0, 0), (1000, 0, 0, 1), (1000, 1, 0, 0)]


def test_tonic_makes_frames_of_an_event_array(spikes: Trace, tmp_path: Path) -> None:
    transforms = library("tonic.transforms")
    only = replace(spikes, recorded=("relu1",), samples=(5, 6))
    chosen = (spikes.sample == 5) & (spikes.population == 1)
    only = replace(only, **{name: getattr(spikes, name)[chosen] for name in COLUMNS})
    only.save(tmp_path / "t.npy")
    to_frame = transforms.ToFrame((2, 1, 2), time_window=1000, start_time=0, end_time=4000)
    frames = to_frame(np.load(tmp_path / "t.npy"))
    grid = np.zeros((4, 4), int)
    np.add.at(grid, (only.tick - 1, only.neuron), 1)
    np.testing.assert_array_equal(frames, grid.reshape(4, 2, 1, 2))


@pytest.mark.parametrize(
    ("path", "format", "options", "message"),
    [
        ("t.h5", "csv", {}, "format 'csv' has files that end in .csv"),
        ("t.h5", "sonatas", {}, "unknown trace format 'sonatas': did you mean 'sonata'"),
        ("t.csv", None, {"step_ms": 2}, "format 'csv' has no step_ms; it takes no options"),
        ("t.npy", None, {}, "an event array holds one population, and those of 'image', 'relu1'"),
        ("t.npy", None, {"population": "out"}, "the spikes of 'out' were not recorded; those of"),
        ("t.npy", None, {"population": "image"}, "'image' carry numbers for which an event has no"),
        ("t.npy", None, {"population": "relu1", "step_ms": 1e-4}, "less than a microsecond"),
        ("t.nwb", None, {"step_ms": 0}, "a step of 0 ms; expected a number above 0"),
    ],
)
def test_what_a_format_cannot_say_is_refused_and_nothing_is_written(
    spikes: Trace, tmp_path: Path, path: str, format: str, options: dict[str, Any], message: str
) -> None:
    if path.endswith("nwb"):
        library("pynwb")
    with pytest.raises(SimulationError, match=message):
        spikes.save(tmp_path / path, format, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "format"), [("t.nir", None), ("t.h5", "sonata")])
def test_a_name_that_hdf5_takes_for_a_path_is_refused(
    trace: Trace, tmp_path: Path, name: str, format: str | None
) -> None:
    library("h5py")
    plain = replace(trace, membranes={}, membrane_neurons={})
    with pytest.raises(SimulationError, match="'relu/1' cannot be a group's name"):
        plain.save(tmp_path / name, format)


@pytest.mark.parametrize("name", list(TRACE_FORMATS))
def test_a_format_without_a_place_for_membranes_says_so(
    trace: Trace, tmp_path: Path, name: str
) -> None:
    kind = TRACE_FORMATS.get(name)
    if kind.membranes:
        pytest.skip("it has a place for them")
    with pytest.raises(SimulationError, match="has no place for the membranes of 'out'; save it"):
        trace.save(tmp_path / f"t{kind.suffixes[0]}", name)


@OWN
@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("neuron", 3, 4, "'neuron' of spike 3 is none that its header allows"),
        ("population", 2, 2, "'population' of spike 2|cannot be read as a trace"),
        ("tick", 5, 0, "'tick' of spike 5"),
        ("sample", 1, 8, "'sample' of spike 1"),
        ("sample", 1, 7, "'sample' of spike 2"),  # the next goes back to 5
    ],
)
def test_a_file_whose_values_its_header_does_not_allow_is_refused(
    spikes: Trace, tmp_path: Path, suffix: str, column: str, row: int, value: int, message: str
) -> None:
    needs(suffix)
    if suffix != ".npz" and column == "population":
        pytest.skip("populations stand there by name")
    values = getattr(spikes, column).copy()
    values[row] = value
    replace(spikes, **{column: values}).save(tmp_path / f"t{suffix}")
    with pytest.raises(SimulationError, match=message):
        load_trace(tmp_path / f"t{suffix}")


@OWN
def test_a_file_that_is_cut_off_is_refused(spikes: Trace, tmp_path: Path, suffix: str) -> None:
    needs(suffix)
    path = tmp_path / f"t{suffix}"
    spikes.save(path)
    whole = path.read_bytes()
    for share in (0.0, 0.3, 0.6, 0.95):
        path.write_bytes(whole[: int(len(whole) * share)])
        if suffix == ".csv" and share:  # lines may end anywhere; half a line does not
            path.write_bytes(path.read_bytes().rstrip(b"1") + b",")
        with pytest.raises(SimulationError, match=f"t{suffix}' cannot be read"):
            load_trace(path)
        with pytest.raises(SimulationError, match=f"t{suffix}' cannot be read"):
            export_trace(path, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == [path]


def test_an_npz_that_holds_pickles_is_refused(spikes: Trace, tmp_path: Path) -> None:
    spikes.save(tmp_path / "t.npz")
    with np.load(tmp_path / "t.npz") as file:
        arrays = dict(file)
    for name in ("tick", "populations"):
        pickled = arrays | {name: np.array([{}] * len(spikes), object)}
        np.savez(tmp_path / "p.npz", **pickled)
        with pytest.raises(SimulationError, match=r"p\.npz' cannot be read as a trace"):
            load_trace(tmp_path / "p.npz")


def test_an_hdf5_file_that_declares_more_than_it_holds_is_refused_in_bounded_memory(
    spikes: Trace, tmp_path: Path
) -> None:
    h5py = library("h5py")
    spikes.save(tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5", "a") as file:
        for name, dtype in COLUMNS.items():
            del file[f"spikes/{name}"]
            file.create_dataset(f"spikes/{name}", (2**50,), dtype, chunks=(2**10,), fillvalue=1)
    tracemalloc.start()
    with pytest.raises(SimulationError, match=r"declares .* bytes, which its 0 cannot hold"):
        load_trace(tmp_path / "t.h5")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_a_csv_with_an_endless_line_is_refused_in_bounded_memory(
    spikes: Trace, tmp_path: Path
) -> None:
    spikes.save(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open("a") as file:
        file.write("7" * 2**26)
    tracemalloc.start()
    with pytest.raises(SimulationError, match="a line has more than 65,536 characters"):
        load_trace(tmp_path / "t.csv")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_a_format_that_is_not_read_back_says_so(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="format 'nwb' does not hold all of a trace"):
        load_trace(tmp_path / "t.nwb")


@pytest.mark.parametrize("suffix", [".parquet", ".h5", ".nir", ".nwb"])
def test_an_export_takes_no_more_memory_for_more_spikes(tmp_path: Path, suffix: str) -> None:
    library({".parquet": "pyarrow", ".nwb": "pynwb"}.get(suffix, "h5py"))
    peaks = []
    for n in (2**19, 2**21):
        many(n).save(tmp_path / "t.npz")
        export_trace(tmp_path / "t.npz", tmp_path / f"warm{suffix}")
        tracemalloc.start()
        export_trace(tmp_path / "t.npz", tmp_path / f"t{suffix}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**21  # 19 bytes a spike would be 20 million


def many(n: int) -> Trace:
    """One population of 64 neurons that all fire at every tick."""
    return Trace(
        populations=("relu1",),
        shapes=((64,),),
        steps=n // 64,
        ticks_per_step=1,
        recorded=("relu1",),
        samples=(0, 1),
        sample=np.zeros(n, np.int32),
        tick=np.repeat(np.arange(1, n // 64 + 1), 64),
        population=np.zeros(n, np.int16),
        neuron=np.tile(np.arange(64, dtype=np.int32), n // 64),
        sign=np.ones(n, np.int8),
    )
