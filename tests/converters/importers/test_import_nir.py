"""NIR in: versions and resets told apart; what is ambiguous or hostile is refused."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thresher import import_model, import_nir, simulate
from thresher.errors import SpecError, UnsupportedError
from thresher.ir import Graph

h5py = pytest.importorskip("h5py", reason="needs the package h5py (extra 'nir')")

TWO = np.ones(2, np.float32)
IF = {"type": "IF", "r": TWO, "v_threshold": TWO, "v_reset": 0 * TWO}
AFFINE = {"type": "Affine", "weight": np.eye(2, dtype=np.float32), "bias": 0 * TWO}
INPUT = {"type": "Input", "shape": np.array([2])}
OUTPUT = {"type": "Output", "shape": np.array([2])}


def write(path: Path, nodes: dict[str, Any], version: str = "1.0.8", edges: Any = None) -> Path:
    """Write nodes as the package `nir` lays them out; by default one follows the other."""
    names = list(nodes)
    pairs = list(pairwise(names)) if edges is None else edges
    with h5py.File(path, "w") as file:
        file["version"] = version
        root = file.create_group("node")
        root["type"] = "NIRGraph"
        root.create_dataset("edges", data=[list(pair) for pair in pairs], dtype=h5py.string_dtype())
        group = root.create_group("nodes")
        for name, fields in nodes.items():
            _fill(group.create_group(name), fields)
    return path


def _fill(group: Any, fields: dict[str, Any]) -> None:
    for key, value in fields.items():
        if isinstance(value, dict):
            _fill(group.create_group(key), value)
        else:
            group[key] = value


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in names}


def net(**changes: Any) -> dict[str, Any]:
    """Input, IF, Affine, Output; `changes` go into the IF."""
    return {"input": INPUT, "if": {**IF, **changes}, "fc": AFFINE, "output": OUTPUT}


def spiking(graph: Graph) -> Any:
    return graph["if"].spiking


def test_v_reset_is_where_an_if_resets_to(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", net(v_reset=0.25 * TWO))
    found = spiking(import_nir(path))
    assert (found.reset, found.v_reset) == ("hard", 0.25)


@pytest.mark.parametrize("version", ["1.0.4", "1.0.5", "0.2.1"])
def test_before_version_1_0_6_an_if_resets_by_subtraction(version: str, tmp_path: Path) -> None:
    nodes = net()
    nodes["if"] = without(nodes["if"], "v_reset")
    found = spiking(import_nir(write(tmp_path / "a.nir", nodes, version)))
    assert found.reset == "soft"


@pytest.mark.parametrize("version", ["1.0.6", "1.0.8", "", "unknown"])
def test_no_v_reset_in_a_version_that_has_one_is_ambiguous(version: str, tmp_path: Path) -> None:
    nodes = net()
    nodes["if"] = without(nodes["if"], "v_reset")
    with pytest.raises(UnsupportedError, match=r"if .*whether it resets by subtraction or to 0"):
        import_nir(write(tmp_path / "a.nir", nodes, version))


def test_metadata_say_soft_reset_and_where_potentials_start(tmp_path: Path) -> None:
    metadata = {"reset": "soft", "v_init": np.array([0.5, 0.25], np.float32)}
    path = write(tmp_path / "a.nir", net(metadata=metadata))
    found = spiking(import_nir(path))
    assert found.reset == "soft"
    np.testing.assert_array_equal(found.v_init.values, [0.5, 0.25])


@pytest.mark.parametrize("version", ["1.0.4", "1.0.8"])
def test_files_that_the_package_wrote_are_read(version: str, tmp_path: Path) -> None:
    # constant input 0.3 and 0.8, threshold 1, hard reset to 0: spikes every 4 and every 2 steps
    path = write(tmp_path / "a.nir", net(), version)
    image = np.array([[0.3, 0.8]], np.float32)
    result = simulate(import_model(path), image, steps=8, precision="float64")
    assert result.spike_counts["if"].tolist() == [2 + 4]


def test_spikes_of_any_threshold_are_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", net(v_threshold=np.array([0.5, 2.0], np.float32)))
    result = simulate(
        import_nir(path), np.array([[0.5, 0.5]], np.float32), steps=4, membranes={"fc": [0, 1]}
    )
    # the first neuron fires in each of 4 steps, the second in the fourth; a spike brings 1
    np.testing.assert_array_equal(result.trace.membranes["fc"][0, -1], [4, 1])


def test_neurons_may_reset_to_several_values(tmp_path: Path) -> None:
    nodes = net(v_reset=np.float32([-0.5, 0.25]), metadata={"v_init": np.float32([0, 0.5])})
    image = np.array([[0.25, 0.25]], np.float32)
    result = simulate(
        import_nir(write(tmp_path / "a.nir", nodes)), image, steps=10, membranes={"fc": [0, 1]}
    )
    # 0 to 1 takes 4 steps and -0.5 to 1 takes 6; 0.5 to 1 takes 2 and 0.25 to 1 takes 3
    np.testing.assert_array_equal(result.trace.membranes["fc"][0, -1], [2, 3])


def test_a_resistance_needs_the_length_of_a_step(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", net(r=1e4 * TWO))
    with pytest.raises(UnsupportedError, match=r"resistance r of 10000: .* give dt to import_nir"):
        import_nir(path)
    assert spiking(import_nir(path, dt=1e-4)).threshold == 1.0
    assert spiking(import_nir(path, dt=2e-4)).threshold == 0.5


def flattened(start: int, features: int) -> dict[str, Any]:
    shape = np.array([2, 2, 2])
    ones = np.ones((2, 2, 2), np.float32)
    flat = {"type": "Flatten", "start_dim": start, "end_dim": -1, "input_type": shape}
    affine = {"type": "Linear", "weight": np.ones((3, features), np.float32)}
    neuron = {"type": "IF", "r": ones, "v_threshold": ones, "v_reset": 0 * ones}
    return {
        "input": {"type": "Input", "shape": shape},
        "if": neuron,
        "flat": flat,
        "fc": affine,
        "output": {"type": "Output", "shape": np.array([3])},
    }


@pytest.mark.parametrize("start", [0, 1])
def test_a_flatten_with_a_batch_axis_is_told_by_the_layer_after_it(
    start: int, tmp_path: Path
) -> None:
    graph = import_nir(write(tmp_path / "a.nir", flattened(start, 8)))
    assert graph.shapes["flat"] == (8,)


def test_a_flatten_that_nothing_tells_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", flattened(1, 4))
    with pytest.raises(UnsupportedError, match="flattens axes 1 to -1, and whether a batch axis"):
        import_nir(path)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (net(v_threshold=-TWO), "if .*has a threshold of -1; expected numbers above v_reset"),
        (net(v_threshold=np.float32([1, np.nan])), "if .*expected"),
        (net(metadata={"reset": "gentle"}), "has reset 'gentle' in its metadata"),
        (net(v_threshold=np.ones(3, np.float32)), r"has parameters of \[3\] for neurons of \[2\]"),
        ({**net(), "if": without(IF, "r")}, "if .*has no 'r', which a IF of NIR needs"),
        ({**net(), "fc": {"type": "CubaLIF"}}, "fc .*CubaLIF.* is none of the nodes that are read"),
        ({**net(), "fc": {**AFFINE, "weight": np.ones((2, 3), np.float32)}}, "fc .*input has 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_node(
    nodes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        import_nir(write(tmp_path / "a.nir", nodes))


def test_all_that_is_refused_is_listed_at_once(tmp_path: Path) -> None:
    nodes = {"input": INPUT, "a": {"type": "LI"}, "b": {"type": "Delay"}, "output": OUTPUT}
    edges = [("input", "a"), ("input", "b"), ("a", "output"), ("b", "output")]
    with pytest.raises(UnsupportedError) as caught:
        import_nir(write(tmp_path / "a.nir", nodes, edges=edges))
    assert [refusal.place for refusal in caught.value.refusals] == ["a", "b"]


def test_what_is_behind_a_refused_node_is_looked_at(tmp_path: Path) -> None:
    wide = {**AFFINE, "weight": np.ones((2, 3), np.float32)}
    nodes = {
        **{"input": INPUT, "lif": {"type": "LIF"}, "fc": AFFINE, "if": {**IF, "r": 2 * TWO}},
        **{"wide": wide, "odd": {"type": "CubaLIF"}, "output": OUTPUT},
    }
    with pytest.raises(UnsupportedError) as caught:
        import_nir(write(tmp_path / "a.nir", nodes))
    assert [refusal.place for refusal in caught.value.refusals] == ["lif", "if", "wide", "odd"]


@pytest.mark.parametrize("end", [0.0, 0.3, 0.9])
def test_a_file_that_is_cut_off_is_refused(end: float, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", net())
    content = path.read_bytes()
    path.write_bytes(content[: int(end * len(content))])
    with pytest.raises(SpecError, match="is no NIR file, or is cut off or damaged"):
        import_nir(path)


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"none\.nir' does not exist"):
        import_nir(tmp_path / "none.nir")


def test_a_recurrent_graph_names_its_cycle(tmp_path: Path) -> None:
    edges = [("input", "if"), ("if", "fc"), ("fc", "if"), ("fc", "output")]
    with pytest.raises(SpecError, match=r"is recurrent: (if -> fc -> if|fc -> if -> fc)"):
        import_nir(write(tmp_path / "a.nir", net(), edges=edges))


def test_an_edge_of_no_node_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="an edge of 'ghost', which is no node"):
        import_nir(write(tmp_path / "a.nir", net(), edges=[("input", "ghost")]))


def test_a_huge_declared_array_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", {**net(), "fc": without(AFFINE, "weight")})
    with h5py.File(path, "r+") as file:
        file["node/nodes/fc"].create_dataset("weight", (2**20, 2**20), "f4", chunks=(1024, 1024))
    with pytest.raises(SpecError, match=r"declares 1,099,511,[\d,]+ numbers up to .*weight"):
        import_nir(path)


def test_links_to_other_files_are_refused(tmp_path: Path) -> None:
    other = write(tmp_path / "other.nir", net())
    path = write(tmp_path / "a.nir", {**net(), "fc": without(AFFINE, "weight")})
    with h5py.File(path, "r+") as file:
        link = h5py.ExternalLink(str(other), "/node/nodes/fc/weight")
        file["node/nodes/fc"]["weight"] = link
    with pytest.raises(SpecError, match="has a link to another place or file at 'weight'"):
        import_nir(path)


def test_arrays_kept_in_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(16))
    path = write(tmp_path / "a.nir", {**net(), "fc": without(AFFINE, "weight")})
    with h5py.File(path, "r+") as file:
        where = [(str(tmp_path / "secret"), 0, 16)]
        file["node/nodes/fc"].create_dataset("weight", (2, 2), "f4", external=where)
    with pytest.raises(SpecError, match="keeps '/node/nodes/fc/weight' in another file"):
        import_nir(path)


def test_another_hdf5_file_is_no_nir_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nir", "w") as file:
        file["x"] = 1
    with pytest.raises(SpecError, match="has no group 'node'"):
        import_nir(tmp_path / "a.nir")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"preprocess_divide": 255.0}, "has 'None' as preprocess_mean .*expected numbers"),
        ({"preprocess_divide": TWO, "preprocess_mean": TWO, "preprocess_std": TWO},
         "has 2 numbers as preprocess_divide; expected one"),
        ({"preprocess_divide": 1.0, "preprocess_mean": TWO, "preprocess_std": 0 * TWO}, "std"),
    ],
)  # fmt: skip
def test_preprocessing_that_is_none_is_refused(
    tmp_path: Path, metadata: dict[str, Any], message: str
) -> None:
    nodes = net() | {"input": {**INPUT, "metadata": metadata}}
    with pytest.raises(UnsupportedError, match=message):
        import_nir(write(tmp_path / "a.nir", nodes))
