"""Passes that choose neurons whose spikes carry a whole number, and the recipes made of them."""

import numpy as np
import pytest
from small_graphs import batch_norm, chain, spiking_net, tensor

from thresher import convert
from thresher.converters import PASSES, Context, account
from thresher.errors import PassError
from thresher.ir import Graph, Op, Spiking, evaluate
from thresher.ir.ops import AvgPool2d, Conv2d, Flatten, LeakyRelu, Linear, MaxPool2d, Relu
from thresher.ir.spiking import spread
from thresher.sim import simulate

X = np.random.default_rng(3).uniform(-1, 1, (12, 2, 6, 6)).astype(np.float32)
CHOICES = ["use-burst-neurons", "use-multi-threshold-neurons", "use-snm-neurons"]


def net(first: Op, second: Op, pool: Op) -> Graph:
    rng = np.random.default_rng(8)

    def weights(name: str, *shape: int) -> object:
        return tensor(name, rng.integers(-6, 9, shape) / 8)

    size = pool.infer_shape((4, 6, 6))[1] - 2
    return chain(
        (2, 6, 6),
        ("conv1", Conv2d(weight=weights("conv1.weight", 4, 2, 3, 3), padding=1)),
        ("bn1", batch_norm("bn1", 4)),
        ("act1", first),
        ("pool", pool),
        ("conv2", Conv2d(weight=weights("conv2.weight", 4, 4, 3, 3))),
        ("act2", second),
        ("flat", Flatten()),
        ("fc", Linear(weight=weights("fc.weight", 3, 4 * size * size))),
    )


def distance(snn: Graph, ann: Graph, steps: int) -> dict[str, float]:
    """Return how far theta * counts / T is from the ANN's values, as a part of the largest."""
    values: dict[str, np.ndarray] = {}
    evaluate(ann, X, hook=values.__setitem__)
    result = simulate(snn, X, steps=steps, record="spikes", precision="float64")
    found = {}
    for name in ("act1", "act2"):
        theta = spread(snn[name].spiking.threshold, snn.shapes[name])
        counts = np.stack([result.trace.counts(name, sample) for sample in range(len(X))])
        error = np.abs(theta * counts / steps - values[name]).max()
        found[name] = float(error / np.abs(values[name]).max())
    return found


@pytest.mark.parametrize(
    ("recipe", "steps", "most"),
    [
        ("zhang2026-hmt", 16, 0.01),
        ("huang2025-mt", 64, 0.02),
        ("lv2024-gn", 64, 0.05),
        ("li2022-burst", 128, 0.05),
        ("wang2022-snm", 128, 0.05),
    ],
)
def test_a_recipe_converges_on_the_ann(recipe: str, steps: int, most: float) -> None:
    ann = net(Relu(), Relu(), AvgPool2d(2))
    settings = {}
    if recipe == "li2022-burst":
        settings["balance-thresholds.percent"] = 100.0  # clipped values stay clipped
    snn = convert(ann, recipe, calibration=X, steps=steps, settings=settings)
    assert max(distance(snn, ann, steps).values()) < most


@pytest.mark.parametrize("slope", [0.1, 0.5])
def test_leaky_relus_convert_with_imbalanced_neurons(slope: float) -> None:
    ann = net(LeakyRelu(slope=slope), LeakyRelu(slope=slope), AvgPool2d(2))
    snn = convert(ann, "kim2020", calibration=X, steps=256)
    found = distance(snn, ann, 256)
    assert found["act1"] < 1 / 256  # a constant current: less than one spike
    assert found["act2"] < 0.05
    rows = {row.node: row.became for row in account(snn)}
    assert rows["act1"].startswith("population (imbalanced, threshold ")
    assert f"slope {slope:g}" in rows["act1"]


def test_a_leaky_relu_of_slope_0_is_a_relu_for_which_no_other_neuron_is_needed() -> None:
    snn = convert(net(LeakyRelu(slope=0.0), Relu(), AvgPool2d(2)), "kim2020", calibration=X)
    assert snn["act1"].op == Relu()
    assert snn["act1"].spiking.neuron == "if"


def test_members_divide_the_threshold_and_multiply_what_a_spike_carries() -> None:
    ann = net(Relu(), Relu(), AvgPool2d(2))
    plain = convert(ann, "lv2024-gn", calibration=X, settings={"use-burst-neurons.members": 1})
    four = convert(ann, "lv2024-gn", calibration=X)
    theta, quarter = (spread(g["act2"].spiking.threshold, (4, 1, 1)) for g in (plain, four))
    np.testing.assert_allclose(quarter, theta / 4, rtol=1e-6)
    assert (plain["act2"].spiking.parameters["cap"], four["act2"].spiking.parameters["cap"]) == (
        1,
        4,
    )


@pytest.mark.parametrize("steps", [3, 8])
def test_large_signed_spikes_give_the_exact_counts_at_once(steps: int) -> None:
    ann = net(Relu(), Relu(), MaxPool2d(2))
    at_once = convert(
        ann, "exact", calibration=X, steps=steps, settings={"use-signed-neurons.cap": 127}
    )
    settled = convert(ann, "exact", calibration=X, steps=steps)
    expected = simulate(settled, X, steps=steps, settle=True, record="spikes", precision="float64")
    found = simulate(at_once, X, steps=steps, record="spikes", precision="float64")
    for sample in range(len(X)):
        for name in ("act1", "pool", "act2"):
            np.testing.assert_array_equal(
                found.trace.counts(name, sample), expected.trace.counts(name, sample)
            )


@pytest.mark.parametrize("name", ["use-burst-neurons", "use-signed-neurons"])
def test_spikes_that_would_carry_too_much_are_refused(name: str) -> None:
    step = PASSES.get(name)(cap=10, members=13)
    with pytest.raises(PassError, match="a spike would carry up to 130; at most 127 are possible"):
        step.apply(spiking_net(Spiking(threshold=1.0)), Context(steps=4))


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize(
    ("spiking", "op", "message"),
    [
        (Spiking(threshold=1.0, reset="hard"), Relu(), "hard reset loses charge"),
        (Spiking(threshold=1.0, v_init=0.5), Relu(), "v_init is set already; put 'init-potential'"),
        (Spiking(threshold=1.0, shift=0.5), Relu(), "shift is set already; put 'shift' after"),
        (Spiking(threshold=1.0, neuron="snm"), Relu(), "its neuron is 'snm' already; keep one of"),
        (Spiking(threshold=1.0), LeakyRelu(), "only 'use-imbalanced-neurons' has a neuron"),
    ],
)
def test_annotations_that_a_choice_of_neurons_cannot_change_are_refused(
    name: str, spiking: Spiking, op: Op, message: str
) -> None:
    graph = spiking_net(spiking).replace("relu1", op=op)
    with pytest.raises(PassError, match=message):
        PASSES.get(name)().apply(graph, Context(steps=4))


def test_an_imbalanced_neuron_refuses_a_hard_reset() -> None:
    graph = spiking_net(Spiking(threshold=1.0, reset="hard")).replace("relu1", op=LeakyRelu())
    with pytest.raises(PassError, match="hard reset loses charge; take 'hard-reset' out"):
        PASSES.get("use-imbalanced-neurons")().apply(graph, Context())
