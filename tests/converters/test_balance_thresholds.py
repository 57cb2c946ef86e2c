"""balance-thresholds: thresholds from calibration data, by every statistic and granularity."""

import numpy as np
import pytest
from small_graphs import chain, identity_linear, relu_net, tensor, with_nodes

from thresher.converters import Context
from thresher.converters.passes import BalanceThresholds
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking, Tensor, evaluate
from thresher.ir.ops import Add, ClippedRelu, Flatten, LeakyRelu, Linear, Qcfs, Relu

X = np.array([[1.0, 4.0, 0.0], [2.0, 0.5, 0.0], [-1.0, 3.0, -2.0]], np.float32)


def balance(graph: Graph, x: np.ndarray, steps: int | None = None, **fields: object) -> Graph:
    return BalanceThresholds(**fields).apply(graph, Context(calibration=x, steps=steps))


def threshold(graph: Graph, node: str) -> object:
    value = graph[node].spiking.threshold
    return value.values.tolist() if isinstance(value, Tensor) else value


def test_the_maximum_of_a_layer_is_over_all_of_it() -> None:
    assert balance(relu_net(3), X)["relu1"].spiking == Spiking(threshold=4.0)


def test_the_maximum_of_a_channel_is_its_own_and_a_dead_one_takes_the_layer_s() -> None:
    spiking = balance(relu_net(3), X, granularity="channel")["relu1"].spiking

    assert spiking.threshold == tensor("relu1.threshold", [2.0, 4.0, 4.0])


def test_channels_that_agree_share_one_number() -> None:
    x = np.array([[2.0, 1.0], [0.0, 2.0]], np.float32)

    assert threshold(balance(relu_net(2), x, granularity="channel"), "relu1") == 2.0


def test_nothing_clips_at_the_maximum_over_the_calibration_set() -> None:
    rng = np.random.default_rng(1)
    graph = chain(
        (6,),
        ("fc1", Linear(weight=tensor("fc1.weight", rng.normal(size=(8, 6))))),
        ("relu1", Relu()),
        ("fc2", Linear(weight=tensor("fc2.weight", rng.normal(size=(4, 8))))),
        ("relu2", Relu()),
    )
    x = rng.normal(size=(50, 6)).astype(np.float32)
    balanced = balance(graph, x, granularity="channel")
    clipped: list[bool] = []

    def look(name: str, y: np.ndarray) -> None:
        if balanced[name].spiking is not None:
            clipped.append(bool((y > np.asarray(threshold(balanced, name), np.float32)).any()))

    evaluate(graph, x, hook=look)

    assert clipped == [False, False]


@pytest.mark.parametrize("statistic", ["max", "percentile"])
def test_a_leaky_relu_counts_values_below_0_as_well(statistic: str) -> None:
    graph = chain((1,), ("leaky", LeakyRelu(slope=0.5)))
    x = np.array([[1.0], [-8.0]], np.float32)

    balanced = balance(graph, x, statistic=statistic, percent=100.0)

    assert threshold(balanced, "leaky") == 4.0


def test_a_layer_without_any_value_gets_one_and_says_so() -> None:
    context = Context(calibration=-np.ones((3, 2), np.float32))

    balanced = BalanceThresholds(granularity="channel").apply(relu_net(2), context)

    assert threshold(balanced, "relu1") == 1.0
    assert context.notes[0].why == "1, as no value is positive over the calibration set"


def test_the_percentile_leaves_the_highest_values_out() -> None:
    x = np.arange(1, 1001, dtype=np.float32).reshape(-1, 1)

    balanced = balance(relu_net(1), x, statistic="percentile", percent=90)

    np.testing.assert_allclose(threshold(balanced, "relu1"), 900, atol=1.5)


@pytest.mark.parametrize(("over", "expected"), [("nonzero", 95.0), ("all", 90.0)])
def test_the_percentile_counts_zeros_where_it_is_told_to(over: str, expected: float) -> None:
    x = np.concatenate([np.arange(1, 101), np.zeros(100)]).astype(np.float32).reshape(-1, 1)

    balanced = balance(relu_net(1), x, statistic="percentile", percent=95, over=over)

    np.testing.assert_allclose(threshold(balanced, "relu1"), expected, atol=0.5)


def test_a_percentile_of_zero_gives_way_to_the_maximum() -> None:
    x = np.array([[0.0], [0.0], [0.0], [3.0]], np.float32)

    balanced = balance(relu_net(1), x, statistic="percentile", percent=50, over="all")

    assert threshold(balanced, "relu1") == 3.0


