"""calibrate-layers: what it brings nearer to the ANN, layer by layer, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from small_graphs import chain, tensor

from thresher import account, convert, evaluate, simulate
from thresher.conversion import EngineSimulator
from thresher.converters import Context, Pass
from thresher.converters.passes import (
    BalanceThresholds,
    CalibrateLayers,
    HardReset,
    InitPotential,
    UseSignedNeurons,
)
from thresher.errors import PassError
from thresher.ir import Graph
from thresher.ir.ops import Conv2d, Flatten, Linear, MaxPool2d, Relu
from thresher.ir.spiking import spread

STEPS = 8
Array = NDArray[np.float32]


def network(layers: int = 4) -> Graph:
    """Convolutions with ReLUs whose errors add up; their weights have both signs."""
    rng = np.random.default_rng(5)
    links = []
    for i in range(layers):
        channels = 2 if i == 0 else 6
        weight = rng.normal(size=(6, channels, 3, 3)) / np.sqrt(4.5 * channels)
        conv = Conv2d(
            weight=tensor(f"conv{i}.weight", weight),
            bias=tensor(f"conv{i}.bias", rng.normal(size=6) / 8),
            padding=1,
        )
        links += [(f"conv{i}", conv), (f"relu{i}", Relu())]
    fc = Linear(weight=tensor("fc.weight", rng.normal(size=(3, 6 * 25)) / 8))
    return chain((2, 5, 5), *links, ("flat", Flatten()), ("fc", fc))


def images(n: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).normal(size=(n, 2, 5, 5)).astype(np.float32)


def converted(step: Pass | None, *, steps: int = STEPS, x: Array | None = None) -> Graph:
    first = [BalanceThresholds(statistic="mmse", granularity="channel"), InitPotential()]
    passes = first if step is None else [*first, step]
    return convert(network(), passes, calibration=images(64) if x is None else x, steps=steps)


def errors(snn: Graph, x: Array, steps: int = STEPS, **options: object) -> dict[str, Array]:
    """What each population sends on average, less the ANN's activation: (n, *shape)."""
    exact: dict[str, Array] = {}
    evaluate(network(), x, hook=exact.__setitem__, batch=len(x))
    run = simulate(snn, x, steps=steps, record="spikes", **options)
    found = {}
    for node in snn:
        if node.spiking is not None:
            theta = spread(node.spiking.threshold, snn.shapes[node.name])
            counts = np.stack([run.trace.counts(node.name, i) for i in range(len(x))])
            found[node.name] = theta * counts / steps - exact[node.name]
    return found


def mean_square(snn: Graph, x: Array, **options: object) -> list[float]:
    return [float((e**2).mean()) for e in errors(snn, x, **options).values()]


def test_bias_leaves_no_mean_error_in_any_channel_of_the_calibration_images() -> None:
    x = images(64)
    plain = errors(converted(None), x)
    snn = converted(CalibrateLayers(start="bias", weights="keep", rounds=6))
    for name, found in errors(snn, x).items():
        before = np.abs(plain[name].mean(axis=(0, 2, 3))).max()
        after = np.abs(found.mean(axis=(0, 2, 3))).max()
        # Spikes are whole: the correction stops where the next one is too many.
        assert after < max(0.15 * before, 2e-3)


def test_potential_leaves_less_mean_error_in_the_neurons() -> None:
    x = images(64)
    plain = errors(converted(None), x)
    snn = converted(CalibrateLayers(start="potential", weights="keep"))
    for name, found in errors(snn, x).items():
        if name != "relu0":
            assert (found.mean(0) ** 2).mean() < 0.5 * (plain[name].mean(0) ** 2).mean()


@pytest.mark.parametrize("options", [{"start": "line", "weights": "keep"}, {}])
def test_every_layer_behind_the_first_comes_nearer_on_images_that_it_has_not_seen(
    options: dict[str, str],
) -> None:
    x = images(64, seed=2)
    plain = mean_square(converted(None), x)
    calibrated = mean_square(converted(CalibrateLayers(**options)), x)
    assert all(after < before for before, after in zip(plain[1:], calibrated[1:], strict=True))


