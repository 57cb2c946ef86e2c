"""PyTorch out: the written module alone fires the spikes of the simulator's lockstep run."""

import importlib.util
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, conv, fires, linear, neurons, tensor
from operator_strategies import operator, pooled
from running import Setting, network_of, row_major, spikes_by_tick, stimulus_of
from running import run as simulated
from signed_strategies import SignedBuilder
from strategies import graphs, images

from thresher import convert, digits, load, simulate
from thresher.errors import SimulationError
from thresher.export import export_torch
from thresher.ir import OPS, Graph, Preprocess, Probe, Spiking, Tensor
from thresher.ir.ops import (
    AvgPool2d,
    Flatten,
    GlobalAvgPool,
    MaxPool2d,
    Mean,
    Permute,
    PositionwiseLinear,
    Reshape,
    Scale,
)

torch = pytest.importorskip("torch", reason="needs PyTorch (extra 'torch')")


class IfThatTakesBack(SignedBuilder):
    """Draws `signed_if` alone, and max pools."""

    models: ClassVar[list[str]] = ["signed_if"]


ROOT = Path(__file__).parents[2]


def exported(graph: Graph, folder: Path, **options: Any) -> Any:
    """Export a graph and return its module's class, imported from the file."""
    (told,) = export_torch(graph, folder / "net.py", **options)
    spec = importlib.util.spec_from_file_location("net", folder / "net.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, told.split()[1].rstrip(","))


def compare(graph: Graph, image: np.ndarray, setting: Setting, dtype: Any = None) -> None:
    """Compare every population's spikes in every step, and the output, with the reference's."""
    graph = replace(graph, readout=replace(graph.readout, t_start=setting.t_start))
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, image, setting)
    expected = simulated(network, stimulus, setting, "reference", watch=True)
    found: dict[tuple[str, int], np.ndarray] = {}

    def observe(step: int, name: str, spikes: Any) -> None:
        found[name, step] = spikes[0].numpy()

    with tempfile.TemporaryDirectory() as folder:
        net = exported(graph, Path(folder), steps=setting.steps)(dtype=dtype or torch.float32)
        logits, counts = net(torch.from_numpy(image[None]), observe=observe)

    for population in network.spiking:
        ticks = spikes_by_tick(network, expected, population.rank, setting.steps)
        for step in range(1, setting.steps + 1):
            sent = row_major(network, population.rank, ticks[step])
            np.testing.assert_array_equal(found[population.name, step], sent)
        total = np.abs(ticks).sum()
        assert counts[population.name].tolist() == [total]
    output = network.populations[-1]
    if not output.fires:
        y = expected.watched[:, network.span(output.rank)]
        base = y[setting.t_start - 1] if setting.t_start else np.zeros(output.size)
        elapsed = np.arange(1, setting.steps + 1) - setting.t_start
        expected_logits = (
            np.where(elapsed[:, None] > 0, y - base, 0) / np.maximum(elapsed, 1)[:, None]
        )
        np.testing.assert_allclose(logits[:, 0].numpy(), expected_logits, rtol=1e-6)


@given(data=st.data())
@settings(max_examples=80)
def test_a_random_network_fires_the_same_spikes_in_every_step(data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True, resets=("soft", "hard")))
    steps = data.draw(st.sampled_from([4, 5, 3, 2, 1]))
    setting = Setting(steps=steps, t_start=data.draw(st.integers(0, steps - 1)))
    compare(graph, data.draw(images(graph))[0], setting)


@given(data=st.data())
@settings(max_examples=40)
def test_a_random_network_of_signed_neurons_does_too(data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True, builder_of=IfThatTakesBack))
    setting = Setting(steps=data.draw(st.sampled_from([4, 5, 3, 2, 1])))
    compare(graph, data.draw(images(graph))[0], setting)


