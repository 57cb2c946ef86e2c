"""Max pools before their activation: moved there, calibrated there, and what they are worth."""

from dataclasses import replace

import numpy as np
import pytest
from networks import chain, conv, linear

from thresher import convert, diagnose, simulate
from thresher.converters import Context, account
from thresher.converters.passes import ReplaceUnsupported
from thresher.errors import PassError
from thresher.ir import Graph, Node, evaluate
from thresher.ir.ops import Add, ClippedRelu, Flatten, MaxPool2d, Qcfs, Relu

STEPS = 16
BEFORE = {"replace-unsupported.max_pool": "before"}
X = np.random.default_rng(0).uniform(0, 1, (24, 2, 6, 6)).astype(np.float32)


def ann(op: object | None = None) -> Graph:
    """Two convolutions with activations and overlapping max pools, and three classes."""
    rng, op = np.random.default_rng(4), op or Relu()
    return chain(
        (2, 6, 6),
        ("conv1", conv("conv1", rng.normal(0.1, 0.4, (3, 2, 3, 3)), padding=1)),
        ("act1", op),
        ("pool1", MaxPool2d(3, 1, 1)),
        ("conv2", conv("conv2", rng.normal(0, 0.3, (4, 3, 3, 3)), padding=1)),
        ("act2", op),
        ("pool2", MaxPool2d(2)),
        ("flat", Flatten()),
        ("out", linear("out", rng.normal(size=(3, 36)))),
    )


@pytest.mark.parametrize("op", [Relu(), ClippedRelu(max=0.5), Qcfs(levels=4, max=1.0)], ids=str)
def test_a_pool_that_is_moved_leaves_the_function_as_it_is(op: object) -> None:
    graph = ann(op)

    moved = ReplaceUnsupported(max_pool="before").apply(graph, Context())

    assert moved["pool1"].inputs == ("conv1",)
    assert moved["act1"].inputs == ("pool1",)
    assert moved["conv2"].inputs == ("act1",)
    np.testing.assert_array_equal(evaluate(moved, X), evaluate(graph, X))


def test_a_pool_whose_activation_others_read_is_not_moved_and_refused() -> None:
    graph = ann()
    nodes = (*graph.nodes, Node("sum", Add(), ("pool1", "act1")))
    graph = replace(graph, nodes=nodes).replace("conv2", inputs=("sum",))
    with pytest.raises(PassError, match=r"'pool1' .*only a pool that alone reads an activation"):
        convert(graph, "plain", calibration=X, steps=STEPS, settings=BEFORE)


@pytest.mark.parametrize(
    ("recipe", "options"),
    [
        ("plain", {}),
        ("default", {}),
        ("bu2025-ltb", {}),
        ("rueckauer2017", {}),
        ("sengupta2019", {"spike-norm.reset": "soft"}),
        ("deng2021", {}),
        ("li2022-burst", {}),
        ("huang2025-mt", {}),
        ("async", {}),
    ],
)
def test_recipes_convert_pools_before_neurons_and_agree_with_the_ann(
    recipe: str, options: dict
) -> None:
    steps = 64
    snn = convert(ann(), recipe, calibration=X, steps=steps, settings=BEFORE | options)

    schedule = {"schedule": "async"} if recipe == "async" else {}
    found = simulate(snn, X, steps=steps, **schedule)

    assert snn["act1"].inputs == ("pool1",)
    assert "pool1" not in found.spike_counts
    agree = (found.predictions[:, -1] == evaluate(ann(), X).argmax(axis=1)).mean()
    assert agree >= 0.9


@pytest.mark.parametrize("recipe", ["diehl2015", "sengupta2019"])
def test_hard_reset_does_not_go_with_the_largest_input(recipe: str) -> None:
    with pytest.raises(PassError, match=r"'act1': the max pool 'pool1' before it.*hard reset"):
        convert(ann(), recipe, calibration=X, steps=STEPS, settings=BEFORE)


def test_no_network_is_written_whose_neurons_cannot_be_probed() -> None:
    message = r"'probe-first', node 'pool1': is a max pool, and probes are of neurons 'if' alone"
    with pytest.raises(PassError, match=message):
        convert(ann(), "hao2023-srp", calibration=X, steps=STEPS, settings=BEFORE)


def test_the_account_says_whose_part_a_pool_is() -> None:
    rows = {row.node: row for row in account(convert(ann(), "bu2025-ltb", calibration=X, steps=9))}
    assert rows["pool1"].became == "part of population 'act1'"
    assert rows["conv1"].became == "synapses to 'act1'"


def test_layered_a_network_of_pools_before_neurons_is_the_quantised_ann() -> None:
    snn = convert(ann(), "plain", calibration=X, steps=STEPS, settings=BEFORE)
    values = X
    for name in snn.order:
        values = snn[name].op.evaluate(values)
        if snn[name].spiking is not None:
            theta = snn[name].spiking.threshold.values.astype(np.float64).reshape(-1, 1, 1)
            values = theta * np.clip(np.floor(values * STEPS / theta + 0.5), 0, STEPS) / STEPS

    result = simulate(snn, X, steps=STEPS, schedule="layered", precision="float64")

    np.testing.assert_array_equal(result.predictions[:, -1], values.argmax(axis=1))


def test_the_error_of_a_pooled_population_has_its_parts() -> None:
    snn = convert(ann(), "plain", calibration=X, steps=STEPS, settings=BEFORE)

    found = diagnose(snn, X, steps=STEPS)

    assert [layer.name for layer in found.layers] == ["act1", "act2", "out"]
    assert found["act1"].propagated.rms < 1e-6  # the image is constant
    assert found["act1"].unevenness.rms < 1e-6
