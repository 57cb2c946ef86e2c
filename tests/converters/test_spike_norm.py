"""spike-norm: thresholds from what the spikes of the layers before add up to in one step."""

import numpy as np
import pytest
from small_graphs import chain, identity_linear, relu_net, tensor, with_nodes

from thresher.conversion import EngineSimulator
from thresher.converters import Context
from thresher.converters.passes import SpikeNorm
from thresher.ir import Graph, Node, Spiking
from thresher.ir.ops import Add, ClippedRelu, Flatten, LeakyRelu, Linear, MaxPool2d, Relu

RNG = np.random.default_rng(3)
W1, W2, W3 = (RNG.integers(-8, 9, shape) / 8 for shape in ((6, 4), (6, 6), (3, 6)))
X = (RNG.integers(0, 9, (10, 4)) / 8).astype(np.float32)
STEPS = 12


def residual() -> Graph:
    """relu1, and relu2 on the sum of fc2 and the shortcut from relu1; relu3 after fc3."""
    first = chain(
        (4,),
        ("fc1", Linear(weight=tensor("fc1.weight", W1))),
        ("relu1", Relu()),
        ("fc2", Linear(weight=tensor("fc2.weight", W2))),
    )
    nodes = [
        Node("sum", Add(), ("fc2", "relu1")),
        Node("relu2", Relu(), ("sum",)),
        Node("fc3", Linear(weight=tensor("fc3.weight", W3)), ("relu2",)),
        Node("relu3", Relu(), ("fc3",)),
        Node("out", Flatten(), ("relu3",)),
    ]
    return with_nodes(first, nodes, "out")


def normed(graph: Graph, x: np.ndarray, steps: int = STEPS, reset: str = "hard") -> Graph:
    context = Context(calibration=x, steps=steps, simulator=EngineSimulator(threads=1))
    return SpikeNorm(reset=reset).apply(graph, context)


def fire(currents: np.ndarray, theta: float, reset: str) -> np.ndarray:
    """Integrate currents (n, steps, neurons); return theta * spikes."""
    v, sent = np.zeros(currents[:, 0].shape), np.zeros(currents.shape)
    for step in range(currents.shape[1]):
        v += currents[:, step]
        fires = v >= theta
        sent[:, step] = theta * fires
        v = np.where(fires, 0.0, v) if reset == "hard" else v - theta * fires
    return sent


@pytest.mark.parametrize("reset", ["hard", "soft"])
def test_thresholds_are_the_largest_sums_of_a_step(reset: str) -> None:
    currents = np.repeat(X[:, None] @ W1.T, STEPS, axis=1)
    first = fire(currents, currents.max(), reset)
    sums = first @ W2.T + first
    second = fire(sums, sums.max(), reset) @ W3.T

    snn = normed(residual(), X, reset=reset)

    expected = [currents.max(), sums.max(), second.max()]
    assert [snn[f"relu{i}"].spiking.threshold for i in (1, 2, 3)] == expected
    assert {snn[f"relu{i}"].spiking.reset for i in (1, 2, 3)} == {reset}


def test_thresholds_behind_a_max_pool_of_spikes_are_those_that_its_spikes_bring() -> None:
    # Thresholds are 1 and 1: the first of the pair fires at every step, and the pool follows it.
    graph = chain(
        (1, 1, 2),
        ("relu1", Relu()),
        ("pool", MaxPool2d(kernel=(1, 2))),
        ("flat", Flatten()),
        ("fc2", Linear(weight=tensor("fc2.weight", [[0.5]]))),
        ("relu2", Relu()),
        ("fc3", Linear(weight=tensor("fc3.weight", [[3.0]]))),
        ("relu3", Relu()),
    )

    snn = normed(graph, np.array([[[[1.0, 0.25]]]], np.float32), reset="soft")

    assert [snn[f"relu{i}"].spiking.threshold for i in (1, 2, 3)] == [1.0, 0.5, 1.5]


def test_a_population_that_nothing_reads_is_not_run() -> None:
    # A leaky ReLU has no neuron yet, with which it could be.
    graph = chain(
        (2,), ("fc1", Linear(weight=tensor("fc1.weight", np.eye(2)))), ("act", LeakyRelu())
    )

    snn = normed(graph, np.ones((2, 2), np.float32), reset="soft")

    assert snn["act"].spiking.threshold == 1.0


def test_spikes_that_make_up_for_others_bring_more_than_the_ann_s_activation() -> None:
    # 1 and 3/4 with a threshold of 1 fire (1, 0) and (1, 1): 2 at step 2, 7/4 in the ANN.
    graph = chain(
        (2,),
        ("relu1", Relu()),
        ("fc2", Linear(weight=tensor("fc2.weight", [[1.0, 1.0]]))),
        ("relu2", Relu()),
    )

    snn = normed(graph, np.array([[1.0, 0.75]] * 2, np.float32), steps=2)

    assert snn["relu2"].spiking.threshold == 2.0


def test_a_layer_that_no_step_excites_takes_one() -> None:
    assert normed(relu_net(2), -np.ones((2, 2), np.float32))["relu1"].spiking == Spiking(
        threshold=1.0, reset="hard"
    )


def test_a_ceiling_that_is_less_is_the_threshold() -> None:
    graph = chain((2,), ("fc", identity_linear("fc", 2)), ("act", ClippedRelu(max=0.5)))

    assert normed(graph, np.ones((2, 2), np.float32))["act"].spiking.threshold == 0.5


def test_an_output_that_fires_gets_a_threshold_and_one_that_integrates_gets_none() -> None:
    x = np.full((2, 2), 3.0, np.float32)

    assert normed(relu_net(2, readout="spikes"), x)["fc2"].spiking.threshold == 3.0
    assert normed(relu_net(2), x)["fc2"].spiking is None
