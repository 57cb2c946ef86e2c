"""Tests of the data readers: what they give, and what they refuse."""

import gzip
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from thresher import datasets, digits
from thresher.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (7, 3, 4, 5), dtype=np.uint8)
Y = np.arange(7, dtype=np.uint8)
DATA = Path(os.environ.get("THRESHER_DATA", Path(__file__).parents[2] / "shared" / "data"))


def saved(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def idx(array: np.ndarray) -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


def write_mnist(folder: Path, part: str, gz: bool = False, joint: str = "-") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind, array in ((f"images{joint}idx3", X[:, 0]), (f"labels{joint}idx1", Y)):
        path = folder / f"{part}-{kind}-ubyte{'.gz' if gz else ''}"
        path.write_bytes(gzip.compress(idx(array)) if gz else idx(array))


def records(n: int, label_bytes: int, first: int = 0) -> tuple[np.ndarray, np.ndarray, bytes]:
    x = RNG.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8)
    y = np.arange(first, first + n)
    rows = np.zeros((n, label_bytes + 3072), np.uint8)
    rows[:, label_bytes - 1] = y
    rows[:, label_bytes:] = x.reshape(n, -1)
    return x, y, rows.tobytes()


def test_npz_gives_images_and_labels(tmp_path: Path) -> None:
    samples = datasets.load(saved(tmp_path / "d.npz", x=X, y=Y))
    np.testing.assert_array_equal(samples.x, X)
    np.testing.assert_array_equal(samples.y, Y)
    assert samples.y is not None and samples.y.dtype == np.int64


def test_labels_may_be_absent(tmp_path: Path) -> None:
    assert datasets.load(saved(tmp_path / "d.npz", x=X)).y is None


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_offset_and_limit_select_rows(tmp_path: Path, compressed: bool, order: str) -> None:
    path = tmp_path / "d.npz"
    save = np.savez_compressed if compressed else np.savez
    save(path, x=np.asarray(X, order=order), y=Y)  # type: ignore[call-overload]
    samples = datasets.load(path, offset=2, limit=3)
    np.testing.assert_array_equal(samples.x, X[2:5])
    np.testing.assert_array_equal(samples.y, Y[2:5])


def test_limit_beyond_the_end_gives_what_there_is(tmp_path: Path) -> None:
    assert len(datasets.load(saved(tmp_path / "d.npz", x=X), offset=5, limit=100)) == 2


def test_float_values_keep_their_type(tmp_path: Path) -> None:
    x = RNG.normal(size=(4, 6)).astype(">f4")
    samples = datasets.load(saved(tmp_path / "d.npz", x=x))
    np.testing.assert_array_equal(samples.x, x)


def test_digits_have_a_part_to_train_on_and_one_to_test_on() -> None:
    x_train, y_train, x_test, y_test = digits.load()
    train, test = datasets.load("digits", part="train"), datasets.load("digits", limit=9)
    np.testing.assert_array_equal(train.x, x_train)
    np.testing.assert_array_equal(train.y, y_train)
    np.testing.assert_array_equal(test.x, x_test[:9])
    np.testing.assert_array_equal(test.y, y_test[:9])


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("joint", ["-", "."])
def test_mnist_folder_gives_one_channel(tmp_path: Path, gz: bool, joint: str) -> None:
    write_mnist(tmp_path, "t10k", gz, joint)
    samples = datasets.load(tmp_path, offset=1, limit=4)
    np.testing.assert_array_equal(samples.x, X[1:5, :1])
    np.testing.assert_array_equal(samples.y, Y[1:5])


def test_mnist_is_found_where_its_archive_puts_it(tmp_path: Path) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", "train")
    np.testing.assert_array_equal(datasets.load(tmp_path, part="train").x, X[:, :1])


def test_part_that_is_missing_is_replaced_with_a_warning(tmp_path: Path) -> None:
    write_mnist(tmp_path, "train")
    with pytest.warns(UserWarning, match="has no test part; the train part is read"):
        samples = datasets.load(tmp_path)
    np.testing.assert_array_equal(samples.x, X[:, :1])


def test_cifar10_batches_are_read_as_one(tmp_path: Path) -> None:
    x1, y1, first = records(4, 1)
    x2, y2, second = records(5, 1, first=4)
    (tmp_path / "data_batch_1.bin").write_bytes(first)
    (tmp_path / "data_batch_2.bin").write_bytes(second)
    samples = datasets.load(tmp_path, part="train", offset=2, limit=6)
    np.testing.assert_array_equal(samples.x, np.concatenate([x1, x2])[2:8])
    np.testing.assert_array_equal(samples.y, np.concatenate([y1, y2])[2:8])


def test_cifar100_takes_the_fine_label(tmp_path: Path) -> None:
    x, y, content = records(3, 2, first=90)
    (tmp_path / "test.bin").write_bytes(content)
    samples = datasets.load(tmp_path)
    np.testing.assert_array_equal(samples.x, x)
    np.testing.assert_array_equal(samples.y, y)


def test_real_mnist_is_read_in_part() -> None:
    path = DATA / "mnist_test.npz"
    if not path.exists():
        pytest.skip(f"{path} is absent; THRESHER_DATA names the folder")
    with np.load(path) as arrays:
        expected = arrays["x"][100:110], arrays["y"][100:110]
    samples = datasets.load(path, offset=100, limit=10)
    np.testing.assert_array_equal(samples.x, expected[0])
    np.testing.assert_array_equal(samples.y, expected[1])


