"""bound-thresholds: the most that one step can bring, and the paper's scaled weights."""

import numpy as np
import pytest
from small_graphs import chain, relu_net, tensor

from thresher.conversion import EngineSimulator
from thresher.converters import Context
from thresher.converters.passes import BoundThresholds, HardReset
from thresher.errors import PassError
from thresher.ir import Graph, Spiking
from thresher.ir.ops import Conv2d, Flatten, Linear, Relu, Softmax
from thresher.sim import simulate

UNIT = np.array([[0.0] * 3, [1.0] * 3], np.float32)


def layers(*weights: object, biases: object = None) -> Graph:
    links = []
    for i, weight in enumerate(weights):
        bias = None if biases is None else tensor(f"fc{i}.bias", biases[i])
        fc = Linear(weight=tensor(f"fc{i}.weight", weight), bias=bias)
        links += [(f"fc{i}", fc), (f"relu{i}", Relu())]
    return chain((np.shape(weights[0])[1],), *links, ("out", Flatten()))


def bounds(graph: Graph, x: np.ndarray) -> list[float]:
    bounded = BoundThresholds().apply(graph, Context(calibration=x))
    return [node.spiking.threshold for node in bounded if node.spiking is not None]


def test_the_first_bound_is_the_largest_sum_of_positive_weights() -> None:
    assert bounds(layers([[1.0, 0.5, -8.0], [0.25, 0.5, 0.5]]), UNIT) == [1.5]


def test_bounds_multiply_from_layer_to_layer() -> None:
    assert bounds(layers([[1.0, 2.0, -1.0]], [[0.5], [-4.0]], [[2.0, 6.0]]), UNIT) == [3, 1.5, 12]


def test_values_below_0_count_with_weights_below_0() -> None:
    x = np.array([[-2.0, 0.0], [0.5, 1.0]], np.float32)

    assert bounds(layers([[1.0, -3.0]]), x) == [1.0 + 6.0]


def test_an_input_that_is_never_0_may_still_be_silent() -> None:
    # A spiking encoder sends nothing in most steps: the least that comes is 0, and not 2 * -1.
    assert bounds(layers([[3.0, -1.0]]), np.full((2, 2), 2.0, np.float32)) == [6.0]


def test_a_bias_is_part_of_what_a_step_brings() -> None:
    graph = layers([[1.0, 1.0]], [[2.0], [1.0]], biases=[[0.5], [-1.0, 3.0]])
    context = Context(calibration=UNIT[:, :2])

    bounded = BoundThresholds().apply(graph, context)

    found = [node.spiking.threshold for node in bounded if node.spiking is not None]
    assert found == [2.5, max(2 * 2.5 - 1, 2.5 + 3)]
    assert "biases, which the paper's networks lack" in context.notes[0].why


def test_a_layer_that_nothing_can_reach_takes_one() -> None:
    assert bounds(layers([[-1.0, -2.0, 0.0]], [[3.0]]), UNIT) == [1.0, 3.0]


def test_padding_adds_nothing_to_a_convolution_s_bound() -> None:
    conv = Conv2d(weight=tensor("conv.weight", np.ones((1, 1, 3, 3))), padding=1)
    graph = chain((1, 2, 2), ("conv", conv), ("relu", Relu()), ("flat", Flatten()))

    # A window over the padded 2 x 2 image sees four pixels.
    assert bounds(graph, np.array([np.zeros((1, 2, 2)), np.ones((1, 2, 2))], np.float32)) == [4.0]


def test_an_output_that_fires_is_bounded_too() -> None:
    bounded = BoundThresholds().apply(relu_net(3, readout="spikes"), Context(calibration=UNIT))

    assert bounded["fc2"].spiking == Spiking(threshold=1.0)


def test_what_is_not_linear_is_refused() -> None:
    graph = chain((3,), ("soft", Softmax()), ("relu", Relu()))

    with pytest.raises(PassError, match="what comes before it is not linear"):
        bounds(graph, UNIT)


@pytest.mark.parametrize("seed", range(4))
def test_no_step_brings_more_than_the_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 2, (20, 5)).astype(np.float32)
    graph = layers(*(rng.normal(size=(n, m)) for n, m in ((8, 5), (6, 8), (4, 6))))
    bounded = BoundThresholds().apply(graph, Context(calibration=x))
    sums = HardReset().apply(bounded, Context()), EngineSimulator(threads=1)

    for i in range(3):
        most = sums[1].values(sums[0], x, 16, f"fc{i}").max()
        assert most <= bounded[f"relu{i}"].spiking.threshold * (1 + 1e-6)


def test_thresholds_of_the_bounds_fire_as_scaled_weights_with_thresholds_of_one() -> None:
    # The paper's: W_l is divided by s_l, the largest sum of its positive weights: 2, 8 and 1/2.
    weights = [[[1.0, 1.0, -2.0], [0.5, 0.25, 0.0]], [[4.0, 4.0], [-1.0, 2.0]], [[0.25, 0.25]]]
    scales = (2.0, 8.0, 0.5)
    x = (np.random.default_rng(2).integers(0, 9, (12, 3)) / 8).astype(np.float32)
    ours = BoundThresholds().apply(layers(*weights), Context(calibration=UNIT))
    theirs = layers(*(np.array(w) / s for w, s in zip(weights, scales, strict=True)))
    for i in range(3):
        theirs = theirs.replace(f"relu{i}", spiking=Spiking(threshold=1.0))

    trains = [
        simulate(
            HardReset().apply(graph, Context()), x, steps=40, engine="reference", record="spikes"
        ).trace
        for graph in (ours, theirs)
    ]

    assert [ours[f"relu{i}"].spiking.threshold for i in range(3)] == [2.0, 16.0, 8.0]
    assert set(trains[0].population) == {0, 1, 2}
    for column in ("sample", "tick", "population", "neuron"):
        np.testing.assert_array_equal(getattr(trains[0], column), getattr(trains[1], column))
