"""Max pools over neurons whose counts only grow: the largest count of a window, at every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, conv, linear

from thresher import convert, diagnose
from thresher.errors import GraphError
from thresher.ir import Graph, evaluate
from thresher.ir.ops import Flatten, MaxPool2d, Relu
from thresher.sim import Result, simulate

STEPS = 12
KEEP = {"replace-unsupported.max_pool": "keep"}
X = np.random.default_rng(0).uniform(0, 1, (20, 2, 6, 6)).astype(np.float32)


def ann(seed: int = 1) -> Graph:
    """Two convolutions, a max pool of 2 x 2 with overlap after each, and three classes."""
    rng = np.random.default_rng(seed)
    return chain(
        (2, 6, 6),
        ("conv1", conv("conv1", rng.normal(0.1, 0.4, (3, 2, 3, 3)), padding=1)),
        ("relu1", Relu()),
        ("pool1", MaxPool2d(3, 1, 1)),
        ("conv2", conv("conv2", rng.normal(0, 0.3, (4, 3, 3, 3)), padding=1)),
        ("relu2", Relu()),
        ("pool2", MaxPool2d(2)),
        ("flat", Flatten()),
        ("out", linear("out", rng.normal(size=(3, 36)))),
    )


def sent(result: Result, node: str, shape: tuple[int, ...]) -> np.ndarray:
    """Add up what each neuron has sent by the end of each step, (steps, samples, *shape)."""
    trace = result.trace
    mine = trace.population == trace.populations.index(node)
    at = (trace.tick[mine] - 1) // trace.ticks_per_step
    counts = np.zeros((trace.steps, len(X), int(np.prod(shape))))
    np.add.at(counts, (at, trace.sample[mine], trace.neuron[mine]), trace.sign[mine])
    return counts.cumsum(axis=0).reshape(trace.steps, len(X), *shape)


@pytest.mark.parametrize("recipe", ["plain", "rueckauer2017", "li2022-burst", "diehl2015"])
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_what_a_pool_has_sent_is_the_largest_that_its_sources_have(
    recipe: str, schedule: str
) -> None:
    snn = convert(ann(), recipe, calibration=X, steps=STEPS, settings=KEEP)

    result = simulate(snn, X, steps=STEPS, schedule=schedule, record="spikes")

    for relu, pool in (("relu1", "pool1"), ("relu2", "pool2")):
        counts = sent(result, relu, snn.shapes[relu])
        expected = [snn[pool].op.evaluate(step) for step in counts]
        np.testing.assert_array_equal(sent(result, pool, snn.shapes[pool]), expected)
        assert counts.any()


def test_layered_a_pooled_network_is_the_quantised_ann() -> None:
    snn = convert(ann(), "plain", calibration=X, steps=STEPS, settings=KEEP)
    values = X
    for name in ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flat", "out"):
        values = snn[name].op.evaluate(values)
        if snn[name].spiking is not None:
            theta = snn[name].spiking.threshold.values.astype(np.float64).reshape(-1, 1, 1)
            n = np.clip(np.floor(values * STEPS / theta + 0.5), 0, STEPS)
            values = theta * n / STEPS

    result = simulate(snn, X, steps=STEPS, schedule="layered", precision="float64")

    np.testing.assert_array_equal(result.predictions[:, -1], values.argmax(axis=1))


@pytest.mark.parametrize("recipe", ["bu2022-opi", "li2022-burst"])
def test_many_steps_give_the_ann_s_values_through_max_pools(recipe: str) -> None:
    steps, graph = 2000, ann()
    settings_of = KEEP | {"balance-thresholds.statistic": "max"}
    snn = convert(graph, recipe, calibration=X, steps=steps, settings=settings_of)

    run = simulate(snn, X[:2], steps=steps, membranes={"out": range(3)})

    logits = run.trace.membranes["out"][:, -1] / steps
    np.testing.assert_allclose(logits, evaluate(graph, X[:2]), atol=0.03)


@given(x=st.lists(st.integers(-8, 16), min_size=72, max_size=72))
@settings(max_examples=20)
def test_a_pool_of_binary_neurons_sends_one_bit(x: list[int]) -> None:
    image = (np.array(x, np.float32) / 8).reshape(1, 2, 6, 6)
    snn = convert(ann(), "plain", calibration=X, steps=STEPS, settings=KEEP)

    result = simulate(snn, image, steps=STEPS, record="spikes")

    assert (result.trace.sign == 1).all()
    assert result.metrics()["spike_levels"] == 2


def test_the_error_of_a_pooled_network_is_split_up() -> None:
    snn = convert(ann(), "plain", calibration=X, steps=STEPS, settings=KEEP)

    found = diagnose(snn, X, steps=STEPS)

    assert found["pool1"].neuron == "max_pool"
    assert found["pool1"].error.rms == pytest.approx(found["pool1"].propagated.rms)


def test_a_pool_of_currents_that_no_activation_follows_is_refused_when_it_is_converted() -> None:
    graph = ann().replace("pool1", inputs=("conv1",)).without("relu1")

    with pytest.raises(GraphError, match=r"'pool1' \(max_pool2d\) does not read .* put it right"):
        convert(graph, "plain", calibration=X, steps=STEPS, settings=KEEP)
