"""Tensor files: formats, types, containment, sizes, damage."""

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import thresher.ir.npz as npz
import thresher.ir.tensors as tensor_files
from thresher.errors import SpecError
from thresher.ir.tensors import open_tensors, write_tensors

A = np.arange(6, dtype=np.float32).reshape(2, 3) / 8


def write_raw(path: Path, header: dict[str, object], content: bytes) -> None:
    """Write a safetensors file with any header."""
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)


def entry(dtype: str, shape: list[int], n_bytes: int) -> dict[str, object]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, n_bytes]}}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_floats_keep_type_and_shape(tmp_path: Path, dtype: type, suffix: str) -> None:
    values = {"a.b": A.astype(dtype), "scalar": np.array(0.5, dtype)}
    path = tmp_path / f"t{suffix}"
    np.savez_compressed(path, **values) if suffix == ".npz" else save_file(values, path)
    found = {name: item.read() for name, item in open_tensors(tmp_path, path.name).items()}
    assert found.keys() == values.keys()
    for name, expected in values.items():
        assert (found[name].dtype, found[name].shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(found[name], expected)


def test_a_saved_file_may_be_read_by_whom_any_new_file_may(tmp_path: Path) -> None:
    write_tensors({"w": np.zeros(3, np.float32)}, tmp_path / "w.safetensors")
    (tmp_path / "other").touch()
    modes = [(tmp_path / name).stat().st_mode for name in ("w.safetensors", "other")]
    assert modes[0] == modes[1]


def test_bfloat16_becomes_the_same_float32(tmp_path: Path) -> None:
    write_raw(tmp_path / "t.safetensors", entry("BF16", [2], 4), b"\x80\x3f\x20\xc0")
    values = open_tensors(tmp_path, "t.safetensors")["a"].read()
    assert values.dtype == np.float32
    assert values.tolist() == [1.0, -2.5]


def test_big_endian_arrays_are_read_in_the_machines_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", a=A.astype(">f4"))
    values = open_tensors(tmp_path, "t.npz")["a"].read()
    assert values.dtype == np.dtype("float32")
    np.testing.assert_array_equal(values, A)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_tensor_of_another_type_is_refused_when_used(
    tmp_path: Path, dtype: type, suffix: str
) -> None:
    values = {"a": np.ones(2, dtype), "b": A}
    path = tmp_path / f"t{suffix}"
    np.savez(path, **values) if suffix == ".npz" else save_file(values, path)
    stored = open_tensors(tmp_path, path.name)
    np.testing.assert_array_equal(stored["b"].read(), A)
    with pytest.raises(SpecError, match=r"tensor 'a' of 't\..*' is of type .*; expected float16"):
        stored["a"].read()


def test_a_pickled_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", a=np.array([{"x": 1}], object))
    stored = open_tensors(tmp_path, "t.npz")
    with pytest.raises(SpecError, match=r"tensor 'a' .* object \(pickled, which is never read\)"):
        stored["a"].read()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named_with_its_index(tmp_path: Path, bad: float) -> None:
    values = A.copy()
    values[1, 1:] = bad
    save_file({"a": values}, tmp_path / "t.safetensors")
    with pytest.raises(SpecError, match=rf"tensor 'a' holds {bad} at \[1, 1\]; expected finite"):
        open_tensors(tmp_path, "t.safetensors")["a"].read()


@pytest.mark.parametrize(
    "name", ["../t.safetensors", "sub/../../t.safetensors", "link.safetensors"]
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "specs"
    (folder / "sub").mkdir(parents=True)
    save_file({"a": A}, tmp_path / "t.safetensors")
    (folder / "link.safetensors").symlink_to(tmp_path / "t.safetensors")
    with pytest.raises(SpecError, match=f"'{name}' lies outside the spec's folder"):
        open_tensors(folder, name)


def test_an_absolute_path_is_refused_even_inside_the_folder(tmp_path: Path) -> None:
    save_file({"a": A}, tmp_path / "t.safetensors")
    with pytest.raises(SpecError, match="lies outside the spec's folder"):
        open_tensors(tmp_path, str(tmp_path / "t.safetensors"))


def test_a_file_in_a_folder_below_is_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    save_file({"a": A}, tmp_path / "sub" / "t.safetensors")
    assert list(open_tensors(tmp_path, "sub/t.safetensors")) == ["a"]


def test_a_name_that_no_file_can_bear_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"'a\\x00b' cannot be a file's name"):
        open_tensors(tmp_path, "a\0b")


def test_a_missing_file_is_answered_with_those_beside_it(tmp_path: Path) -> None:
    save_file({"a": A}, tmp_path / "other.safetensors")
    with pytest.raises(SpecError, match=r"no tensor file '.*t\.npz'; .* are other\.safetensors"):
        open_tensors(tmp_path, "t.npz")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.pt").write_bytes(b"x")
    with pytest.raises(SpecError, match=r"'t\.pt' ends in '\.pt'; expected \.safetensors or \.npz"):
        open_tensors(tmp_path, "t.pt")


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def cut_a_little(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def fill(path: Path) -> None:
    path.write_bytes(b"hello, world" * 10)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut, cut_a_little, fill, empty])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_a_damaged_file_is_said_to_be_damaged(
    tmp_path: Path, damage: Callable[[Path], None], suffix: str
) -> None:
    path = tmp_path / f"t{suffix}"
    np.savez(path, a=A) if suffix == ".npz" else save_file({"a": A}, path)
    damage(path)
    with pytest.raises(SpecError, match=rf"t\{suffix}' is not an? .* cut off or damaged"):
        open_tensors(tmp_path, path.name)


