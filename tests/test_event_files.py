"""Event files: what is read of .npy, .npz, .es and .aedat4, and what is refused."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thresher import DataError, MissingExtraError, datasets
from thresher.datasets import recordings
from thresher.ir.events import EVENT

SHAPE = (2, 24, 32)
FIELDS = ("t", "x", "y", "p")


def some(n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(1)
    found = np.zeros(n, EVENT)
    found["t"] = np.sort(rng.integers(0, 10_000, n))
    for name, size in (("x", 32), ("y", 24), ("p", 2)):
        found[name] = rng.integers(0, size, n)
    return found


def with_sample(events: np.ndarray, samples: Any) -> np.ndarray:
    found = np.zeros(len(events), [*EVENT.descr, ("sample", "<i4")])
    for name in FIELDS:
        found[name] = events[name]
    found["sample"] = samples
    return found


def read(path: Path, **options: Any) -> Any:
    return datasets.stream(path, shape=SHAPE, **options)


def assert_events(found: np.ndarray, expected: np.ndarray) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(
    "types",
    [
        EVENT.descr,
        [("x", "<u2"), ("y", "<u2"), ("t", "<u8"), ("p", "?")],
        [("t", ">i8"), ("x", "i8"), ("y", "i8"), ("p", "u1")],
    ],
)
def test_an_npy_array_is_one_sample_whatever_the_order_and_types_of_its_fields(
    tmp_path: Path, types: list[Any]
) -> None:
    stored = np.zeros(200, types)
    for name in FIELDS:
        stored[name] = some()[name]
    np.save(tmp_path / "e.npy", stored)
    found = read(tmp_path / "e.npy")
    assert (len(found), found.y, found.x.shape) == (1, None, (1, *SHAPE))
    assert_events(found.x.events(0), some())


def test_a_polarity_of_minus_1_is_0(tmp_path: Path) -> None:
    stored = some()
    stored["p"] = 2 * stored["p"] - 1
    np.save(tmp_path / "e.npy", stored)
    assert_events(read(tmp_path / "e.npy").x.events(0), some())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_has_samples_with_labels_and_a_selection_of_them(tmp_path: Path, save: Any) -> None:
    parts = [some(20), some(0), some(70)]
    samples = np.repeat([0, 1, 2], [20, 0, 70])
    stored = with_sample(np.concatenate(parts), samples)
    save(tmp_path / "e.npz", events=stored, y=np.array([4, 5, 6, 7]))
    found = read(tmp_path / "e.npz", offset=1, limit=3)
    assert found.y.tolist() == [5, 6, 7]
    for index, part in enumerate([*parts[1:], some(0)]):
        assert_events(found.x.events(index), part)
    counts = np.zeros(SHAPE)
    np.add.at(counts, (parts[2]["p"], parts[2]["y"], parts[2]["x"]), 1)
    np.testing.assert_array_equal(found.x[1:2][0], counts)


def test_blocks_and_samples_may_end_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [some(5), some(0), some(3), some(7)]
    samples = np.repeat([0, 1, 2, 3], [5, 0, 3, 7])
    np.save(tmp_path / "e.npy", with_sample(np.concatenate(parts), samples))
    for block in (1, 3, 5, 100):
        monkeypatch.setattr("thresher.datasets.events.BLOCK", block)
        found = read(tmp_path / "e.npy").x
        for index, part in enumerate(parts):
            assert_events(found.events(index), part)


def test_event_stream_files_are_read_and_their_sensor_compared(tmp_path: Path) -> None:
    event_stream = pytest.importorskip("event_stream", reason="it reads .es")
    stored = np.zeros(200, event_stream.dvs_dtype)
    for name, ours in (("t", "t"), ("x", "x"), ("y", "y"), ("on", "p")):
        stored[name] = some()[ours]
    with event_stream.Encoder(str(tmp_path / "e.es"), "dvs", 32, 24) as encoder:
        encoder.write(stored)
    shifted = some()
    shifted["t"] -= shifted["t"][0]  # time counts from the first event
    assert_events(read(tmp_path / "e.es").x.events(0), shifted)
    with pytest.raises(DataError, match=r"the sensor has 24 x 32 pixels .* input is \[2, 32, 24\]"):
        datasets.stream(tmp_path / "e.es", shape=(2, 32, 24))
    (tmp_path / "e.es").write_bytes((tmp_path / "e.es").read_bytes()[:14])
    with pytest.raises(DataError, match=r"e\.es: damaged, cut off or of another kind"):
        read(tmp_path / "e.es")


def test_an_event_stream_that_ends_within_an_event_is_refused(tmp_path: Path) -> None:
    """Events at 10 and at 300, 290 = 2 * 127 + 36 later, as the format's specification has them."""
    pytest.importorskip("event_stream", reason="it reads .es")
    head = b"Event Stream\x02\x00\x00\x01\x20\x00\x18\x00"
    first, second = b"\x15\x01\x00\x02\x00", b"\xff\xff\x48\x03\x00\x04\x00"
    path = tmp_path / "e.es"
    path.write_bytes(head + first + second + b"\xff\xff")  # silence may follow
    found = read(path).x.events(0)
    assert [found[name].tolist() for name in "txyp"] == [[0, 290], [1, 3], [2, 4], [1, 0]]
    for kept in (3, 4, 5, 6):
        path.write_bytes(head + first + second[:kept])
        with pytest.raises(DataError, match=f"1 events take 25 bytes, and {kept} are left, which"):
            read(path)


