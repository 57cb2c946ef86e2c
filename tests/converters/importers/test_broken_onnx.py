"""Broken and hostile ONNX files: refused quickly, in bounded memory, with what is wrong."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import thresher
from thresher.cli import main
from thresher.errors import SpecError, ThresherError, UnsupportedError

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from onnx_models import imported, model, node  # noqa: E402

WEIGHT = {"w": np.ones((4, 3), np.float32)}


def proto() -> "onnx.ModelProto":
    return model([node("Gemm", "x", "w", transB=1)], [3], WEIGHT)


def external(location: str, **told: int) -> "onnx.ModelProto":
    """Return a model whose weight lies in another file."""
    broken = proto()
    weight = broken.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **told}.items():
        weight.external_data.add(key=key, value=str(value))
    return broken


def test_every_cut_of_a_file_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    content = proto().SerializeToString()
    path = tmp_path / "net.onnx"
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(ThresherError):
            thresher.import_onnx(path)


def test_flipped_bytes_give_a_graph_or_an_error(tmp_path: Path) -> None:
    content, path = proto().SerializeToString(), tmp_path / "net.onnx"
    rng = np.random.default_rng(0)
    for _ in range(300):
        flipped = bytearray(content)
        for place in rng.integers(0, len(content), 3):
            flipped[place] = rng.integers(256)
        path.write_bytes(bytes(flipped))
        try:
            thresher.import_onnx(path)
        except ThresherError:
            continue


def test_the_list_of_what_is_refused_ends(tmp_path: Path) -> None:
    nodes = [node("Sin", "x", output=f"y{i}") for i in range(3000)]
    with pytest.raises(UnsupportedError) as caught:
        imported(model(nodes, [2], outputs=["y0"]), tmp_path)
    assert len(caught.value.refusals) == 1000


def test_text_and_other_protobufs_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    for content in (b"", b"thresher: 1", proto().graph.SerializeToString()):
        path.write_bytes(content)
        with pytest.raises(SpecError, match=r"net.onnx.*is no ONNX model"):
            thresher.import_onnx(path)


def test_a_cycle_is_refused(tmp_path: Path) -> None:
    nodes = [node("Add", "x", "b", output="a"), node("Relu", "a", output="b"), node("Relu", "b")]
    with pytest.raises(
        SpecError, match=r"'Add_a'.*reads 'b', which no node before it gives.*cycle"
    ):
        imported(model(nodes, [3]), tmp_path)


def test_a_declared_size_must_be_borne_out(tmp_path: Path) -> None:
    broken = proto()
    broken.graph.initializer[0].dims[:] = [2**20, 2**10]
    with pytest.raises(SpecError, match=r"'w' is .1048576, 1024., but 12 numbers are stored"):
        imported(broken, tmp_path)
    broken.graph.initializer[0].dims[:] = [2**62, 2**62]
    with pytest.raises(SpecError, match="expected at most"):
        imported(broken, tmp_path)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Relu", "x", output="a"), node("Pad", "a", "pads")],
        [node("ConstantOfShape", "huge", output="c"), node("Add", "x", "c")],
        [node("Expand", "one", "huge", output="c"), node("Add", "x", "c")],
        [node("MaxPool", "x", kernel_shape=[2**40, 1], pads=[2**40, 0, 2**40, 0])],
        [node("MaxPool", "x", kernel_shape=[9, 1], pads=[2**20, 0, 2**20, 0])],
        [node("Resize", "x", "", "scales")],
        [node("Range", "zero", "many", "step", output="c"), node("Add", "x", "c")],
    ],
)
def test_huge_sizes_are_refused_in_little_memory(
    tmp_path: Path, nodes: list["onnx.NodeProto"]
) -> None:
    constants = {
        "pads": np.array([0, 0, 2**60, 0, 0, 0, 2**60, 0]),
        "huge": np.array([2**31, 2**31]),
        "one": np.ones((1, 1), np.float32),
        "scales": np.array([1, 1, 2**30, 2**30], np.float32),
        "zero": np.float32(0),
        "many": np.float32(1e18),
        "step": np.float32(1),
    }
    broken = model(nodes, [3, 4, 4], constants)
    tracemalloc.start()
    try:
        with pytest.raises(UnsupportedError):
            imported(broken, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_a_huge_pool_takes_memory_for_its_windows_alone(tmp_path: Path) -> None:
    pool = node("MaxPool", "x", kernel_shape=[2**19, 1], pads=[2**18, 0, 0, 0])
    tracemalloc.start()
    try:
        graph = imported(model([pool], [1, 2**20, 1]), tmp_path)
        assert graph.shapes["MaxPool_y"] == (1, 2**20 - 2**18 + 1, 1)
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()


def test_a_huge_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"'x' would be .*at most"):
        imported(model([node("Relu", "x")], [2**40, 2**40]), tmp_path)


def test_external_data_are_read_from_the_folder_alone(tmp_path: Path) -> None:
    inside = tmp_path / "model"
    inside.mkdir()
    for place in (inside, tmp_path):
        (place / "w.bin").write_bytes(bytes(8) + WEIGHT["w"].tobytes())
    graph = imported(external("w.bin", offset=8, length=48), inside)
    np.testing.assert_array_equal(graph.tensors["w"], WEIGHT["w"])
    (inside / "link.bin").symlink_to(tmp_path / "w.bin")
    for location in ("../w.bin", str(tmp_path / "w.bin"), "link.bin", "sub/../../w.bin"):
        with pytest.raises(SpecError, match="lies outside the model's folder"):
            imported(external(location, offset=8), inside)
    for told in ({"offset": 9}, {"offset": -1}, {"length": 47}, {"offset": 2**62}):
        with pytest.raises(SpecError, match=r"'w' is .4, 3., 48 bytes"):
            imported(external("w.bin", **told), inside)
    with pytest.raises(SpecError, match="which is not there"):
        imported(external("absent.bin"), inside)


def test_the_command_names_the_file_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.onnx").write_bytes(proto().SerializeToString()[:-40])
    assert main(["import", str(tmp_path / "net.onnx"), "-o", str(tmp_path / "net.yaml")]) == 2
    assert "net.onnx" in capsys.readouterr().err
    assert [item.name for item in tmp_path.iterdir()] == ["net.onnx"]
