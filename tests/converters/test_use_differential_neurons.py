"""Differential neurons in converted networks: what they say, how rarely, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from small_graphs import chain, spiking_net, tensor

from thresher import convert, digits, evaluate, load, simulate
from thresher.converters import PASSES, Context
from thresher.errors import PassError
from thresher.ir import Graph, Op, Readout, Spiking, Tensor
from thresher.ir.ops import AvgPool2d, ClippedRelu, Conv2d, Flatten, Linear, MaxPool2d, Relu

X = np.random.default_rng(3).uniform(-1, 1, (12, 2, 6, 6)).astype(np.float32)


def net(act: Op, pool: Op) -> Graph:
    rng = np.random.default_rng(8)

    def weights(name: str, *shape: int) -> Tensor:
        return tensor(name, rng.integers(-6, 9, shape) / 8)

    return chain(
        (2, 6, 6),
        ("conv1", Conv2d(weight=weights("conv1.weight", 4, 2, 3, 3), padding=1)),
        ("act1", act),
        ("pool", pool),
        ("conv2", Conv2d(weight=weights("conv2.weight", 4, 4, 3, 3), bias=weights("b", 4))),
        ("act2", act),
        ("flat", Flatten()),
        ("fc", Linear(weight=weights("fc.weight", 3, 4))),
    )


@pytest.mark.parametrize("act", [Relu(), ClippedRelu(max=1.5)], ids=["relu", "clipped"])
def test_the_logits_come_nearer_to_the_anns_as_1_by_t(act: Op) -> None:
    ann = net(act, AvgPool2d(2))
    expected = evaluate(ann, X)
    steps = 256
    snn = convert(ann, "huang2025-dcgs", calibration=X, steps=steps)
    result = simulate(snn, X, steps=steps, precision="float64", membranes={"fc": [0, 1, 2]})
    logits = result.trace.membranes["fc"] / np.arange(1, steps + 1)[:, None]
    error = np.abs(logits - expected[:, None]).max(axis=(0, 2)) / np.abs(expected).max()
    assert error[15] < 0.1
    assert error[255] < 0.1 / 16


def test_on_digits_fewer_spikes_say_more_than_those_that_repeat_a_rate() -> None:
    ann, steps, n = load(digits.cnn_spec()), 8, 60
    x_train, _, x_test, _ = digits.load()
    x = x_test[:n]
    expected = evaluate(ann, x)
    classes = range(expected.shape[1])
    spikes, error = {}, {}
    for recipe in ("huang2025-dcgs", "huang2025-mt"):
        snn = convert(ann, recipe, calibration=x_train[:300], steps=steps)
        result = simulate(snn, x, steps=steps, membranes={snn.outputs[0]: classes})
        logits = result.trace.membranes[snn.outputs[0]][:, -1] / steps
        error[recipe] = np.sqrt(np.mean((logits - expected) ** 2))
        spikes[recipe] = result.metrics()["spikes_per_sample"]
    assert spikes["huang2025-dcgs"] < spikes["huang2025-mt"] / 2
    assert error["huang2025-dcgs"] < error["huang2025-mt"]


@pytest.mark.parametrize(
    ("spiking", "op", "message"),
    [
        (Spiking(threshold=1.0, reset="hard"), Relu(), "hard reset loses charge"),
        (Spiking(threshold=1.0, v_init=0.5), Relu(), "v_init is set already; put 'init-potential'"),
        (Spiking(threshold=1.0, neuron="snm"), Relu(), "its neuron is 'snm' already; keep one of"),
        (
            Spiking(threshold=tensor("t", [1.0, 2.0])),
            ClippedRelu(max=3.0),
            "its ceiling is 3, and its thresholds differ; expected one for the layer",
        ),
    ],
)
def test_annotations_that_cannot_be_changed_are_refused(
    spiking: Spiking, op: Op, message: str
) -> None:
    graph = spiking_net(spiking).replace("relu1", op=op)
    with pytest.raises(PassError, match=message):
        PASSES.get("use-differential-neurons")().apply(graph, Context(steps=4))


def test_a_readout_that_counts_is_refused() -> None:
    graph = spiking_net(Spiking(threshold=1.0))
    graph = replace(graph, readout=Readout("spikes"))
    with pytest.raises(PassError, match="readout 'spikes' counts what says how a value changes"):
        PASSES.get("use-differential-neurons")().apply(graph, Context(steps=4))


def test_a_max_pool_is_kept_for_no_neurons_that_say_changes() -> None:
    kept = {"replace-unsupported.max_pool": "keep"}
    with pytest.raises(PassError, match=r"'pool'.* is a max pool, which follows counts"):
        convert(net(Relu(), MaxPool2d(2)), "huang2025-dcgs", calibration=X, settings=kept)


def test_a_max_pool_that_is_an_operator_follows_what_is_said() -> None:
    graph, steps = net(Relu(), MaxPool2d(2)), 256
    passes = [
        PASSES.get("replace-unsupported")(max_pool="keep", operators="keep"),
        PASSES.get("use-operators")(),
        PASSES.get("balance-thresholds")(),
        PASSES.get("use-differential-neurons")(),
    ]
    snn = convert(graph, passes, calibration=X, steps=steps)
    assert [snn[name].spiking.neuron for name in ("act1", "pool")] == [
        "differential",
        "expectation",
    ]

    found = simulate(snn, X, steps=steps, precision="float64", membranes={"fc": [0, 1, 2]})

    logits, expected = found.trace.membranes["fc"][:, -1] / steps, evaluate(graph, X)
    assert np.abs(logits - expected).max() < 0.01 * np.abs(expected).max()
