"""Precision int: what is rounded and how, what is refused, and what comes out in activations."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import chain, conv, fires, linear, neurons, tensor
from running import every_engine

from thresher import convert, simulate
from thresher.errors import SimulationError
from thresher.ir import Graph, Readout
from thresher.ir.ops import AvgPool2d, Flatten
from thresher.ir.spec import load
from thresher.sim import Result, compile_graph

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("THRESHER_DATA", ROOT.parent / "shared" / "data"))


def whole(graph: Graph, scale: float) -> Graph:
    """Give every population and the readout the same scale."""
    changed = {
        node.name: replace(node, spiking=replace(node.spiking, scale=scale))
        for node in graph
        if node.spiking is not None
    }
    return replace(graph.replace_all(changed), readout=replace(graph.readout, scale=scale))


def eighths(readout: str = "membrane") -> Graph:
    """Weights, thresholds, biases and potentials in eighths, so that 1/64 is a unit of all."""
    rng = np.random.default_rng(5)

    def drawn(*shape: int) -> np.ndarray:
        return rng.integers(-3, 8, shape) / 8

    links = [
        ("c1", conv("c1", drawn(3, 1, 3, 3), padding=1)),
        ("if1", *fires(0.75, v_init=0.375)),
        ("c2", conv("c2", drawn(2, 3, 2, 2), stride=2)),
        ("if2", *fires(2.5, v_init=1.25)),
        ("flat", Flatten()),
        ("fc", linear("fc", drawn(4, 8), drawn(4))),
    ]
    if readout == "spikes":
        links.append(("if3", *fires(6.0)))
    return whole(chain((1, 4, 4), *links, readout=readout), 64.0)


def images(n: int) -> np.ndarray:
    return (np.random.default_rng(6).integers(0, 9, (n, 1, 4, 4)) / 8).astype(np.float32)


def run(graph: Graph, precision: str, **options: object) -> Result:
    membranes = {} if options.get("schedule") == "layered" else {"if2": [0, 3, 7]}
    x = images(6)
    return simulate(
        graph, x, steps=6, precision=precision, record="spikes", membranes=membranes, **options
    )


@pytest.mark.parametrize(
    ("readout", "confidence"), [("membrane", 0.9), ("membrane", 0.2), ("spikes", 0.1)]
)
@pytest.mark.parametrize("t_start", [0, 2])
@every_engine
def test_values_that_are_whole_in_units_give_float64s_run(
    engine: str, t_start: int, readout: str, confidence: float
) -> None:
    options = {"t_start": t_start, "confidence": confidence, "engine": engine}
    graph = eighths(readout)
    expected = run(graph, "float64", **options)

    found = run(graph, "int", **options)

    np.testing.assert_array_equal(found.predictions, expected.predictions)
    for name in ("first_evidence", "settled", "confident"):
        times = (getattr(result.latency, name) for result in (found, expected))
        np.testing.assert_array_equal(*times)
    np.testing.assert_array_equal(found.synaptic_operations, expected.synaptic_operations)
    for name in ("sample", "tick", "population", "neuron"):
        columns = (getattr(result.trace, name) for result in (found, expected))
        np.testing.assert_array_equal(*columns)
    potentials = (result.trace.membranes["if2"] for result in (found, expected))
    np.testing.assert_array_equal(*potentials)
    assert np.isfinite(expected.latency.confident).any()


def test_values_that_are_whole_in_units_give_float64s_layered_run() -> None:
    expected = run(eighths(), "float64", schedule="layered")
    found = run(eighths(), "int", schedule="layered")
    np.testing.assert_array_equal(found.predictions, expected.predictions)
    for name, counts in expected.spike_counts.items():
        np.testing.assert_array_equal(found.spike_counts[name], counts)


@every_engine
def test_the_ramp_is_floored_in_64_bits(engine: str) -> None:
    # 3/7 of a step's current of -5 or 5 units: floor towards minus infinity
    graph = whole(neurons([5.0, -5.0], [[1, 1]], threshold=100.0), 1.0)
    result = simulate(
        graph,
        np.zeros((1, 1), np.float32),
        steps=1,
        schedule="async",
        ticks_per_step=7,
        precision="int",
        engine=engine,
        membranes={"if": [0, 1]},
    )
    ticks = np.arange(1, 8)
    expected = np.stack([5 * ticks // 7, -5 * ticks // 7], axis=1)
    np.testing.assert_array_equal(result.trace.membranes["if"][0], expected)


def test_rounding_is_to_the_nearest_even() -> None:
    graph = whole(neurons([1.0], [[0.5], [1.5], [-2.5], [0.75]], v_init=2.5, threshold=1.5), 1.0)
    # weights times the threshold: 0.75, 2.25, -3.75, 1.125
    network = compile_graph(replace(graph, readout=Readout(scale=2.0)), dtype=np.int64)
    (projection,) = network.projections
    np.testing.assert_array_equal(projection.synapses.weights.ravel(), [2, 4, -8, 2])
    np.testing.assert_array_equal(network.populations[0].theta, [2])
    np.testing.assert_array_equal(network.populations[0].v_init, [2])


def test_weights_are_composed_before_they_are_rounded() -> None:
    graph = chain(
        (1, 2, 2),
        ("if", *fires(2.0)),
        ("pool", AvgPool2d(2)),
        ("flat", Flatten()),
        ("fc", linear("fc", [[7.0]])),
    )
    network = compile_graph(whole(graph, 1.0), dtype=np.int64)
    (projection,) = network.projections
    np.testing.assert_array_equal(projection.synapses.weights.ravel(), [4])  # 2 / 4 * 7 = 3.5


def test_channels_have_units_of_their_own() -> None:
    scale = tensor("if.scale", [1.0, 10.0])
    kernel = np.ones((2, 1, 1, 1))
    graph = chain(
        (1, 1, 2),
        ("in", *fires(1.0, scale=1.0)),
        ("c", conv("c", kernel)),
        ("if", *fires(3.0, scale=scale)),
        ("flat", Flatten()),
    )
    network = compile_graph(replace(graph, readout=Readout(scale=1.0)), dtype=np.int64)
    np.testing.assert_array_equal(network.populations[1].theta, [3, 30, 3, 30])
    np.testing.assert_array_equal(network.projections[0].synapses.weights.ravel(), [1, 10])


def test_a_graph_without_scales_says_which_pass_gives_them() -> None:
    graph = neurons([1.0], [[1.0]])
    message = "node 'if' has no scale for precision 'int': convert with the pass 'quantize'"
    with pytest.raises(SimulationError, match=message):
        compile_graph(graph, dtype=np.int64)
    graph = graph.replace("if", spiking=replace(graph["if"].spiking, scale=1.0))
    with pytest.raises(SimulationError, match="node 'out' has no scale"):
        compile_graph(graph, dtype=np.int64)


def test_a_threshold_below_half_a_unit_asks_for_more_bits() -> None:
    message = r"node 'if': a threshold is 0\.25 units .* and rounds to 0; take more bits"
    with pytest.raises(SimulationError, match=message):
        compile_graph(whole(neurons([1.0], [[1.0]], threshold=0.25), 1.0), dtype=np.int64)


def test_a_weight_beyond_int16_names_both_populations() -> None:
    graph = whole(neurons([1.0], [[32768.0]]), 1.0)
    message = "what a spike of 'if' brings to 'out' is 32,768 units .* at most 32,767 fit"
    with pytest.raises(SimulationError, match=message):
        compile_graph(graph, dtype=np.int64)


def test_a_v_reset_in_channels_of_several_scales_is_refused() -> None:
    spiking = {"reset": "hard", "v_reset": -1.0, "scale": tensor("if.scale", [1.0, 2.0])}
    message = "node 'if': v_reset is -1, and its channels differ in scale; quantize it by layer"
    with pytest.raises(SimulationError, match=message):
        compile_graph(neurons([1.0, 1.0], [[1.0, 1.0]], **spiking), dtype=np.int64)


def test_the_result_says_int() -> None:
    result = run(eighths(), "int", schedule="layered")
    assert result.metrics()["precision"] == result.settings.precision == "int"
    assert result.trace.provenance["precision"] == "int"


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the trained networks in {DATA}")
def test_lenet_with_weights_of_8_bits_is_as_good_as_with_floats() -> None:
    graph = load(DATA / "lenet_mnist.yaml")
    calibration = np.load(DATA / "mnist_train.npz")["x"][:100]
    test = np.load(DATA / "mnist_test.npz")
    x, y = test["x"][:200], test["y"][:200]
    snn = convert(graph, "int8", calibration=calibration, steps=16)
    options = {"steps": 16, "schedule": "layered"}

    real = simulate(snn, x, y, precision="float64", **options)
    found = simulate(snn, x, y, precision="int", **options)

    assert (found.predictions == real.predictions).mean() >= 0.98
    assert found.accuracy >= real.accuracy - 0.01
