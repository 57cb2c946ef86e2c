"""Trace and its files: spike trains, counts, .npz that reads back, .csv that is readable."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import chain, fires, linear

from thresher import SimulationError, ThresherError, Trace, load_trace, simulate
from thresher.ir.ops import Flatten

COLUMNS = ("sample", "tick", "population", "neuron", "sign")


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Two samples through a signed input, a population of (2, 1, 2) and a readout."""
    graph = chain(
        (2, 1, 2),
        ("grün", *fires(0.5)),
        ("flat", Flatten()),
        ("out", linear("out", np.ones((2, 4)))),
        threshold=1.0,
    )
    x = np.array([[1, 0.5, 0, -1], [0.25, 0, 0, 1]], np.float32).reshape(2, 2, 1, 2)
    options = {"steps": 4, "encoder": "regular", "record": "spikes", "membranes": {"out": [1, 0]}}
    return simulate(graph, x, **options).trace


@pytest.fixture(scope="module")
def spikes(trace: Trace) -> Trace:
    """The same without membranes, which .csv has no place for."""
    return replace(trace, membranes={}, membrane_neurons={})


def assert_equal(found: Trace, expected: Trace) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        assert getattr(found, name).dtype == getattr(expected, name).dtype
    for name in ("populations", "shapes", "steps", "ticks_per_step", "provenance"):
        assert getattr(found, name) == getattr(expected, name)
    assert found.membranes.keys() == expected.membranes.keys()
    for name, values in expected.membranes.items():
        np.testing.assert_array_equal(found.membranes[name], values)


def test_a_spike_train_is_one_neurons_ticks(trace: Trace) -> None:
    np.testing.assert_array_equal(trace.spike_train("image", 0), [1, 2, 3, 4])
    np.testing.assert_array_equal(trace.spike_train("image", 1), [1, 3])  # floor(t/2 + 1/2)
    np.testing.assert_array_equal(trace.spike_train("image", 3), [1, 2, 3, 4])
    np.testing.assert_array_equal(trace.spike_train("image", 0, sample=1), [2])
    np.testing.assert_array_equal(trace.spike_train("grün", 3), [])


def test_counts_are_signed_and_have_the_populations_shape(trace: Trace) -> None:
    np.testing.assert_array_equal(trace.counts("image"), [[[4, 2]], [[0, -4]]])
    np.testing.assert_array_equal(trace.counts("image", sample=1), [[[1, 0]], [[0, 4]]])
    np.testing.assert_array_equal(trace.counts("grün"), [[[4, 4]], [[0, 0]]])


def test_a_population_that_is_not_there_is_named_with_those_that_are(trace: Trace) -> None:
    message = "the spikes of 'out' were not recorded; those of 'image', 'grün' were"
    with pytest.raises(SimulationError, match=message):
        trace.spike_train("out", 0)
    with pytest.raises(SimulationError, match=message):
        trace.counts("out")


def test_the_trace_says_how_it_came_about(trace: Trace) -> None:
    assert trace.provenance["graph"] == "chain"
    assert trace.provenance["encoder"] == "regular"
    assert trace.provenance["schedule"] == "lockstep"
    assert trace.provenance["seed"] == 0


def test_an_npz_reads_back(trace: Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "spikes.npz")
    assert_equal(load_trace(tmp_path / "spikes.npz"), trace)


def test_an_empty_trace_reads_back(tmp_path: Path) -> None:
    graph = chain((1,), ("out", linear("out", [[1.0]])))
    empty = simulate(graph, np.zeros((1, 1), np.float32), steps=1).trace
    empty.save(str(tmp_path / "spikes.npz"))
    assert_equal(load_trace(str(tmp_path / "spikes.npz")), empty)


def test_an_npz_has_the_documented_keys_and_no_pickle(trace: Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "spikes.npz")
    with np.load(tmp_path / "spikes.npz", allow_pickle=False) as file:
        assert file["populations"].tolist() == ["image", "grün"]
        assert {*COLUMNS, "shapes", "ticks_per_step", "steps", "provenance"} < set(file.files)
        assert json.loads(str(file["provenance"]))["graph"] == "chain"
        np.testing.assert_array_equal(file["membrane:out"], trace.membranes["out"])