def test_refitted_weights_come_nearer_than_neurons_alone() -> None:
    x = images(64, seed=2)
    many = images(256)
    neurons = mean_square(converted(CalibrateLayers(weights="keep"), x=many), x)
    both = mean_square(converted(CalibrateLayers(), x=many), x)
    assert both[2] < neurons[2]
    assert both[3] < 0.95 * neurons[3]


def test_calibrated_for_the_asynchronous_schedule_it_comes_nearer_there() -> None:
    x = images(48, seed=2)
    run = {"schedule": "async", "ticks_per_step": 16}
    lockstep = mean_square(converted(CalibrateLayers()), x, **run)
    asynchronous = mean_square(converted(CalibrateLayers(ticks_per_step=16)), x, **run)
    assert asynchronous[-1] < 0.8 * lockstep[-1]


def test_what_the_first_layer_computes_is_exact_so_that_its_weights_stay() -> None:
    snn = converted(CalibrateLayers())
    assert snn["conv0"].synapses is None
    assert snn["conv1"].synapses is not None


def test_the_ann_s_weights_stay_beside_those_of_the_synapses() -> None:
    x = images(16)
    np.testing.assert_array_equal(evaluate(converted(CalibrateLayers()), x), evaluate(network(), x))


def test_a_layer_that_feeds_two_populations_keeps_its_weights() -> None:
    graph = network(2)
    twice = replace(
        graph,
        nodes=(
            *graph.nodes[:3],
            *(replace(graph["relu1"], name=name, inputs=("conv1",)) for name in ("a", "relu1")),
            *graph.nodes[4:],
        ),
    )
    snn = convert(
        twice,
        [BalanceThresholds(), CalibrateLayers(images=8)],
        calibration=images(8),
        steps=STEPS,
    )
    assert snn["conv1"].synapses is None


def test_the_same_images_give_the_same_network() -> None:
    assert converted(CalibrateLayers()) == converted(CalibrateLayers())


def test_images_beyond_those_asked_for_change_nothing() -> None:
    step = CalibrateLayers(images=16, fitted=8)
    x = images(64)
    thresholds = [BalanceThresholds(own_ceiling="ignore"), InitPotential()]
    first = Context(x[:16], steps=STEPS, simulator=EngineSimulator())
    more = Context(x, steps=STEPS, simulator=EngineSimulator())
    graph = convert(network(), thresholds, calibration=x)
    assert step.apply(graph, first) == step.apply(graph, more)


def test_the_account_says_for_what_it_was_calibrated() -> None:
    rows = {row.node: row for row in account(converted(CalibrateLayers()))}
    assert "calibrated (line) for T = 8, lockstep" in rows["relu1"].why
    assert "refitted to the spikes that reach it" in rows["conv1"].why


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        ([CalibrateLayers()], "relu0.*no threshold yet; put 'balance-thresholds' before"),
        (
            [BalanceThresholds(), HardReset(), CalibrateLayers()],
            "relu0.*'if' with hard reset; expected 'if' with soft reset",
        ),
        (
            [BalanceThresholds(), UseSignedNeurons(), CalibrateLayers()],
            "relu0.*neuron is 'signed_if'.*expected 'if'",
        ),
    ],
)
def test_what_it_cannot_calibrate_is_refused(passes: list[Pass], message: str) -> None:
    with pytest.raises(PassError, match=message):
        convert(network(), passes, calibration=images(8), steps=STEPS)


def test_a_max_pool_is_refused_by_name() -> None:
    graph = chain((2, 4, 4), ("relu", Relu()), ("pool", MaxPool2d(kernel=2)), ("flat", Flatten()))
    with pytest.raises(PassError, match="node 'pool': is a max pool of spikes; set replace-uns"):
        convert(
            graph,
            [BalanceThresholds(), CalibrateLayers()],
            calibration=np.ones((4, 2, 4, 4), np.float32),
            steps=STEPS,
        )
