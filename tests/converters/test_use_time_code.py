"""use-time-code and its recipes: starts, max pools, refusals, the ANN's decisions end to end."""

import os
from pathlib import Path

import numpy as np
import pytest
from quantised import quantised_ann
from small_graphs import chain, relu_net, spiking_net, tensor
from time_codes import STANDS_FOR

from thresher import convert
from thresher.converters import Context, account, load_recipe
from thresher.converters.passes import BalanceThresholds, InitPotential, Shift, UseTimeCode
from thresher.errors import PassError
from thresher.ir import Graph, Spiking, Tensor, evaluate
from thresher.ir.ops import Conv2d, Flatten, Linear, MaxPool2d, Relu
from thresher.ir.spec import load
from thresher.sim import simulate

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("THRESHER_DATA", ROOT.parent / "shared" / "data"))
X = np.random.default_rng(3).uniform(-1, 1, (12, 2, 6, 6)).astype(np.float32)
RECIPES = {
    "stoeckl2021-fs": UseTimeCode("few-spikes"),
    "stanojevic2023-ttfs": UseTimeCode("ttfs", rounding="nearest"),
    "han2020-tsc": UseTimeCode("two-spike"),
}


def weights(name: str, *shape: int) -> Tensor:
    """Random weights in eighths."""
    return tensor(name, np.random.default_rng(len(name)).integers(-6, 9, shape) / 8)


def pooled() -> Graph:
    return chain(
        (2, 6, 6),
        ("conv1", Conv2d(weight=weights("conv1.weight", 4, 2, 3, 3), padding=1)),
        ("act1", Relu()),
        ("pool", MaxPool2d(2)),
        ("conv2", Conv2d(weight=weights("conv2.weight", 4, 4, 3, 3))),
        ("act2", Relu()),
        ("flat", Flatten()),
        ("fc", Linear(weight=weights("fc.weight", 3, 4))),
    )


def applied(step: UseTimeCode, graph: Graph, steps: int | None = 4) -> Graph:
    """Apply the pass as the runner does, which names the node."""
    context = Context(steps=steps)
    try:
        return step.apply(graph, context)
    except PassError as error:
        raise PassError(f"node '{context.node}': {error}") from error


@pytest.mark.parametrize(("recipe", "step"), RECIPES.items())
def test_a_recipe_takes_the_largest_values_as_thresholds(recipe: str, step: UseTimeCode) -> None:
    assert load_recipe(recipe).passes[-2:] == (BalanceThresholds(statistic="max"), step)


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_a_converted_network_says_is_the_quantised_ann(recipe: str) -> None:
    """Max pools included, but for the rounding of sums at a level's edge."""
    steps = 9
    snn = convert(pooled(), recipe, calibration=X, steps=steps)
    result = simulate(
        snn, X[:1], steps=steps, schedule="layered", precision="float64", record="spikes"
    )
    code, trace = snn["act1"].spiking.neuron, result.trace
    expected = quantised_ann(snn, X[0], steps)
    for index, name in enumerate(trace.populations):
        of = trace.population == index
        worth = trace.sign[of] * STANDS_FOR[code]((trace.tick[of] - 1) % steps + 1, steps)
        theta = snn["act1" if name == "pool" else name].spiking.threshold
        values = theta * np.bincount(trace.neuron[of], worth, expected[name].size)
        np.testing.assert_allclose(values, expected[name].ravel(), rtol=1e-6, err_msg=name)
        assert values.any()


@pytest.mark.parametrize(
    ("code", "half_a_level"), [("few-spikes", 4 / 2**5), ("ttfs", 1 / 2), ("two-spike", 4 / 6)]
)
def test_rounding_starts_populations_half_a_level_up(code: str, half_a_level: float) -> None:
    """Of 4 steps: levels of theta T / 2^T, theta and theta T / (T - 1) in potentials."""
    threshold = tensor("relu1.threshold", [0.5, 2.0])
    coded = applied(UseTimeCode(code, "nearest"), spiking_net(Spiking(threshold)))
    start = coded["relu1"].spiking.v_init
    np.testing.assert_allclose(start.values, half_a_level * np.array([0.5, 2.0]), rtol=1e-6)
    assert coded["relu1"].spiking.threshold is threshold