def test_of_an_atis_the_changes_are_read(tmp_path: Path) -> None:
    event_stream = pytest.importorskip("event_stream", reason="it reads .es")
    stored = np.zeros(3, event_stream.atis_dtype)
    stored["t"], stored["x"] = [0, 5, 9], [1, 2, 3]
    stored["exposure"], stored["polarity"] = [False, True, False], [True, True, False]
    with event_stream.Encoder(str(tmp_path / "e.es"), "atis", 32, 24) as encoder:
        encoder.write(stored)
    found = read(tmp_path / "e.es").x.events(0)
    assert found.tolist() == [(0, 1, 0, 1), (9, 3, 0, 0)]


def test_aedat4_files_are_read_from_their_first_event_on(tmp_path: Path) -> None:
    pytest.importorskip("aedat", reason="it reads .aedat4")
    dv = pytest.importorskip("dv_processing", reason="it writes .aedat4")
    path = tmp_path / "e.aedat4"
    config = dv.io.MonoCameraWriter.EventOnlyConfig("camera", (32, 24))
    writer = dv.io.MonoCameraWriter(str(path), config)
    store = dv.EventStore()
    for t, x, y, p in some().tolist():
        store.push_back(1_700_000_000_000_000 + t, x, y, bool(p))
    writer.writeEvents(store)
    del writer
    shifted = some()
    shifted["t"] -= shifted["t"][0]
    assert_events(read(path).x.events(0), shifted)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"e\.aedat4: damaged, cut off or of another kind"):
        read(path)


@pytest.mark.parametrize("content", [bytes(50), b"\4\0\0\0" + bytes(50), b"\xff" * 50])
def test_an_aedat4_file_on_which_its_decoder_panics_is_damaged(
    content: bytes, tmp_path: Path
) -> None:
    pytest.importorskip("aedat", reason="it reads .aedat4")
    (tmp_path / "e.aedat4").write_bytes(b"#!AER-DAT4.0\r\n" + content)
    with pytest.raises(DataError, match=r"e\.aedat4: damaged, cut off or of another kind"):
        read(tmp_path / "e.aedat4")


def test_packed_events_that_swell_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "e.npz", events=np.zeros(10**6, some().dtype))
    with pytest.raises(DataError, match=r"'events\.npy' unpacks to 1\d,000,\d+ bytes from"):
        read(tmp_path / "e.npz")


@pytest.mark.parametrize(("suffix", "package"), [(".es", "event_stream"), (".aedat4", "aedat")])
def test_a_library_that_is_absent_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, package: str
) -> None:
    (tmp_path / f"e{suffix}").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}', .* 'thresher\[events\]'"):
        read(tmp_path / f"e{suffix}")


