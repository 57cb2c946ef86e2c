"""Spec files: what is read, what is written, and that both agree."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from small_spec import SPEC, changed_spec, tensors, write_spec

from thresher.errors import SpecError, ThresherError
from thresher.ir import Graph, Input, Node, Preprocess, Readout, Spiking, Tensor, load, save
from thresher.ir.ops import Add, Conv2d, Flatten, Identity, Linear, Relu

DATA = Path(os.environ.get("THRESHER_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
EXAMPLES = [
    DATA / f"{name}.yaml"
    for name in ("bench_cnn", "bench_cnn.snn", "lenet_mnist", "resnet20_cifar10", "vgg7_cifar10")
]
SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))


def tensor(name: str) -> Tensor:
    return Tensor(name, tensors()[name])


def small() -> Graph:
    """The graph that `small_spec.SPEC` describes."""
    conv = Conv2d(tensor("conv1.weight"), tensor("conv1.bias"), padding=((1, 1), (1, 1)))
    nodes = (
        Node("conv1", conv, ("image",)),
        Node("relu1", Relu(), ("conv1",)),
        Node("flatten", Flatten(), ("relu1",)),
        Node("fc", Linear(tensor("fc.weight")), ("flatten",)),
    )
    return Graph("small", (Input("image", (1, 4, 4)),), nodes, ("fc",))


def relu_graph(**changes: object) -> Graph:
    """The smallest graph: one relu, no tensors."""
    node = Node("relu", Relu(), ("x",))
    graph = Graph("g", (Input("x", (2,)),), (node,), ("relu",))
    return replace(graph, **changes)  # type: ignore[arg-type]


def saved_text(graph: Graph, folder: Path) -> str:
    save(graph, folder / "g.yaml")
    return (folder / "g.yaml").read_text("utf-8")


def test_a_spec_gives_the_graph_that_it_describes(tmp_path: Path) -> None:
    assert load(write_spec(tmp_path)) == small()


def test_a_graph_gives_the_spec_that_describes_it(tmp_path: Path) -> None:
    save(small(), tmp_path / "small.yaml")
    assert (tmp_path / "small.yaml").read_text() == SPEC
    written = load_file(tmp_path / "small.safetensors")
    assert written.keys() == tensors().keys()
    for name, expected in tensors().items():
        np.testing.assert_array_equal(written[name], expected)


def test_tensors_lie_under_the_whole_name_of_the_spec(tmp_path: Path) -> None:
    save(small(), tmp_path / "small.snn.yaml")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["small.snn.safetensors", "small.snn.yaml"]
    assert load(tmp_path / "small.snn.yaml") == small()


def test_a_graph_without_tensors_has_no_tensor_file(tmp_path: Path) -> None:
    text = saved_text(relu_graph(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["g.yaml"]
    assert "tensors" not in text
    assert load(tmp_path / "g.yaml") == relu_graph()


def test_sizes_that_the_weight_tells_may_be_left_out(tmp_path: Path) -> None:
    text = SPEC.replace(", out_channels: 2, kernel: 3", "").replace(", out_features: 3", "")
    assert load(write_spec(tmp_path, text)) == small()


def test_marks_say_where_a_node_stands(tmp_path: Path) -> None:
    path = write_spec(tmp_path)
    graph = load(path)
    assert str(graph["relu1"].mark) == f"{path}:8"
    assert str(graph.inputs[0].mark) == f"{path}:5"


def test_the_name_is_the_files_where_it_is_left_out(tmp_path: Path) -> None:
    assert load(changed_spec(tmp_path, "name: small\n", "")).name == "small"


def test_nodes_may_stand_in_any_order_and_keep_it(tmp_path: Path) -> None:
    lines = SPEC.splitlines(keepends=True)
    nodes = slice(lines.index("nodes:\n") + 1, lines.index("outputs: [fc]\n"))
    lines[nodes] = reversed(lines[nodes])
    graph = load(write_spec(tmp_path, "".join(lines)))
    assert [node.name for node in graph.nodes] == ["fc", "flatten", "relu1", "conv1"]
    assert [node.name for node in graph] == ["conv1", "relu1", "flatten", "fc"]


def test_block_style_is_read_like_flow_style(tmp_path: Path) -> None:
    block = "relu1:\n    op: relu\n    from:\n      - conv1\n"
    assert load(changed_spec(tmp_path, "relu1: {op: relu, from: conv1}\n", block)) == small()


def test_numbers_with_an_exponent_are_numbers(tmp_path: Path) -> None:
    spiking = "op: relu, from: conv1, spiking: {threshold: 1e-5}"
    graph = load(changed_spec(tmp_path, "op: relu, from: conv1", spiking))
    assert graph["relu1"].spiking == Spiking(1e-5)


def test_a_tensor_may_bear_any_name(tmp_path: Path) -> None:
    named = "kernel: 3, padding: 1, weight: w, bias: 'false'"
    text = SPEC.replace("kernel: 3, padding: 1", named)
    path = write_spec(tmp_path, text)
    save_file(
        {"w": tensors()["conv1.weight"], "false": tensors()["conv1.bias"], **tensors()},
        tmp_path / "small.safetensors",
    )
    graph = load(path)
    assert [t.name for t in graph["conv1"].tensors] == ["w", "false"]
    save(graph, path)
    assert path.read_text().splitlines()[6] == (
        "  conv1: {op: conv2d, from: image, out_channels: 2, kernel: 3, padding: 1, weight: w, "
        "bias: 'false'}"
    )
    assert load(path) == graph


def test_spiking_takes_numbers_and_tensors(tmp_path: Path) -> None:
    spiking = Spiking(
        Tensor("relu1.threshold", np.array([0.5, 1.5], np.float32)), v_init=0.25, reset="hard"
    )
    graph = small().replace("relu1", spiking=spiking).replace("fc", delay=3)
    save(graph, tmp_path / "small.yaml")
    lines = (tmp_path / "small.yaml").read_text().splitlines()
    assert lines[7] == (
        "  relu1: {op: relu, from: conv1, spiking: {neuron: if, threshold: relu1.threshold, "
        "v_init: 0.25, reset: hard}}"
    )
    assert lines[9].endswith("out_features: 3, bias: false, delay: 3}")
    assert load(tmp_path / "small.yaml") == graph


def test_ports_keep_their_order_and_may_repeat(tmp_path: Path) -> None:
    nodes = (
        Node("a", Relu(), ("x",)),
        Node("b", Identity(), ("x",)),
        Node("sum", Add(), ("b", "a", "b")),
    )
    graph = relu_graph(nodes=nodes, outputs=("sum",))
    assert "  sum: {op: add, from: [b, a, b]}\n" in saved_text(graph, tmp_path)
    assert load(tmp_path / "g.yaml") == graph


def test_inputs_keep_preprocess_and_threshold(tmp_path: Path) -> None:
    preprocess = Preprocess(255.0, (0.5, 0.25, 0.0), (1.0, 2.0, 3.0))
    item = Input("x", (3, 2, 2), preprocess, threshold=2.5)
    expected = (
        "  x: {shape: [3, 2, 2], preprocess: {divide: 255.0, mean: [0.5, 0.25, 0.0], "
        "std: [1.0, 2.0, 3.0]}, threshold: 2.5}\n"
    )
    graph = relu_graph(inputs=(item,))
    assert expected in saved_text(graph, tmp_path)
    assert load(tmp_path / "g.yaml") == graph


def test_preprocess_of_defaults_is_not_the_same_as_none(tmp_path: Path) -> None:
    graph = relu_graph(inputs=(Input("x", (2,), Preprocess()),))
    assert "preprocess: {}" in saved_text(graph, tmp_path)
    assert load(tmp_path / "g.yaml").inputs[0].preprocess == Preprocess()


def test_one_mean_may_stand_for_all_channels(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    text = saved_text(relu_graph(), tmp_path)
    path.write_text(text.replace("shape: [2]", "shape: [2], preprocess: {mean: 1, std: [2]}"))
    assert load(path).inputs[0].preprocess == Preprocess(mean=(1.0,), std=(2.0,))


def test_readout_labels_and_provenance_are_kept(tmp_path: Path) -> None:
    meta = {
        "recipe": "deng2021",
        "passes": [{"name": "shift", "steps": 32, "nothing": None}, "x"],
        "levels": [1, 2.0, True],
        "empty": {},
    }
    graph = relu_graph(readout=Readout("spikes", 4), labels=("no", ""), meta=meta)
    assert saved_text(graph, tmp_path).split("outputs: [relu]\n")[1] == (
        "labels: ['no', '']\n"
        "readout: {kind: spikes, t_start: 4}\n"
        "conversion:\n"
        "  recipe: deng2021\n"
        "  passes:\n"
        "  - name: shift\n"
        "    steps: 32\n"
        "    nothing: null\n"
        "  - x\n"
        "  levels: [1, 2.0, true]\n"
        "  empty: {}\n"
    )
    assert load(tmp_path / "g.yaml") == graph


NAMES = ["y", "-", "?", "'", '"', "=", "~", "no", "on", "null", "1", "1e5", "0x10", "2001-01-01"]
NAMES += ["a:b", "#a", "*a", "&a", "!a", "%a", "@a", "{a}", "a,b", "<<", "é中😀", "x" * 200]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_round_trips(tmp_path: Path, name: str) -> None:
    node = Node(name, Relu(), ("in",))
    last = Node("last", Add(), (name, name))
    graph = Graph(
        name, (Input("in", (2,)),), (node, last), ("last", name), (name,), meta={name: name}
    )
    save(graph, tmp_path / "g.yaml")
    assert load(tmp_path / "g.yaml") == graph


def test_names_that_yaml_reads_as_something_else_work_unquoted(tmp_path: Path) -> None:
    text = "thresher: 1\ninputs: {on: {shape: [2]}}\nnodes:\n  no: {op: relu, from: on}\n"
    path = tmp_path / "g.yaml"
    path.write_text(text + "outputs: [no]\nlabels: [yes, 1.50]\n")
    graph = load(path)
    assert (graph.outputs, graph["no"].inputs, graph.labels) == (("no",), ("on",), ("yes", "1.50"))


def test_names_that_yaml_reads_as_something_else_are_quoted(tmp_path: Path) -> None:
    labels = ("no", "y", "1e-5", "1:30", "name")
    graph = relu_graph(inputs=(Input("x", (5,)),), labels=labels)
    assert "labels: ['no', 'y', '1e-5', '1:30', name]\n" in saved_text(graph, tmp_path)


def test_tensors_may_lie_in_several_files(tmp_path: Path) -> None:
    path = write_spec(tmp_path, SPEC.replace("small.safetensors", "[a.safetensors, b.npz]"))
    values = tensors()
    np.savez(tmp_path / "b.npz", **{"fc.weight": values.pop("fc.weight")})
    save_file(values, tmp_path / "a.safetensors")
    assert load(path) == small()


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_saved_tensors_keep_their_type(tmp_path: Path, dtype: type) -> None:
    weight = Tensor("fc.weight", tensors()["fc.weight"].astype(dtype))
    graph = small().replace("fc", op=Linear(weight))
    save(graph, tmp_path / "small.yaml")
    assert load(tmp_path / "small.yaml").tensors["fc.weight"].dtype == dtype
    assert load(tmp_path / "small.yaml") == graph


def test_what_cannot_be_written_leaves_both_files_as_they_were(tmp_path: Path) -> None:
    path = write_spec(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    bad = Tensor("fc.weight", np.full((3, 32), np.nan, np.float32))
    with pytest.raises(SpecError, match=r"tensor 'fc\.weight' holds nan at \[0, 0\]"):
        save(small().replace("fc", op=Linear(bad)), path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_an_interrupt_leaves_both_files_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_spec(tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def interrupted(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("thresher.ir.spec.write_tensors", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(small(), path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_spec_is_saved_as_yaml_only(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"expected a name that ends in \.yaml"):
        save(small(), tmp_path / "small.safetensors")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ThresherError, match=r"there is no folder '.*absent'"):
        save(small(), tmp_path / "absent" / "small.yaml")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"a": (1, 2)}, r"meta\.a is of type tuple; expected text, numbers"),
        ({"a": [np.float32(1)]}, r"meta\.a\[0\] is of type float32"),
        ({"a": {1: 2}}, r"meta\.a has the key 1; expected text as keys"),
        ({"a": 10**100}, r"meta\.a has more than 100 digits"),
    ],
)
def test_provenance_that_yaml_cannot_give_back_is_refused(
    tmp_path: Path, meta: dict[str, object], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        save(relu_graph(meta=meta), tmp_path / "g.yaml")


@pytest.mark.parametrize("path", [*EXAMPLES, *SPECS], ids=lambda path: path.name)
def test_a_real_spec_round_trips_byte_by_byte(tmp_path: Path, path: Path) -> None:
    if not path.exists():
        pytest.skip(f"there is no {path}; THRESHER_DATA names the folder")
    graph = load(path)
    once, twice = tmp_path / "1", tmp_path / "2"
    for folder in (once, twice):
        folder.mkdir()
    save(graph, once / "g.yaml")
    again = load(once / "g.yaml")
    assert again == graph
    save(again, twice / "g.yaml")
    for name in ("g.yaml", "g.safetensors"):
        assert (once / name).read_bytes() == (twice / name).read_bytes()