def test_the_least_square_error_of_two_levels_is_exact() -> None:
    # One step tells 0 from V: the value 2 stands alone, so V = 2 leaves no error.
    x = np.array([[2.0], [0.0], [2.0]], np.float32)

    assert threshold(balance(relu_net(1), x, steps=1, statistic="mmse"), "relu1") == 2.0


def test_the_least_square_error_clips_an_outlier() -> None:
    x = np.array([[1.0]] * 1000 + [[4.0]], np.float32)

    found = threshold(balance(relu_net(1), x, steps=2, statistic="mmse"), "relu1")

    # V = 1 clips one value by 3; V = 2 at two steps gives 1 exactly and clips it by 2 only.
    np.testing.assert_allclose(found, 2.0, rtol=0.011)


def test_the_least_square_error_is_sought_for_each_channel() -> None:
    x = np.array([[2.0, 8.0], [0.0, 8.0]], np.float32)

    balanced = balance(relu_net(2), x, steps=1, statistic="mmse", granularity="channel")

    assert threshold(balanced, "relu1") == [2.0, 8.0]


def test_one_spike_of_a_single_size_leaves_out_what_lies_under_three_quarters() -> None:
    # of 4, 1, 1, ... with one threshold: at 1 the error is 9 once, at 4 it is 1 twenty times
    x = np.array([[4.0]] + [[1.0]] * 20, np.float32)
    sizes = [
        threshold(balance(relu_net(1), x, statistic="mmse_spike", thresholds=n), "relu1")
        for n in (1, 3)
    ]
    np.testing.assert_allclose(sizes, [1.15, 4.0], rtol=0.011)


def test_the_least_square_error_needs_steps() -> None:
    assert "steps" not in BalanceThresholds(statistic="mmse_spike").needed()
    assert "steps" in BalanceThresholds(statistic="mmse").needed()
    assert "steps" not in BalanceThresholds(statistic="max").needed()


@pytest.mark.parametrize("op", [ClippedRelu(max=3.0), Qcfs(levels=4, max=3.0)])
def test_a_ceiling_of_its_own_is_the_threshold(op: ClippedRelu | Qcfs) -> None:
    graph = chain((3,), ("fc", identity_linear("fc", 3)), ("act", op))

    assert threshold(balance(graph, X[1:2], granularity="channel"), "act") == 3.0


def test_a_ceiling_is_ignored_on_request() -> None:
    graph = chain((3,), ("fc", identity_linear("fc", 3)), ("act", ClippedRelu(max=3.0)))

    assert threshold(balance(graph, X[1:2], own_ceiling="ignore"), "act") == 2.0


def test_a_population_after_an_add_gets_the_sum_s_threshold() -> None:
    graph = with_nodes(
        relu_net(3),
        [Node("sum", Add(), ("fc2", "relu1")), Node("relu2", Relu(), ("sum",))],
        "relu2",
    )

    balanced = balance(graph, X)

    assert (threshold(balanced, "relu1"), threshold(balanced, "relu2")) == (4.0, 8.0)


def test_an_output_that_integrates_gets_no_threshold() -> None:
    assert balance(relu_net(3), X)["fc2"].spiking is None


def test_an_output_that_fires_gets_its_maximum() -> None:
    balanced = balance(relu_net(3, readout="spikes"), X, granularity="channel")

    assert balanced["fc2"].spiking == Spiking(threshold=4.0)


def test_an_output_that_fires_but_is_never_positive_gets_one() -> None:
    graph = chain((2,), ("fc", identity_linear("fc", 2)), readout="spikes")

    assert threshold(balance(graph, -np.ones((2, 2), np.float32)), "fc") == 1.0


def test_the_input_s_threshold_is_its_largest_magnitude() -> None:
    x = np.array([[0.5, -3.0], [2.0, 1.0]], np.float32)

    assert balance(relu_net(2), x).inputs[0].threshold == 3.0


def test_an_input_of_zeros_gets_no_threshold() -> None:
    assert balance(relu_net(2), np.zeros((2, 2), np.float32)).inputs[0].threshold is None


def test_the_same_images_in_another_order_give_the_same_thresholds() -> None:
    x = np.random.default_rng(5).normal(size=(60, 3)).astype(np.float32)

    first = balance(relu_net(3), x, steps=8, statistic="mmse", granularity="channel")
    other = balance(relu_net(3), x[::-1], steps=8, statistic="mmse", granularity="channel")

    assert first == other


def test_missing_images_are_asked_for() -> None:
    with pytest.raises(PassError, match=r"needs calibration data: give --data FILE"):
        BalanceThresholds().apply(relu_net(2), Context())