def test_a_readout_that_integrates_starts_at_nothing() -> None:
    graph = chain((2,), ("act", Relu()), ("last", Relu()))
    graph = graph.replace("act", spiking=Spiking(1.0)).replace("last", spiking=Spiking(1.0))
    coded = applied(UseTimeCode("ttfs", "nearest"), graph)
    assert (coded["act"].spiking.v_init, coded["last"].spiking.v_init) == (0.5, 0.0)


@pytest.mark.parametrize(
    ("spiking", "message"),
    [
        (Spiking(1.0, reset="hard"), "node 'relu1': its neurons have no reset; take 'hard-reset'"),
        (Spiking(1.0, v_init=0.5), "node 'relu1': v_init or shift is set already, .*rounding=near"),
        (Spiking(1.0, shift=0.5), "node 'relu1': v_init or shift is set already, .*rounding=near"),
    ],
)
def test_what_the_neurons_have_not_is_refused(spiking: Spiking, message: str) -> None:
    with pytest.raises(PassError, match=message):
        applied(UseTimeCode(), spiking_net(spiking))


@pytest.mark.parametrize("step", [InitPotential(), Shift(mode="potential")], ids=repr)
def test_a_start_that_was_made_for_counts_is_refused(step: InitPotential | Shift) -> None:
    passes = [BalanceThresholds(), UseTimeCode("few-spikes"), step]
    message = "'few_spikes' start where 'use-time-code' says; .* set use-time-code.rounding to"
    with pytest.raises(PassError, match=message):
        convert(relu_net(2), passes, calibration=np.eye(2, dtype=np.float32), steps=4)


def test_two_spikes_need_two_steps_to_round() -> None:
    with pytest.raises(PassError, match="node 'relu1': the time between two spikes needs --steps"):
        applied(UseTimeCode("two-spike", "nearest"), spiking_net(Spiking(1.0)), steps=1)


def test_a_pool_that_does_not_read_activations_is_refused_by_name() -> None:
    graph = pooled().replace("pool", inputs=("conv1",)).replace("act1", inputs=("pool",))
    graph = graph.replace("conv2", inputs=("act1",))
    message = r"node 'act1': the max pool 'pool' before it .* value by time; put it right"
    with pytest.raises(PassError, match=message):
        convert(graph, "stanojevic2023-ttfs", calibration=X, steps=4)


def test_the_account_says_what_the_neurons_say() -> None:
    rows = {row.node: row for row in account(convert(pooled(), "han2020-tsc", calibration=X))}
    assert rows["act1"].became.startswith("population (two_spike, threshold ")
    assert "two-spike: the time between two spikes" in rows["act1"].why
    assert rows["pool"].became == "population (max_pool)"


def test_other_steps_than_the_start_was_made_for_are_warned_of() -> None:
    snn = convert(pooled(), "stanojevic2023-ttfs", calibration=X, steps=8)
    with pytest.warns(UserWarning, match="made for 8 steps and 4 are run: it is no longer half"):
        simulate(snn, X[:1], steps=4, schedule="layered")


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the trained networks in {DATA}")
@pytest.mark.parametrize(("recipe", "steps"), list(zip(RECIPES, (10, 256, 256), strict=True)))
def test_lenet_decides_as_its_ann_where_levels_are_fine(recipe: str, steps: int) -> None:
    graph, x = load(DATA / "lenet_mnist.yaml"), np.load(DATA / "mnist_test.npz")["x"][:40]
    calibration = np.load(DATA / "mnist_train.npz")["x"][:100]
    snn = convert(graph, recipe, calibration=calibration, steps=steps)
    result = simulate(snn, x, steps=steps, schedule="layered")
    decided = evaluate(graph, x).argmax(axis=1)
    np.testing.assert_array_equal(result.predictions[:, -1], decided)
    most = {"few_spikes": steps, "ttfs": 1, "two_spike": 2}[snn["relu1"].spiking.neuron]
    neurons = sum(result.population_sizes.values())
    assert 0 < sum(result.spike_counts.values()).max() <= most * neurons