def test_tokens_pass_the_linear_ops_that_they_have(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def eighths(name: str, *shape: int) -> Tensor:
        return tensor(name, rng.integers(-3, 8, shape) / 8)

    graph = chain(
        (1, 4, 4),
        ("patches", conv("patches", rng.integers(-3, 8, (3, 1, 2, 2)) / 8, stride=(2, 2))),
        ("rows", Reshape(shape=(3, 4))),
        ("tokens", Permute(order=(1, 0))),
        ("place", Scale(weight=tensor("ones", np.ones((4, 3))), bias=eighths("place.bias", 4, 3))),
        ("if1", *fires(0.75)),
        ("mix", PositionwiseLinear(eighths("mix.weight", 5, 3), eighths("mix.bias", 5))),
        ("if2", *fires(1.25, v_init=0.5)),
        ("mean", Mean(axes=(0,))),
        ("out", linear("out", rng.integers(-3, 8, (3, 5)) / 8)),
    )
    image = (rng.integers(0, 9, (1, 4, 4)) / 8).astype(np.float32)
    compare(graph, image, Setting(steps=6))


def test_max_pools_follow_the_largest_count(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(-3, 8, (2, 1, 3, 3)) / 8
    graph = chain(
        (1, 5, 5),
        ("c", conv("c", weight)),
        ("if", *fires(1.25, v_init=0.5)),
        ("pool", MaxPool2d(2, 1, ((1, 0), (0, 1)))),
        ("flat", Flatten()),
        ("out", linear("out", rng.integers(-3, 8, (3, 18)) / 8)),
    )
    image = (rng.integers(0, 9, (1, 5, 5)) / 8).astype(np.float32)
    compare(graph, image, Setting(steps=6))


def test_pools_that_leave_padding_out_average_what_is_inside() -> None:
    rng = np.random.default_rng(1)
    graph = chain(
        (2, 5, 5),
        ("if", *fires(0.5)),
        ("pool", AvgPool2d(2, 2, ((1, 0), (0, 1)), False)),
        ("c", conv("c", rng.integers(-3, 8, (3, 2, 2, 2)) / 8, padding=((1, 0), (0, 1)))),
        ("if2", *fires(tensor("theta", [0.5, 1.0, 0.75]))),
        ("mean", GlobalAvgPool()),
        ("flat", Flatten()),
        ("out", linear("out", rng.integers(-3, 8, (3, 3)) / 8)),
    )
    image = (rng.integers(0, 9, (2, 5, 5)) / 8).astype(np.float32)
    compare(graph, image, Setting(steps=6, precision="float64"), torch.float64)


@pytest.fixture(scope="module")
def cnn() -> Graph:
    x_train, *_ = digits.load()
    graph = load(ROOT / "specs" / "digits_cnn.yaml")
    return convert(graph, "default", calibration=x_train, steps=8)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_digits_cnn_sends_the_simulators_counts(
    cnn: Graph, precision: str, tmp_path: Path
) -> None:
    x = digits.load()[2][:200]
    expected = simulate(cnn, x, steps=8, precision=precision)

    net = exported(cnn, tmp_path)(dtype=getattr(torch, precision))
    logits, counts = net(torch.from_numpy(x))

    for name, found in counts.items():
        np.testing.assert_array_equal(found.numpy(), expected.spike_counts[name])
    np.testing.assert_array_equal(logits[-1].argmax(1).numpy(), expected.predictions[:, -1])


def test_an_output_that_fires_counts_its_own_spikes(tmp_path: Path) -> None:
    x_train, _, x, _ = digits.load()
    graph = load(ROOT / "specs" / "digits_cnn.yaml")
    graph = convert(graph, "deng2021", calibration=x_train, steps=8)
    expected = simulate(graph, x[:50], steps=8, precision="float64")
    net = exported(graph, tmp_path)(dtype=torch.float64)
    logits, counts = net(torch.from_numpy(x[:50]))
    assert list(counts) == list(expected.spike_counts)
    for name, found in counts.items():
        np.testing.assert_array_equal(found.numpy(), expected.spike_counts[name])
    np.testing.assert_array_equal(logits[-1].argmax(1).numpy(), expected.predictions[:, -1])


def test_the_module_imports_nothing_but_torch(cnn: Graph, tmp_path: Path) -> None:
    export_torch(cnn, tmp_path / "net.py")
    program = (
        "import sys, torch, net; n = net.DigitsCnn(); n(torch.zeros(2, 1, 8, 8));"
        "assert not {'thresher', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_pixels_are_preprocessed_channel_by_channel(tmp_path: Path) -> None:
    graph = chain(
        (2, 1, 1), ("if", *fires(0.25)), ("flat", Flatten()), ("out", linear("out", np.eye(2)))
    )
    item = replace(graph.inputs[0], preprocess=Preprocess(255.0, (0.5, 0.25), (0.25, 0.5)))
    graph = replace(graph, inputs=(item,))
    x = np.array([[[[255]], [[102]]], [[[140]], [[255]]]], np.uint8)
    expected = simulate(graph, x, steps=4).spike_counts["if"]
    _, counts = exported(graph, tmp_path, steps=4)()(torch.from_numpy(x))
    np.testing.assert_array_equal(counts["if"].numpy(), expected)
    assert expected.any()


def refused(graph: Graph, message: str, folder: Path) -> None:
    with pytest.raises(SimulationError, match=message):
        export_torch(graph, folder / "net.py", steps=4)
    assert not (folder / "net.py").exists()


def test_other_neurons_are_refused_by_name(tmp_path: Path) -> None:
    graph = neurons([1.0], [[1.0]], neuron="lif", tau=4.0)
    refused(graph, "node 'if' has neurons 'lif', which the PyTorch module does not", tmp_path)


def test_a_probe_is_refused(tmp_path: Path) -> None:
    graph = replace(neurons([1.0], [[1.0]]), probe=Probe("cos"))
    refused(graph, "probes each sample before it runs", tmp_path)


def test_tensors_of_something_else_are_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "net_tensors.safetensors").write_bytes(b"precious")
    refused(neurons([1.0], [[1.0]]), "is there already without it", tmp_path)
    assert (tmp_path / "net_tensors.safetensors").read_bytes() == b"precious"


@pytest.mark.parametrize("kind", ["sigmoid", "matmul", "max_pool2d"])
def test_operators_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    op, shapes = OPS.get(kind).example()
    graph = operator(op, shapes, Spiking(0.5, "expectation"))
    refused(graph, "node 'op' follows a function of its mean input, which the PyTorch", tmp_path)


def test_a_max_pool_before_its_neurons_is_refused_by_name(tmp_path: Path) -> None:
    refused(pooled(Spiking(1.0)), "node 'relu' follows a function", tmp_path)
