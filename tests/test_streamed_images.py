"""Images that are read from a file block by block: the same as an array, whatever the blocks."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thresher import datasets
from thresher.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (11, 3, 32, 32), dtype=np.uint8)
Y = np.arange(11, dtype=np.uint8)


def stored_npz(folder: Path) -> Path:
    np.savez(folder / "d.npz", x=X, y=Y)
    return folder / "d.npz"


def deflated_npz(folder: Path) -> Path:
    np.savez_compressed(folder / "d.npz", x=X, y=Y)
    return folder / "d.npz"


def columns_npz(folder: Path) -> Path:
    np.savez(folder / "d.npz", x=np.asfortranarray(X), y=Y)
    return folder / "d.npz"


def cifar(folder: Path) -> Path:
    records = np.concatenate([Y[:, None], X.reshape(11, -1)], axis=1)
    (folder / "data_batch_1.bin").write_bytes(records[:4].tobytes())
    (folder / "data_batch_2.bin").write_bytes(records[4:].tobytes())
    return folder


def idx(array: np.ndarray) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def mnist(folder: Path) -> Path:
    (folder / "train-images-idx3-ubyte").write_bytes(idx(X[:, 0]))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(Y))
    return folder


def zipped_mnist(folder: Path) -> Path:
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(X[:, 0])))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(Y)))
    return folder


Write = Callable[[Path], Path]
every_format = pytest.mark.parametrize(
    ("write", "x"),
    [
        (stored_npz, X),
        (deflated_npz, X),
        (columns_npz, X),
        (cifar, X),
        (mnist, X[:, :1]),
        (zipped_mnist, X[:, :1]),
    ],
)


@every_format
@pytest.mark.parametrize("block", [1, 3, 100])
def test_blocks_are_the_slices_of_the_selection(
    tmp_path: Path, write: Write, x: np.ndarray, block: int
) -> None:
    samples = datasets.stream(write(tmp_path), part="train", offset=2, limit=8)
    found = [samples.x[start : start + block] for start in range(0, 8, block)]
    np.testing.assert_array_equal(np.concatenate(found), x[2:10])
    np.testing.assert_array_equal(samples.y, Y[2:10])
    assert (samples.x.shape, samples.x.dtype) == ((8, *x.shape[1:]), np.uint8)


@every_format
def test_images_are_read_again_from_wherever_is_asked(
    tmp_path: Path, write: Write, x: np.ndarray
) -> None:
    images = datasets.stream(write(tmp_path), part="train").x
    for part in (slice(6, 9), slice(1, 3), slice(5, 6), slice(None), slice(3, 3), slice(-2, 99)):
        np.testing.assert_array_equal(images[part], x[part])


def test_only_slices_without_a_step_are_read(tmp_path: Path) -> None:
    images = datasets.stream(stored_npz(tmp_path)).x
    with pytest.raises(DataError, match=r"expected \[A:B\], got a step of 2"):
        images[::2]


def test_a_bad_image_is_named_when_its_block_is_read(tmp_path: Path) -> None:
    x = X.astype(np.float32)
    x[7, 0, 0, 0] = np.nan
    np.savez(tmp_path / "d.npz", x=x)
    images = datasets.stream(tmp_path / "d.npz", offset=2).x
    np.testing.assert_array_equal(images[:5], x[2:7])
    with pytest.raises(DataError, match=r"d\.npz: image 7 holds a NaN or an infinite value"):
        images[5:]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damage_is_noticed_at_the_end_of_a_file_read_in_blocks(
    tmp_path: Path, save: Callable[..., None]
) -> None:
    path = tmp_path / "d.npz"
    save(path, x=np.repeat(X, 4, axis=0))
    content = bytearray(path.read_bytes())
    content[-30_000] ^= 1
    path.write_bytes(content)
    images = datasets.stream(path).x
    with pytest.raises(DataError, match=r"d\.npz: damaged"):
        for start in range(44):
            images[start : start + 1]


def test_a_gzip_file_that_ends_early_says_how_far_it_went(tmp_path: Path) -> None:
    path = zipped_mnist(tmp_path) / "train-images-idx3-ubyte.gz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    images = datasets.stream(tmp_path, part="train").x
    np.testing.assert_array_equal(images[:2], X[:2, :1])
    with pytest.raises(DataError, match=r"ubyte\.gz: damaged, cut off"):
        images[2:]


def test_after_a_failed_read_the_next_one_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = datasets.stream(deflated_npz(tmp_path)).x
    images[:2]
    with monkeypatch.context() as patched:
        patched.setattr("zipfile.ZipExtFile.read", lambda *_: b"")
        with pytest.raises(DataError, match="it ends after 0 of"):
            images[2:4]
    np.testing.assert_array_equal(images[2:4], X[2:4])


def test_a_selection_that_memory_would_not_hold_is_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.samples, "MAX_BYTES", 4000)
    images = datasets.stream(stored_npz(tmp_path)).x
    np.testing.assert_array_equal(images[9:10], X[9:10])
