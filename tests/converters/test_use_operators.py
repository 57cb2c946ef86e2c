"""use-operators, and networks that it makes: attention, gates, norms; what they are worth."""

from dataclasses import replace

import numpy as np
import pytest
from networks import conv, linear

from thresher import convert, diagnose, simulate
from thresher.converters import PASSES, Context, account, load_recipe
from thresher.converters.passes import (
    BalanceThresholds,
    InitPotential,
    ProbeFirst,
    Quantize,
    ReplaceUnsupported,
    UseOperators,
)
from thresher.errors import PassError
from thresher.ir import Graph, Input, Node, Readout, evaluate
from thresher.ir.ops import (
    Flatten,
    LayerNorm,
    MatMul,
    MaxPool2d,
    Mul,
    Relu,
    Reshape,
    Sigmoid,
    Silu,
    Softmax,
)

X = np.random.default_rng(0).normal(size=(30, 1, 8, 8)).astype(np.float32)

SPIKES = Readout(kind="spikes")


def attention(seed: int = 1) -> Graph:
    """A convolution, a gate, one head of attention over four tokens, a norm and ten classes."""
    rng = np.random.default_rng(seed)

    def layer(name: str, size: int, source: str, n: int) -> Node:
        weight = rng.normal(size=(size, n)) / np.sqrt(n)
        return Node(name, linear(name, weight, rng.normal(size=size) / 10), (source,))

    nodes = (
        Node("conv", conv("conv", rng.normal(size=(4, 1, 3, 3)) / 3, padding=1), ("image",)),
        Node("silu", Silu(), ("conv",)),
        Node("pool", MaxPool2d(2), ("silu",)),
        Node("flat", Flatten(), ("pool",)),
        *(layer(name, 32, "flat", 64) for name in "qkv"),
        *(Node(f"{name}4", Reshape((4, 8)), (name,)) for name in "qkv"),
        Node("scores", MatMul(transpose=True), ("q4", "k4")),
        Node("weights", Softmax(), ("scores",)),
        Node("mixed", MatMul(), ("weights", "v4")),
        Node("norm", LayerNorm(), ("mixed",)),
        Node("gate", Sigmoid(), ("mixed",)),
        Node("gated", Mul(), ("norm", "gate")),
        Node("tokens", Flatten(), ("gated",)),
        layer("hidden", 16, "tokens", 32),
        Node("relu", Relu(), ("hidden",)),
        layer("out", 10, "relu", 16),
    )
    return Graph("attention", (Input("image", (1, 8, 8)),), nodes, ("out",))


def test_attention_comes_nearer_to_the_ann_with_every_step() -> None:
    graph = attention()
    fine = {"use-operators.cap": 127, "use-multi-threshold-neurons.thresholds": 7}
    snn = convert(graph, "huang2024-ecmt", calibration=X, steps=64, settings=fine)

    found = simulate(snn, X, steps=64, membranes={"out": range(10)}, precision="float64")

    ann = evaluate(graph, X)
    off = [
        np.abs(found.trace.membranes["out"][:, t - 1] / t - ann).mean() / np.abs(ann).mean()
        for t in (2, 8, 64)
    ]
    assert off[0] > off[1] > off[2]
    assert off[2] < 0.02
    assert (found.predictions[:, -1] == ann.argmax(axis=1)).all()


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "async", "ticks_per_step": 4},
        {"schedule": "async", "ticks_per_step": 4, "arrivals": "netted"},
        {"engine": "reference"},
    ],
    ids=str,
)
def test_attention_keeps_the_decisions_in_every_schedule_and_engine(options: dict) -> None:
    graph, steps = attention(), 32
    fine = {"use-operators.cap": 63}
    snn = convert(graph, "huang2024-ecmt", calibration=X, steps=steps, settings=fine)

    found = simulate(snn, X[:6], steps=steps, **options)

    assert (found.predictions[:, -1] == evaluate(graph, X[:6]).argmax(axis=1)).all()


def test_the_account_says_what_became_of_every_node() -> None:
    rows = {row.node: row for row in account(convert(attention(), "huang2024-ecmt", calibration=X))}

    assert rows["weights"].became.startswith("population (expectation, threshold ")
    assert rows["q"].became == "synapses to 'scores'"
    assert rows["relu"].became.startswith("population (multi_threshold, ")
    assert "15 thresholds are 1 x the largest magnitude" in rows["weights"].why


def test_a_threshold_is_what_the_largest_magnitude_and_the_cap_say() -> None:
    graph = attention()
    largest: dict[str, float] = {}

    def keep(name: str, y: np.ndarray) -> None:
        largest[name] = max(largest.get(name, 0.0), float(np.abs(y).max()))

    evaluate(graph, X, hook=keep)

    made = UseOperators(cap=10, headroom=1.5).apply(graph, Context(X))

    for node in made:
        if node.spiking is not None:
            assert node.spiking.threshold == pytest.approx(largest[node.name] * 1.5 / 10)
            assert node.spiking.v_init == node.spiking.threshold / 2