def changed(field: str, index: int, value: int) -> np.ndarray:
    found = some().astype([("t", "<i8"), ("x", "<i4"), ("y", "<i4"), ("p", "<i2")])
    found[field][index] = value
    return found


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (changed("x", 7, 32), r"event 7: its x lies outside .* has 0\.\.31"),
        (changed("x", 7, -1), r"event 7: its x lies outside"),
        (changed("y", 199, 24), r"event 199: its y lies outside .* has 0\.\.23"),
        (changed("p", 3, 2), r"event 3: its p is not 0 or 1"),
        (changed("t", 100, 0), r"event 100: its time goes back; expected ascending"),
        (changed("t", 0, -5), r"event 0: its time is none"),
        (with_sample(some(), [1] * 100 + [0] * 100), r"event 100: its sample goes back"),
        (with_sample(some(), [2**30] * 200), r"sample 1073741824 of 200 events; expected samples"),
        (np.zeros(3, [("t", "f8"), ("x", "i4"), ("y", "i4"), ("p", "i1")]), "'t' is of type float"),
        (
            np.zeros(3, [("t", "i8"), ("x", "i4"), ("y", "i4")]),
            "expected events with the fields t,",
        ),
        (np.zeros((3, 4)), r"an array float64\[3, 4\]; expected events \(n,\)"),
        (np.zeros(3, np.float32), "an array of float32; expected events with the fields t, x, y"),
        (np.array([{}] * 3, object), "stored as pickle and never read"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(
    tmp_path: Path, stored: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "e.npy", stored, allow_pickle=stored.dtype.hasobject)
    with pytest.raises(DataError, match=rf"e\.npy: .*{message}"):
        read(tmp_path / "e.npy")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "e.npy"
    np.save(path, some())
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DataError, match=r"e\.npy: (declares|damaged)"):
        read(path)
    np.savez_compressed(tmp_path / "e.npz", events=with_sample(some(), 0))
    content = (tmp_path / "e.npz").read_bytes()
    (tmp_path / "e.npz").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"e\.npz: damaged"):
        read(tmp_path / "e.npz")


def test_a_huge_declared_shape_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    with (tmp_path / "e.npy").open("wb") as file:
        header = {"descr": EVENT.descr, "fortran_order": False, "shape": (2**50,)}
        np.lib.format.write_array_header_1_0(file, header)
    tracemalloc.start()
    with pytest.raises(DataError, match="declares 1,125,899,906,842,624 events"):
        read(tmp_path / "e.npy")
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_labels_and_samples_must_agree(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", events=with_sample(some(), [0] * 100 + [3] * 100), y=[0, 1, 2])
    with pytest.raises(DataError, match="event 100: its sample is not among the 3"):
        read(tmp_path / "e.npz")


def test_events_need_an_input_with_places(tmp_path: Path) -> None:
    np.save(tmp_path / "e.npy", some())
    with pytest.raises(DataError, match=r"the network's input is \[64\]; expected \(channels,"):
        datasets.stream(tmp_path / "e.npy", shape=(64,))
    with pytest.raises(DataError, match="are placed in a network's input; give its shape"):
        datasets.stream(tmp_path / "e.npy")


def test_recordings_in_memory_are_checked_as_files_are() -> None:
    assert_events(recordings([some(), some(0)], SHAPE).events(0), some())
    assert len(recordings([some(), some(0)], SHAPE)) == 2
    with pytest.raises(DataError, match="event 207: its x lies outside"):
        recordings([some(), changed("x", 7, 40)], SHAPE)
    with pytest.raises(DataError, match="there are no recordings"):
        recordings([], SHAPE)


def test_many_events_are_checked_in_bounded_memory(tmp_path: Path) -> None:
    peaks = []
    for n in (2**19, 2**21):
        stored = np.zeros(n, EVENT)
        stored["t"] = np.arange(n)
        samples = np.arange(n) // 1000
        np.savez_compressed(tmp_path / "e.npz", events=with_sample(stored, samples))
        tracemalloc.start()
        found = read(tmp_path / "e.npz", limit=3)
        assert len(found.x.events(2)) == 1000
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 2**20  # 21 bytes an event would be 33 million more