def with_nan() -> np.ndarray:
    x = X.astype(np.float32)
    x[3, 0, 0, 0] = np.nan
    return x


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": X}, "holds 'images'; expected the images as 'x'"),
        ({"x": X[0, 0, 0]}, r"'x' is \[5\]; expected images"),
        ({"x": X[:0]}, r"'x' is \[0, 3, 4, 5\]"),
        ({"x": X.astype(complex)}, "'x' is of type complex128; expected uint8 or float"),
        ({"x": np.array([[object()]])}, "'x' holds Python objects, .* never read"),
        ({"x": X, "y": np.array([None] * 7)}, "'y' holds Python objects"),
        ({"x": X, "y": Y[:6]}, r"'y' is \[6\], but 'x' holds 7 samples; expected \[7\]"),
        ({"x": X, "y": np.eye(7, dtype=int)}, r"'y' is \[7, 7\]"),
        ({"x": X, "y": Y + 0.5}, "'y' is of type float64; expected whole numbers"),
        ({"x": X, "y": Y.astype(int) - 3}, "sample 0 has label -3; expected a class"),
        ({"x": with_nan()}, "image 3 holds a NaN"),
        ({"x": np.where(np.isnan(with_nan()), np.inf, X)}, "image 3 holds a NaN or an infinite"),
    ],
)
def test_npz_that_is_no_data_set_is_refused(
    tmp_path: Path, arrays: dict[str, object], message: str
) -> None:
    path = saved(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load(path)
    assert str(path) in str(caught.value)


def test_position_of_a_bad_image_counts_from_the_start_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="image 3 "):
        datasets.load(saved(tmp_path / "d.npz", x=with_nan()), offset=2)


@pytest.mark.parametrize("keep", [0, 10, 300, 900])
def test_truncated_npz_is_refused(tmp_path: Path, keep: int) -> None:
    path = saved(tmp_path / "d.npz", x=X, y=Y)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"d.npz: damaged, cut off"):
        datasets.load(path)


def test_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path / "d.npz", x=X)
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="Bad CRC-32"):
        datasets.load(path)


def test_header_that_declares_more_than_there_is_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000, 1000), }"
    header += b" " * (117 - len(header)) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    with pytest.raises(DataError, match=r"'x' declares .* the file is damaged"):
        datasets.load(path)


def test_selection_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.samples, "MAX_BYTES", 200)
    path = saved(tmp_path / "d.npz", x=X)
    with pytest.raises(DataError, match=r"7 samples take .* Select fewer: --limit"):
        datasets.load(path)
    assert len(datasets.load(path, limit=3)) == 3


def test_offset_beyond_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="offset 7 is beyond the end; it holds 7 samples"):
        datasets.load(saved(tmp_path / "d.npz", x=X), offset=7)


@pytest.mark.parametrize(("offset", "limit"), [(-1, None), (0, 0)])
def test_offset_and_limit_must_count(offset: int, limit: int | None) -> None:
    with pytest.raises(DataError, match="expected at least 0 and at least 1"):
        datasets.load("digits", offset=offset, limit=limit)


@pytest.mark.parametrize("name", ["absent.npz", "absent/d.npz", "digit"])
def test_missing_file_is_named_with_what_is_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"{name}: no such file .*expected an .npz file") as caught:
        datasets.load(tmp_path / name)
    assert "'digits'" in str(caught.value)


def test_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_bytes(X.tobytes())
    with pytest.raises(DataError, match=r"of another kind .*expected an .npz file"):
        datasets.load(path)


@pytest.mark.parametrize("name", ["x.pkl", "net.pt"])
def test_pickle_is_never_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="never read"):
        datasets.load(tmp_path / name)


@pytest.mark.parametrize("folder", [".", "cifar-10-batches-py"])
def test_python_version_of_cifar_is_recognised_and_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "data_batch_1").write_bytes(b"\x80\x02}q\x01.")
    with pytest.raises(DataError, match=r"python version, which is pickle.* binary version"):
        datasets.load(tmp_path)


def test_folder_without_a_known_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no data set that is known"):
        datasets.load(tmp_path)


def test_cifar_file_cut_in_half_is_refused(tmp_path: Path) -> None:
    content = records(3, 1)[2]
    (tmp_path / "test_batch.bin").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="expected a multiple of 3073"):
        datasets.load(tmp_path)


@pytest.mark.parametrize("gz", [False, True])
def test_idx_file_cut_in_half_is_refused(tmp_path: Path, gz: bool) -> None:
    write_mnist(tmp_path, "t10k", gz)
    (path,) = tmp_path.glob("*images*")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut off|the file is damaged"):
        datasets.load(tmp_path)


def test_idx_file_of_another_type_is_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, "t10k")
    (path,) = tmp_path.glob("*images*")
    path.write_bytes(b"\x00\x00\x0d\x03" + path.read_bytes()[4:])
    with pytest.raises(DataError, match="begins with 00 00 0d 03; expected an idx file of bytes"):
        datasets.load(tmp_path)


def test_idx_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, "t10k")
    (path,) = tmp_path.glob("*labels*")
    path.write_bytes(idx(Y[:5]))
    with pytest.raises(DataError, match=r"holds 5 labels, but 't10k-images.*' holds 7 images"):
        datasets.load(tmp_path)


def test_label_that_is_no_class_is_named(tmp_path: Path) -> None:
    samples = datasets.load(saved(tmp_path / "d.npz", x=X, y=Y))
    samples.check_labels(7)
    with pytest.raises(DataError, match=r"sample 6 .* has label 6, but the network has 6 classes"):
        samples.check_labels(6)