def test_an_operator_that_decides_is_refused_unless_the_readout_fires() -> None:
    graph = attention().upto("gated")
    with pytest.raises(PassError, match="'gated': is a mul and decides, and no membrane adds"):
        convert(graph, [UseOperators()], calibration=X)


@pytest.mark.parametrize("thresholds", ["balance-thresholds", "spike-norm"])
def test_an_operator_that_decides_by_spikes_stays_one(thresholds: str) -> None:
    graph = attention()
    gate = Node("decides", Sigmoid(), ("out",))
    graph = replace(graph, nodes=(*graph.nodes, gate), outputs=("decides",), readout=SPIKES)
    passes = [
        ReplaceUnsupported(operators="keep", max_pool="keep"),
        UseOperators(cap=63),
        PASSES.get(thresholds)(),
    ]
    snn = convert(graph, passes, calibration=X, steps=32)
    assert snn["decides"].spiking.neuron == "expectation"

    found = simulate(snn, X, steps=32)

    assert (found.predictions[:, -1] == evaluate(graph, X).argmax(axis=1)).mean() >= 0.9


def test_passes_that_choose_neurons_leave_operators_alone() -> None:
    passes = [
        ReplaceUnsupported(operators="keep", max_pool="keep"),
        UseOperators(),
        BalanceThresholds(),
        InitPotential(),
    ]
    snn = convert(attention(), passes, calibration=X)

    assert snn["weights"].spiking.neuron == "expectation"
    assert snn["relu"].spiking.neuron == "if"
    assert snn["relu"].spiking.v_init == snn["relu"].spiking.threshold / 2


def test_whole_numbers_have_no_operators() -> None:
    recipe = load_recipe("huang2024-ecmt").passes
    with pytest.raises(PassError, match="node 'silu': its neurons follow a function"):
        convert(attention(), [*recipe, Quantize()], calibration=X)


def test_operators_are_not_probed() -> None:
    passes = [ReplaceUnsupported(operators="keep", max_pool="average"), UseOperators()]
    with pytest.raises(PassError, match="'probe-first', node 'silu': is an operator, and probes"):
        convert(attention(), [*passes, BalanceThresholds(), ProbeFirst()], calibration=X)


def test_recipes_without_operators_refuse_them_and_name_the_one_that_has_them() -> None:
    with pytest.raises(PassError) as caught:
        convert(attention(), "default", calibration=X, steps=8)
    for name in ("silu", "scores", "weights", "norm", "gate", "gated"):
        assert f"'{name}' (" in str(caught.value)
    assert "huang2024-ecmt" in str(caught.value)


def test_layers_are_not_calibrated_on_spikes_that_carry_numbers() -> None:
    settings = {"replace-unsupported.operators": "keep", "replace-unsupported.max_pool": "keep"}
    graph = attention()
    passes = load_recipe("default").with_settings(settings).passes
    with pytest.raises(PassError, match="node 'silu': is an operator, whose spikes carry numbers"):
        convert(graph, [*passes[:3], UseOperators(), *passes[3:]], calibration=X, steps=8)


def with_staircases(cap: int) -> Graph:
    """Return the network with operators of a cap, and 'if' neurons besides."""
    passes = [
        ReplaceUnsupported(operators="keep", max_pool="keep"),
        UseOperators(cap=cap),
        BalanceThresholds(),
        InitPotential(),
    ]
    return convert(attention(), passes, calibration=X)


def test_the_quantised_ann_rounds_as_the_operators_of_layered_do() -> None:
    snn = with_staircases(cap=3)
    ann = evaluate(snn, X)

    found = diagnose(snn, X, steps=2, precision="float64")

    layered = simulate(snn, X, steps=2, schedule="layered", precision="float64").with_ann(ann)
    assert found.quantised_agreement == layered.ann_agreement < 1


def test_the_error_of_operators_is_told_apart_from_what_reaches_them() -> None:
    snn = with_staircases(cap=63)

    found = diagnose(snn, X[:8], steps=16)

    assert [layer.name for layer in found.layers if layer.neuron == "expectation"] == [
        "silu",
        "pool",
        "scores",
        "weights",
        "mixed",
        "norm",
        "gate",
        "gated",
    ]
    # The image is constant: all that the first one is off by is the rounding to a threshold.
    first = found["silu"]
    assert max(first.propagated.rms, first.unevenness.rms, first.clipping.rms) < 1e-6
    assert 0 < first.quantisation.rms <= snn["silu"].spiking.threshold / 2 / 16
    assert found["norm"].own.rms < found["norm"].error.rms