def test_flipped_bytes_in_an_npz_are_found(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(path, a=A)
    content = bytearray(path.read_bytes())
    content[content.index(A.tobytes()) + 5] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(SpecError, match=r"t\.npz' is not an npz file .* damaged: Bad CRC"):
        open_tensors(tmp_path, "t.npz")["a"].read()


def test_a_safetensors_header_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    write_raw(tmp_path / "t.safetensors", entry("F32", [100_000] * 3, 4), b"\0" * 4)
    with pytest.raises(SpecError, match=r"damaged: .*invalid shape"):
        open_tensors(tmp_path, "t.safetensors")


def test_an_npy_header_larger_than_its_member_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1, 3), np.float32))
    content = (tmp_path / "a.npy").read_bytes().replace(b"(1, 3)", b"(999,)")
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("a.npy", content)
    with pytest.raises(SpecError, match=r"'a\.npy' says that it is \[999\], but has 140 bytes"):
        open_tensors(tmp_path, "t.npz")


def test_an_npz_that_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "t.npz", a=np.zeros(100_000, np.float32))
    monkeypatch.setattr(npz, "LARGEST_UNPACKED", 100_000)
    with pytest.raises(SpecError, match=r"unpacks to 400,128 bytes; expected at most 100,000"):
        open_tensors(tmp_path, "t.npz")


def test_an_archive_of_other_things_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(SpecError, match=r"'a\.txt' is no array"):
        open_tensors(tmp_path, "t.npz")


def test_a_tensor_of_too_many_values_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file({"a": A}, tmp_path / "t.safetensors")
    monkeypatch.setattr(tensor_files, "LARGEST_TENSOR", 5)
    with pytest.raises(SpecError, match=r"'a' is \[2, 3\], 6 values; expected at most 5"):
        open_tensors(tmp_path, "t.safetensors")["a"].read()


def test_the_same_tensors_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    write_tensors({"a": A, "b": A[0]}, tmp_path / "1.safetensors")
    write_tensors({"b": A[0], "a": A}, tmp_path / "2.safetensors")
    first, second = (tmp_path / f"{i}.safetensors" for i in (1, 2))
    assert first.read_bytes() == second.read_bytes()


def test_a_transposed_view_is_written_as_it_looks(tmp_path: Path) -> None:
    write_tensors({"a": A.T, "scalar": np.array(2.0)}, tmp_path / "t.safetensors")
    stored = open_tensors(tmp_path, "t.safetensors")
    np.testing.assert_array_equal(stored["a"].read(), A.T)
    assert stored["scalar"].read().shape == ()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("a", np.ones(2, np.int64), "tensor 'a' is of type int64; expected float16"),
        ("a", np.array([1, np.nan]), r"tensor 'a' holds nan at \[1\]"),
        ("__metadata__", A, "'__metadata__' cannot be a tensor's name"),
        ("", A, "'' cannot be a tensor's name"),
        ("a\ud800", A, "cannot be a tensor's name"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(
    tmp_path: Path, name: str, values: np.ndarray, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        write_tensors({name: values}, tmp_path / "t.safetensors")
    assert list(tmp_path.iterdir()) == []
