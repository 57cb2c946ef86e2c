"""`thresher simulate --data events.npy --encoder events`, and frames for the other commands."""

from pathlib import Path

import numpy as np
import pytest
from tiny_network import Thresher

from thresher import load_trace
from thresher.ir.events import EVENT


@pytest.fixture
def recorded(folder: Path) -> Path:
    """Three samples, in which pixel 0, 1, 2 of the tiny network's four has the most events."""
    rows = [(1000 * t, pixel % 2, pixel // 2, 1) for pixel in range(3) for t in range(3)]
    events = np.zeros(9, [*EVENT.descr, ("sample", "<i4")])
    for name, values in zip(("t", "x", "y", "p"), zip(*rows, strict=True), strict=True):
        events[name] = values
    events["sample"] = np.repeat([0, 1, 2], 3)
    np.save(folder / "events.npy", events)
    np.savez(folder / "events.npz", events=events, y=[0, 1, 2])
    return folder


def test_events_are_simulated_beside_the_ann_on_their_frames(
    recorded: Path, thresher: Thresher
) -> None:
    line = "simulate tiny.snn.yaml --data events.npz --encoder events --steps 4 --trace t.npz"
    found = thresher(line)
    assert (found.status, found.err) == (0, "")
    assert "100.00 %" in found.out
    trace = load_trace(recorded / "t.npz")
    assert trace.spike_train("image", 2, sample=2).tolist() == [1, 2, 3]
    assert trace.provenance["step_ms"] == 1.0


def test_counts_of_events_are_not_taken_for_preprocessed_images(
    recorded: Path, thresher: Thresher
) -> None:
    # fewer than the 16 that the spec divides by, and below 0 where p is 0
    spec = (recorded / "tiny.snn.yaml").read_text()
    (recorded / "tiny.snn.yaml").write_text(
        spec.replace("shape: [1, 2, 2]", "shape: [1, 2, 2], preprocess: {divide: 16}")
    )
    events = np.load(recorded / "events.npy")
    events["p"] = 0
    np.save(recorded / "events.npy", events)
    found = thresher("simulate tiny.snn.yaml --data events.npy --encoder events --steps 4")
    assert (found.status, found.err) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "evaluate tiny.yaml --data events.npz",
        "simulate tiny.snn.yaml --data events.npz --steps 4",
        "convert tiny.yaml --data events.npz --steps 4 -o new.yaml",
        "diagnose tiny.snn.yaml --data events.npz --steps 4",
    ],
)
def test_every_command_takes_frames_of_events(
    recorded: Path, thresher: Thresher, line: str
) -> None:
    found = thresher(line)
    assert found.status == 0, found.err


def test_events_that_come_too_late_are_said_as_a_note(recorded: Path, thresher: Thresher) -> None:
    found = thresher("simulate tiny.snn.yaml --data events.npy --encoder events --steps 2")
    assert found.status == 0
    assert "thresher: note: 3 of 9 events come after the 2 steps of 1 ms" in found.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--data data.npz --encoder events --steps 4", "takes recordings of events"),
        (
            "--data events.npy --step-ms 2 --steps 4",
            "step_ms has no meaning for encoder 'constant'",
        ),
        (
            "--data events.npy --encoder events --step-ms x --steps 4",
            "invalid value for '--step-ms'",
        ),
        ("--data wide.npy --encoder events --steps 4", "event 0: its x lies outside"),
        ("--data pickled.npy --encoder events --steps 4", "stored as pickle and never read"),
        ("--data cut.npy --encoder events --steps 4", "the file is damaged"),
        ("--data empty.es --encoder events --steps 4", "empty.es"),
    ],
)
def test_bad_events_are_refused_in_one_line(
    recorded: Path, thresher: Thresher, line: str, message: str
) -> None:
    np.save(recorded / "wide.npy", np.array([(0, 2, 0, 1)], EVENT))
    np.save(recorded / "pickled.npy", np.array([{}], object), allow_pickle=True)
    (recorded / "cut.npy").write_bytes((recorded / "events.npy").read_bytes()[:-1])
    (recorded / "empty.es").write_bytes(b"")
    found = thresher(f"simulate tiny.snn.yaml {line}")
    assert found.status in (1, 2)
    assert message in found.err
    assert len(found.err.splitlines()) == 1
