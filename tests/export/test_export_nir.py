"""NIR out: what stands in the file, and that reading it back gives the same spikes."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, conv, fires, linear, neurons, tensor
from operator_strategies import pooled
from strategies import Builder, Shape, graphs, images

from thresher import convert, digits, load, simulate
from thresher.errors import SimulationError
from thresher.export import PROFILES, export_nir
from thresher.ir import Graph, Node, Preprocess, Probe, Spiking, Tensor
from thresher.ir.ops import (
    Add,
    AvgPool2d,
    Conv1d,
    Flatten,
    GlobalAvgPool,
    Identity,
    MaxPool2d,
    Pad,
    Relu,
    Scale,
    Sigmoid,
    Slice,
)

nir = pytest.importorskip("nir", reason="needs the package nir (extra 'nir')")

from thresher.converters.importers import import_nir  # noqa: E402 - needs h5py as well

ROOT = Path(__file__).parents[2]
WARNED = pytest.mark.filterwarnings("ignore:soft reset", "ignore:initial potentials")
pytestmark = WARNED


class PowersOfTwo(Builder):
    """Draws thresholds by which everything can be divided exactly."""

    def value(self, name: str, shape: Shape, low: int, high: int) -> float | Tensor:
        if not name.endswith("threshold"):
            return super().value(name, shape, low, high)
        size = self.draw(st.sampled_from([None, shape[:1], shape]))
        values = 2.0 ** self.rng.integers(-3, 2, size or ())
        return float(values) if size is None else Tensor(name, values.astype(np.float32))


def written(graph: Graph, folder: Path, **options: Any) -> Any:
    """Export a graph and return what the package `nir` reads, types checked."""
    export_nir(graph, folder / "net.nir", **options)
    return nir.read(folder / "net.nir")


def eighths(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 8, shape) / 8


def small() -> Graph:
    """Thresholds by channel, a start, a shift, an average pool."""
    return chain(
        (1, 4, 4),
        ("c1", conv("c1", eighths(0, 2, 1, 3, 3), padding=1)),
        ("if1", *fires(tensor("theta", [0.5, 2.0]), v_init=0.25, shift=0.125)),
        ("pool", AvgPool2d(2)),
        ("flat", Flatten()),
        ("fc", linear("fc", eighths(1, 3, 8), [0.5, 0.0, -0.5])),
    )


def test_weights_take_the_thresholds_of_what_they_read_in(tmp_path: Path) -> None:
    found = written(small(), tmp_path).nodes
    np.testing.assert_allclose(found["fc"].weight, eighths(1, 3, 8) * np.repeat([0.5, 2.0], 4))
    np.testing.assert_array_equal(found["c1"].bias, [0.125, 0.125])  # the shift
    np.testing.assert_array_equal(found["if1"].v_threshold[:, 0, 0], [0.5, 2.0])


def test_parameters_have_the_populations_shape_and_flatten_no_batch_axis(tmp_path: Path) -> None:
    found = written(small(), tmp_path).nodes
    assert found["if1"].v_threshold.shape == found["if1"].r.shape == (2, 4, 4)
    assert (found["if1"].r == 1).all()
    assert (int(found["flat"].start_dim), int(found["flat"].end_dim)) == (0, -1)
    assert found["flat"].output_type["output"].tolist() == [8]


def test_what_nir_cannot_say_stands_in_metadata_and_is_warned_of(tmp_path: Path) -> None:
    with pytest.warns(UserWarning) as warned:
        found = written(small(), tmp_path).nodes["if1"].metadata
    assert found["reset"] == "soft"
    np.testing.assert_array_equal(found["v_init"], np.full((2, 4, 4), 0.25))
    told = [str(warning.message) for warning in warned]
    assert any(re.match(r"soft reset stands in the metadata .*'reset'", text) for text in told)
    assert any(re.match(r"initial potentials of if1 stand in their metadata", t) for t in told)


def test_preprocessing_stands_in_the_inputs_metadata_and_is_read_back(tmp_path: Path) -> None:
    told = Preprocess(255.0, (0.1307,), (0.3081,))
    for tool, reset in ((None, "soft"), ("sinabs", "soft"), ("snntorch", "hard")):
        graph = neurons([1.0, 1.0], np.eye(2), reset=reset)
        graph = replace(graph, inputs=(replace(graph.inputs[0], preprocess=told),))
        found = written(graph, tmp_path, profile=tool).nodes["input"].metadata
        assert found["preprocess_divide"] == 255.0
        np.testing.assert_array_equal(found["preprocess_std"], [0.3081])
        if tool != "snntorch":  # whose LIF is not read here
            assert import_nir(tmp_path / "net.nir").inputs[0].preprocess == told


def test_a_sum_pool_stands_for_an_average_where_the_tool_has_no_other(tmp_path: Path) -> None:
    found = written(small(), tmp_path, profile="sinabs").nodes
    assert type(found["pool"]).__name__ == "SumPool2d"
    np.testing.assert_allclose(found["fc"].weight, eighths(1, 3, 8) * np.repeat([0.5, 2.0], 4) / 4)


def residual(theta: Any = 0.5) -> Graph:
    graph = chain(
        (2, 3, 3),
        ("c1", conv("c1", eighths(0, 2, 2, 3, 3), padding=1)),
        ("if1", *fires(theta)),
        ("c2", conv("c2", eighths(1, 2, 2, 3, 3), padding=1)),
        ("sum", Identity()),
        ("if2", *fires(0.75)),
        ("mean", GlobalAvgPool()),
        ("flat", Flatten()),
        ("fc", linear("fc", eighths(2, 3, 2))),
    )
    return graph.replace_all({"sum": Node("sum", Add(), ("c2", "if1"))})


def test_a_residual_sum_is_two_edges(tmp_path: Path) -> None:
    found = written(residual(), tmp_path)
    assert ("c2", "if2") in found.edges
    assert ("if1", "if2") in found.edges
    assert set(found.nodes) == {
        *("input", "c1", "if1", "c2", "if2", "mean", "flat", "fc", "output")
    }
    # what if1 sends is 0.5, so all that reaches if2 is counted in halves
    np.testing.assert_array_equal(found.nodes["if2"].v_threshold, np.full((2, 3, 3), 1.5))


def same_counts(graph: Graph, image: np.ndarray, folder: Path, steps: int = 6) -> None:
    """Read an exported file back and compare the spikes of every population."""
    export_nir(graph, folder / "net.nir")
    read = import_nir(folder / "net.nir")
    result = simulate(graph, image[None], steps=steps, precision="float64")
    found = simulate(read, image[None], steps=steps, precision="float64")
    for name in graph.upto(graph.outputs[0]).shapes.keys() & result.spike_counts.keys():
        counts = found.spike_counts.get(name, found.spike_counts.get(f"{name}_2"))
        np.testing.assert_array_equal(counts, result.spike_counts[name], err_msg=name)
    np.testing.assert_array_equal(found.predictions, result.predictions)


def test_reading_a_file_back_gives_the_same_spikes(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    image = (rng.integers(0, 9, (1, 4, 4)) / 8).astype(np.float32)
    same_counts(small(), image, tmp_path)


@pytest.mark.parametrize("theta", [0.5, tensor("theta", [0.5, 0.25])])
def test_a_residual_network_read_back_gives_the_same_spikes(theta: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    image = (rng.integers(0, 9, (2, 3, 3)) / 8).astype(np.float32)
    same_counts(residual(theta), image, tmp_path)


def test_two_shortcuts_of_other_thresholds_meet_through_a_scale(tmp_path: Path) -> None:
    graph = residual(tensor("theta", [0.5, 0.25]))
    nodes = {
        "sum": Node("sum", Add(), ("if1", "also")),
        "also": Node("also", Relu(), ("c2",), spiking=fires(1.0)[1]),
    }
    graph = replace(graph, nodes=tuple(nodes.get(n.name, n) for n in (*graph.nodes, nodes["also"])))
    found = written(graph, tmp_path).nodes
    np.testing.assert_array_equal(found["also_scaled"].scale[:, 0, 0], [2.0, 4.0])
    image = (np.random.default_rng(3).integers(0, 9, (2, 3, 3)) / 8).astype(np.float32)
    same_counts(graph, image, tmp_path)


def test_a_shortcut_that_strides_and_pads_channels_is_a_convolution(tmp_path: Path) -> None:
    graph = chain(
        (2, 4, 4),
        ("if1", *fires(0.5)),
        ("every", Slice((0, 0, 0), (None, None, None), (1, 2, 2))),
        ("wide", Pad((1, 1))),
        ("if2", *fires(0.75)),
        ("flat", Flatten()),
        ("fc", linear("fc", eighths(2, 3, 16))),
    )
    assert type(written(graph, tmp_path).nodes["every"]).__name__ == "Conv2d"
    image = (np.random.default_rng(3).integers(0, 9, (2, 4, 4)) / 8).astype(np.float32)
    same_counts(graph, image, tmp_path)


def test_groups_are_written_out(tmp_path: Path) -> None:
    graph = chain(
        (4, 3, 3),
        ("c", conv("c", eighths(0, 4, 2, 3, 3), padding=1, groups=2)),
        ("if", *fires(0.5)),
        ("flat", Flatten()),
        ("fc", linear("fc", eighths(2, 3, 36))),
    )
    weight = written(graph, tmp_path).nodes["c"].weight
    assert weight.shape == (4, 4, 3, 3)
    assert not weight[:2, 2:].any() and not weight[2:, :2].any()
    image = (np.random.default_rng(3).integers(0, 9, (4, 3, 3)) / 8).astype(np.float32)
    same_counts(graph, image, tmp_path)


def test_one_axis_is_a_conv1d(tmp_path: Path) -> None:
    weight = tensor("c.weight", eighths(0, 2, 1, 3))
    graph = chain(
        (1, 6),
        ("c", Conv1d(weight, padding=(1, 1))),
        ("if", *fires(0.5)),
        ("flat", Flatten()),
        ("fc", linear("fc", eighths(2, 3, 12))),
    )
    image = (np.random.default_rng(3).integers(0, 9, (1, 6)) / 8).astype(np.float32)
    same_counts(graph, image, tmp_path)


@given(data=st.data())
@settings(max_examples=300)
def test_a_random_network_is_refused_or_gives_the_same_spikes(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    graph = data.draw(graphs(resets=("soft", "hard"), builder_of=PowersOfTwo))
    try:
        same_counts(graph, data.draw(images(graph))[0], tmp_path_factory.mktemp("nir"), 4)
    except SimulationError as error:
        assert "cannot be written for NIR such that the spikes stay the same" in str(error)


def test_an_output_that_fires_decides_by_spikes(tmp_path: Path) -> None:
    x_train, _, x, _ = digits.load()
    graph = load(ROOT / "specs" / "digits_cnn.yaml")
    graph = convert(graph, "diehl2015", calibration=x_train, steps=8)
    export_nir(graph, tmp_path / "net.nir")
    read = import_nir(tmp_path / "net.nir")
    result = simulate(graph, x[:30], steps=8, precision="float64")
    found = simulate(read, x[:30], steps=8, precision="float64")
    for one, two in zip(found.spike_counts.values(), result.spike_counts.values(), strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(found.predictions, result.predictions)


def refused(graph: Graph, message: str, folder: Path, **options: Any) -> None:
    with pytest.raises(SimulationError, match=message):
        export_nir(graph, folder / "net.nir", **options)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("tool", ["snntorch", "norse", "spikingjelly"])
def test_soft_reset_is_refused_for_tools_that_have_none(tool: str, tmp_path: Path) -> None:
    message = f"node 'if' has soft reset, and its reader .*: it cannot be written for {tool}"
    refused(neurons([1.0], [[1.0]]), message, tmp_path, profile=tool)


@pytest.mark.parametrize("tool", ["snntorch", "norse", "spikingjelly"])
def test_an_initial_potential_is_refused_for_tools_that_have_none(
    tool: str, tmp_path: Path
) -> None:
    graph = neurons([1.0], [[1.0]], reset="hard", v_init=0.5)
    message = "node 'if' has an initial potential, and its reader starts every potential"
    refused(graph, message, tmp_path, profile=tool)


def test_hard_reset_is_refused_for_sinabs(tmp_path: Path) -> None:
    graph = neurons([1.0], [[1.0]], reset="hard")
    refused(graph, "has hard reset, and its reader makes", tmp_path, profile="sinabs")


def test_every_profile_is_for_a_tool_that_the_benchmark_runs() -> None:
    text = (ROOT / "benchmarks" / "interop_peers.py").read_text()
    for name in PROFILES:
        assert f'    "{name}": (' in text


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (neurons([1.0], [[1.0]], neuron="lif", tau=3.0), "has neurons 'lif'; NIR has 'if'"),
        (replace(neurons([1.0], [[1.0]]), probe=Probe("srp")), "probes each sample"),
        (
            chain((1, 2), ("s", Scale(tensor("w", np.ones((1, 2))))), ("if", *fires()),
                  ("f", Flatten())),
            "node 's' has a factor or an offset for each value of a channel",
        ),
        (
            chain((1, 2, 2), ("if", *fires()), ("p", MaxPool2d(2)), ("f", Flatten())),
            "node 'p' is a 'max_pool2d', which NIR has no node for",
        ),
        (
            chain((1, 2, 2), ("c", conv("c", np.ones((1, 1, 1, 2)))), ("if", *fires()),
                  ("f", Flatten())),
            r"node 'c' has a kernel of \[1, 2\], of which NIR's own check",
        ),
        (
            chain((1, 2, 2), ("c", conv("c", np.ones((1, 1, 1, 1)), padding=((1, 0), (0, 0)))),
                  ("if", *fires()), ("f", Flatten())),
            "node 'c' pads .*, not both ends alike",
        ),
        (
            chain((2,), ("l", linear("l", np.eye(2))), ("if", *fires()),
                  ("out", linear("out", np.eye(2))), delays={"out": 2}),
            "node 'out' has a delay of 2 steps",
        ),
        (
            chain((1, 1, 2), ("if", *fires(tensor("t", [[[1.0, 2.0]]]))), ("f", Flatten())),
            "has a threshold for each neuron, not one a channel",
        ),
    ],
)  # fmt: skip
def test_what_nir_cannot_say_is_refused_by_name(graph: Graph, message: str, tmp_path: Path) -> None:
    refused(graph, message, tmp_path)


def test_operators_are_refused_by_name(tmp_path: Path) -> None:
    graph = neurons([1.0], [[1.0]], neuron="expectation").replace("if", op=Sigmoid())
    refused(graph, "node 'if' is a 'sigmoid', which NIR has no node for", tmp_path)


def test_a_max_pool_before_its_neurons_is_refused_by_name(tmp_path: Path) -> None:
    refused(
        pooled(Spiking(1.0)), "node 'pool' is a 'max_pool2d', which NIR has no node for", tmp_path
    )