def test_an_npz_is_what_numpy_would_write(trace: Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "spikes.npz")
    with np.load(tmp_path / "spikes.npz") as file:
        np.savez_compressed(tmp_path / "numpy.npz", **{name: file[name] for name in file.files})
    assert (tmp_path / "spikes.npz").read_bytes() == (tmp_path / "numpy.npz").read_bytes()


def test_the_same_run_gives_the_same_bytes(spikes: Trace, tmp_path: Path) -> None:
    for suffix in ("npz", "csv"):
        paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
        for path in paths:
            spikes.save(path)
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_csv_has_a_line_a_spike_with_populations_by_name(spikes: Trace, tmp_path: Path) -> None:
    spikes.save(tmp_path / "spikes.csv")
    comment, *lines = (tmp_path / "spikes.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(lines))
    assert len(rows) == len(spikes)
    assert tuple(rows[0]) == COLUMNS
    assert [row["population"] for row in rows] == [spikes.populations[p] for p in spikes.population]
    for name in ("sample", "tick", "neuron", "sign"):
        np.testing.assert_array_equal([int(row[name]) for row in rows], getattr(spikes, name))
    metadata = json.loads(comment.removeprefix("# "))
    assert metadata["populations"] == ["image", "grün"]
    assert metadata["shapes"] == [[2, 1, 2], [2, 1, 2]]
    assert (metadata["steps"], metadata["ticks_per_step"]) == (4, 1)
    assert metadata["provenance"] == dict(spikes.provenance)
    assert metadata["recorded"] == ["image", "grün"]
    assert metadata["samples"] == [0, 2]


@pytest.mark.parametrize("name", ["spikes.parquet2", "spikes", "spikes.NPZ"])
def test_an_unknown_format_is_refused_before_anything_is_written(
    trace: Trace, tmp_path: Path, name: str
) -> None:
    message = f"trace '{name}': unknown format '.*'; expected one of .csv, .h5, .npz, .parquet"
    with pytest.raises(SimulationError, match=message):
        trace.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["npz", "csv"])
def test_a_write_that_fails_leaves_the_old_file_and_no_other(
    spikes: Trace, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"spikes.{suffix}"
    path.write_text("before")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("zipfile.ZipFile.open", fail)
    monkeypatch.setattr("csv.writer", fail)
    with pytest.raises(ThresherError, match=f"cannot write '.*spikes.{suffix}': disk full"):
        spikes.save(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_membranes_have_no_place_in_a_csv_and_nothing_is_written(
    trace: Trace, tmp_path: Path
) -> None:
    with pytest.raises(SimulationError, match="no place for the membranes of 'out'; save it as"):
        trace.save(tmp_path / "spikes.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_trace_says_what_was_recorded_and_of_which_samples(tmp_path: Path) -> None:
    graph = chain(
        (2,),
        ("if", *fires()),
        ("fc", linear("fc", np.eye(2))),
        ("if2", *fires()),
        ("out", linear("out", np.eye(2))),
    )
    x = np.ones((5, 2), np.float32)
    options = {"record": ["if2"], "record_samples": (1, 3), "membranes": {"if": [1]}}
    simulate(graph, x, steps=2, offset=10, **options).trace.save(tmp_path / "t.npz")
    found = load_trace(tmp_path / "t.npz")
    assert (found.recorded, found.samples) == (("if2",), (11, 13))
    np.testing.assert_array_equal(found.membrane_neurons["if"], [1])
    np.testing.assert_array_equal(found.spike_train("if2", 0), [1, 2])
    with pytest.raises(SimulationError, match="'if' were not recorded; those of 'if2' were"):
        found.counts("if")
    with pytest.raises(SimulationError, match=r"sample 1 was not recorded; samples 11\.\.12 were"):
        found.counts("if2", 1)
    with pytest.raises(SimulationError, match=r"'if2' has no neuron 2; .* 0\.\.1"):
        found.spike_train("if2", 2)


@pytest.mark.parametrize("content", [b"", b"{}", b"sample,tick\n"])
def test_a_file_that_is_no_trace_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(content)
    with pytest.raises(SimulationError, match=r"t\.npz' cannot be read as a trace"):
        load_trace(path)


def test_an_npz_of_something_else_is_no_trace(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.zeros(3))
    with pytest.raises(SimulationError, match=r"t\.npz' cannot be read as a trace"):
        load_trace(tmp_path / "t.npz")