@pytest.mark.parametrize("statistic", ["max", "percentile", "mmse"])
def test_a_factor_multiplies_what_was_measured_and_leaves_a_ceiling_of_its_own(
    statistic: str,
) -> None:
    x = np.random.default_rng(0).uniform(0, 2, (50, 1)).astype(np.float32)
    own = chain((1,), ("relu1", Relu()), ("act2", ClippedRelu(max=3.0)), ("flat", Flatten()))

    def thresholds(factor: float) -> list[float]:
        step = BalanceThresholds(statistic=statistic, factor=factor)
        done = step.apply(own, Context(x, steps=4))
        return [done[name].spiking.threshold for name in ("relu1", "act2")]

    whole, scaled = thresholds(1.0), thresholds(0.75)
    assert scaled[0] == pytest.approx(0.75 * whole[0])
    assert scaled[1] == whole[1] == 3.0


def test_a_largest_weight_above_the_maximum_is_the_threshold() -> None:
    graph = chain(
        (2,),
        ("fc1", Linear(weight=tensor("fc1.weight", [[3.0, -3.0], [0.5, 0.25]]))),
        ("relu1", Relu()),
        ("fc2", Linear(weight=tensor("fc2.weight", [[0.5, -9.0]]))),
        ("relu2", Relu()),
    )
    x = np.array([[1.0, 1.0], [2.0, 2.0]], np.float32)

    balanced = balance(graph, x, statistic="max_or_weight")

    # The maxima are 2 * 0.75 = 1.5 and 0, as relu1 gives (0, 1.5) at the most.
    assert [threshold(balanced, name) for name in ("relu1", "relu2")] == [3.0, 0.5]


def test_a_maximum_above_the_largest_weight_stays() -> None:
    assert threshold(balance(relu_net(3), X, statistic="max_or_weight"), "relu1") == 4.0


def test_the_weights_before_an_add_are_those_of_both_ways() -> None:
    graph = with_nodes(
        relu_net(1),
        [
            Node("other", Linear(weight=tensor("other.weight", [[9.0]])), ("image",)),
            Node("sum", Add(), ("fc2", "other")),
            Node("relu2", Relu(), ("sum",)),
        ],
        "relu2",
    )
    x = np.array([[-1.0], [0.5]], np.float32)

    assert threshold(balance(graph, x, statistic="max_or_weight"), "relu2") == 9.0


def test_an_output_that_fires_has_a_largest_weight_too() -> None:
    graph = chain((1,), ("fc", Linear(weight=tensor("fc.weight", [[2.0]]))), readout="spikes")
    x = np.array([[0.25], [0.5]], np.float32)

    assert threshold(balance(graph, x, statistic="max_or_weight"), "fc") == 2.0


def test_biases_are_said_to_be_none_of_the_paper_s() -> None:
    fc = Linear(weight=tensor("fc.weight", [[1.0]]), bias=tensor("fc.bias", [1.0]))
    graph = chain((1,), ("fc", fc), ("relu", Relu()))
    context = Context(calibration=np.ones((2, 1), np.float32))

    BalanceThresholds(statistic="max_or_weight").apply(graph, context)

    assert "; biases, which the paper's networks lack, come" in context.notes[0].why


@pytest.mark.parametrize(("iterations", "expected"), [(1, 2.0), (2, 3.0), (3, 3.5), (6, 3.9375)])
def test_each_iteration_adds_twice_the_mean_of_what_lies_above(
    iterations: int, expected: float
) -> None:
    # One value of four is 4: theta += 2 (4 - theta) / 4, which is 4 (1 - 2^-k) after k.
    x = np.array([[4.0], [0.0], [0.0], [-1.0]], np.float32)

    found = threshold(balance(relu_net(1), x, statistic="iterated", iterations=iterations), "relu1")

    np.testing.assert_allclose(found, expected, atol=4 / 2048)


def test_the_iteration_ends_at_the_maximum() -> None:
    x = np.random.default_rng(3).uniform(-1, 1, (200, 2)).astype(np.float32)

    found = balance(relu_net(2), x, statistic="iterated", iterations=10**5, granularity="channel")

    np.testing.assert_allclose(threshold(found, "relu1"), x.max(axis=0), rtol=2e-3)


def test_an_iteration_that_would_pass_the_maximum_ends_there() -> None:
    # 2 mean(3 - 0) is 6, from where nothing would lead back.
    x = np.full((4, 1), 3.0, np.float32)

    assert threshold(balance(relu_net(1), x, statistic="iterated", iterations=1), "relu1") == 3.0
