"""Long runs: images read in blocks, spikes written while the run goes on, nothing half-done."""

import errno
from pathlib import Path

import numpy as np
import pytest
from networks import chain, fires, linear

from thresher import DataError, SimulationError, ThresherError, datasets, simulate
from thresher.ir import Graph, images
from thresher.sim import Progress, recording
from thresher.sim.column import Column
from thresher.sim.trace_formats import trace_format

X = np.array([[1.0, 0.5], [0.25, 0.0], [0.0, 1.0], [0.75, 0.75], [1.0, 0.0]], np.float32)
Y = np.array([0, 0, 1, 1, 0])
SUFFIXES = pytest.mark.parametrize("suffix", [".npz", ".csv"])


def two_layers() -> Graph:
    return chain(
        (2,),
        ("if1", *fires()),
        ("fc", linear("fc", np.eye(2))),
        ("if2", *fires(0.5)),
        ("out", linear("out", np.eye(2))),
    )


@pytest.mark.parametrize("block", [1, 2, 5])
@pytest.mark.parametrize("compressed", [False, True])
def test_images_read_in_blocks_give_what_an_array_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, compressed: bool
) -> None:
    expected = simulate(two_layers(), X[1:], steps=4, record="spikes", offset=1)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "d.npz", x=X, y=Y)
    monkeypatch.setattr(images, "BLOCK", block)
    samples = datasets.stream(tmp_path / "d.npz", offset=1)
    found = simulate(two_layers(), samples.x, steps=4, record="spikes", offset=1, threads=2)
    np.testing.assert_array_equal(found.predictions, expected.predictions)
    for name in trace_format.COLUMNS:
        np.testing.assert_array_equal(getattr(found.trace, name), getattr(expected.trace, name))


def test_a_bad_image_in_a_file_is_named_with_its_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = X.copy()
    x[4, 1] = np.inf
    np.savez(tmp_path / "d.npz", x=x)
    monkeypatch.setattr(images, "BLOCK", 2)
    with pytest.raises(DataError, match=r"d\.npz: image 4 holds a NaN or an infinite value"):
        simulate(two_layers(), datasets.stream(tmp_path / "d.npz", offset=1).x, steps=1)


@SUFFIXES
@pytest.mark.parametrize("chunk", [3, 2**16])
def test_the_file_is_the_one_that_the_trace_in_memory_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, chunk: int
) -> None:
    monkeypatch.setattr(trace_format, "CHUNK", chunk)
    options = {"steps": 4, "record": ["if2"], "record_samples": (1, 4), "offset": 7}
    if suffix == ".npz":
        options["membranes"] = {"out": [1], "if1": [0, 1]}
    simulate(two_layers(), X, **options).trace.save(tmp_path / f"saved{suffix}")
    simulate(two_layers(), X, trace=tmp_path / f"streamed{suffix}", **options)
    files = [tmp_path / f"{name}{suffix}" for name in ("saved", "streamed")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == files


def test_a_file_takes_every_population_unless_told_otherwise(tmp_path: Path) -> None:
    simulate(two_layers(), X, steps=4, trace=str(tmp_path / "a.npz"))
    simulate(two_layers(), X, steps=4, trace=tmp_path / "b.npz", record="spikes")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_what_went_to_a_file_is_not_kept_in_memory(tmp_path: Path) -> None:
    result = simulate(two_layers(), X, steps=4, trace=tmp_path / "t.npz")
    with pytest.raises(SimulationError, match=r"written to '.*t\.npz' and not kept in memory; loa"):
        _ = result.trace
    assert result.recorded == tmp_path / "t.npz"


def test_what_memory_would_not_hold_goes_to_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "available_bytes", lambda: 0)
    with pytest.raises(SimulationError, match=r"or write the spikes to a file .* \(trace=FILE\)"):
        simulate(two_layers(), X, steps=4, record="spikes")
    simulate(two_layers(), X, steps=4, trace=tmp_path / "t.csv")
    assert (tmp_path / "t.csv").exists()


@SUFFIXES
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_run_that_is_broken_off_leaves_the_old_file_and_no_other(
    tmp_path: Path, suffix: str, error: type[BaseException]
) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_text("before")

    def stop(reached: Progress) -> None:
        if reached.done == 3:
            raise error

    with pytest.raises(error):
        simulate(two_layers(), X, steps=4, trace=path, progress=stop)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_beside_the_file_while_the_run_goes_on(tmp_path: Path) -> None:
    seen: list[Path] = []
    path = tmp_path / "t.npz"
    simulate(
        two_layers(), X, steps=4, trace=path, progress=lambda _: seen.extend(tmp_path.iterdir())
    )
    assert seen == []
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(column: Column, rows: np.ndarray) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Column, "append", full)
    with pytest.raises(ThresherError, match=r"cannot write '.*t\.npz': No space left on device"):
        simulate(two_layers(), X, steps=4, trace=tmp_path / "t.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("t.txt", {}, r"trace 't\.txt': unknown format '\.txt'; expected one of \.csv, \.h5"),
        ("t.csv", {"membranes": {"out": [0]}}, "no place for the membranes of 'out'; save it as"),
        ("absent/t.npz", {}, "cannot write '.*': there is no folder '.*absent'"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_run(
    tmp_path: Path, name: str, options: dict, message: str
) -> None:
    told: list[Progress] = []
    with pytest.raises(ThresherError, match=message):
        simulate(two_layers(), X, steps=4, trace=tmp_path / name, progress=told.append, **options)
    assert told == []
