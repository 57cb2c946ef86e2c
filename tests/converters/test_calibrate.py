"""Statistics over calibration images, against the raw values that numpy sees at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_graphs import chain, identity_linear, relu_net, tensor

from thresher.converters import calibrate
from thresher.converters.calibrate import (
    BINS,
    GRID,
    Histogram,
    check_calibration,
    fingerprint,
    histograms,
    input_maximum,
    least_square_error,
    least_square_error_of_one,
    maxima,
    percentile,
)
from thresher.errors import DataError
from thresher.ir import Graph, Input, Preprocess
from thresher.ir.ops import Conv2d, Linear, Relu


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def histogram_of(values: np.ndarray) -> Histogram:
    """Count one layer's values, all in one row, through the public way."""
    graph = relu_net(1)
    x = np.asarray(values, np.float32).reshape(-1, 1)
    return histograms(graph, {"relu1": maxima(graph, {"relu1"}, x)["relu1"]}, x)["relu1"]


def staircase(x: np.ndarray, top: float, steps: int) -> np.ndarray:
    return top / steps * np.clip(np.floor(x * steps / top + 0.5), 0, steps)


def test_maxima_are_per_channel_over_samples_and_places() -> None:
    weight = tensor("conv.weight", np.eye(3)[:, :, None, None])
    graph = chain((3, 4, 5), ("conv", Conv2d(weight=weight)), ("relu", Relu()))
    x = drawn(70, 3, 4, 5)

    found = maxima(graph, {"relu"}, x)

    assert list(found) == ["relu"]
    np.testing.assert_array_equal(found["relu"], np.maximum(x, 0).max(axis=(0, 2, 3)))


def test_maxima_of_negative_outputs_are_negative() -> None:
    graph = chain((2,), ("fc", identity_linear("fc", 2)))

    found = maxima(graph, {"fc"}, np.array([[-3, -1], [-2, -5]], np.float32))

    np.testing.assert_array_equal(found["fc"], [-2, -1])


def test_infinite_weights_are_named() -> None:
    graph = chain((1,), ("fc", Linear(weight=tensor("w", [[np.inf]]))))

    with pytest.raises(DataError, match="node 'fc' gives NaN or infinite values"):
        maxima(graph, {"fc"}, np.ones((2, 1), np.float32))


def test_a_histogram_counts_every_positive_value_once() -> None:
    x = drawn(100, 3)
    graph = relu_net(3)
    top = maxima(graph, {"relu1"}, x)["relu1"]

    found = histograms(graph, {"relu1": top}, x)["relu1"]

    edges = [np.linspace(0, channel, BINS + 1) for channel in top]
    for channel in range(3):
        positive = x[:, channel][x[:, channel] > 0].astype(np.float64)
        # Bins are open below and closed above, np.histogram's the other way round.
        expected, _ = np.histogram(-positive, -edges[channel][::-1])
        np.testing.assert_array_equal(found.counts[channel], expected[::-1])
    assert found.values == 100


def test_counting_a_few_values_at_a_time_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, graph = drawn(40, 5), relu_net(5)
    top = maxima(graph, {"relu1"}, x)["relu1"]
    expected = histograms(graph, {"relu1": top}, x)["relu1"]

    monkeypatch.setattr(calibrate, "COUNTED_AT_ONCE", 17)

    found = histograms(graph, {"relu1": top}, x)["relu1"]
    np.testing.assert_array_equal(found.counts, expected.counts)
    assert found.values == expected.values


def test_a_histogram_of_a_layer_is_one_row_over_all_channels() -> None:
    x = drawn(50, 4)

    found = histograms(relu_net(4), {"relu1": np.array([x.max()], np.float64)}, x)["relu1"]

    assert found.counts.shape == (1, BINS)
    assert (found.counts.sum(), found.values) == ((x > 0).sum(), 200)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_statistics_do_not_depend_on_the_batch(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, graph = drawn(40, 5), relu_net(5)
    top = maxima(graph, {"relu1"}, x)["relu1"]
    expected = histograms(graph, {"relu1": top}, x)["relu1"]
    digest = fingerprint(x)

    monkeypatch.setattr(calibrate, "BATCH", batch)

    np.testing.assert_array_equal(maxima(graph, {"relu1"}, x)["relu1"], top)
    found = histograms(graph, {"relu1": top}, x)["relu1"]
    np.testing.assert_array_equal(found.counts, expected.counts)
    assert fingerprint(x) == digest


@pytest.mark.parametrize("over", ["all", "nonzero"])
@pytest.mark.parametrize("percent", [50.0, 90.0, 99.9, 100.0])
def test_the_percentile_is_numpy_s_within_a_bin_and_a_gap(percent: float, over: str) -> None:
    values = np.abs(drawn(20_000))
    values[::4] = 0
    kept = values if over == "all" else values[values > 0]

    (found,) = percentile(histogram_of(values), percent, over)

    gap = np.diff(np.sort(kept)[-100:]).max() if percent > 99 else 0.0
    assert abs(found - np.percentile(kept, percent)) <= gap + values.max() / BINS


def test_the_percentile_of_mostly_zeros_is_zero() -> None:
    (found,) = percentile(histogram_of(np.array([0.0, 0.0, 0.0, 1.0])), 50, "all")

    assert found == 0


def test_the_hundredth_percentile_is_the_maximum() -> None:
    (found,) = percentile(histogram_of(np.array([0.5, 0.1, 3.0])), 100, "nonzero")

    assert found == 3.0


@pytest.mark.parametrize("steps", [1, 4, 16])
@pytest.mark.parametrize("seed", range(3))
def test_the_least_square_error_is_found_within_a_grid_step(steps: int, seed: int) -> None:
    values = np.random.default_rng(seed).exponential(size=3000).astype(np.float32)
    grid = values.max() * np.arange(1, GRID + 1) / GRID
    errors = [np.mean((staircase(values, top, steps) - values) ** 2) for top in grid]

    (found,) = least_square_error(histogram_of(values), steps)

    error = np.mean((staircase(values, found, steps) - values) ** 2)
    assert abs(found - grid[np.argmin(errors)]) <= 1.01 * values.max() / GRID
    assert error <= 1.01 * min(errors)


def test_the_least_square_error_of_one_value_is_the_value() -> None:
    np.testing.assert_allclose(least_square_error(histogram_of(np.full(9, 2.5)), 1), [2.5])


def nearest_power(value: float, largest: float, thresholds: int) -> float:
    """The threshold that a multi-threshold neuron fires at rest, or 0."""
    reached = (largest / 2**i for i in range(thresholds) if value >= 0.75 * largest / 2**i)
    return next(reached, 0.0)


@pytest.mark.parametrize("thresholds", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_one_spike_of_several_sizes_says_values_best(thresholds: int, seed: int) -> None:
    values = np.random.default_rng(seed).exponential(size=1000).astype(np.float32)

    def error(largest: float) -> float:
        said = [nearest_power(value, largest, thresholds) for value in values]
        return float(np.mean((np.array(said) - values) ** 2))

    (found,) = least_square_error_of_one(histogram_of(values), thresholds)

    assert error(found) <= 1.01 * min(error(values.max() * i / 40) for i in range(1, 41))


def test_values_that_are_a_threshold_and_its_half_leave_no_error_at_the_larger() -> None:
    values = np.array([4.0, 2.0, 2.0, 2.0, 4.0, 1.0])

    assert least_square_error_of_one(histogram_of(values), 3) == pytest.approx([4.0])
    assert least_square_error_of_one(histogram_of(values), 1) < 4.0


def test_a_row_without_values_gets_zero() -> None:
    empty = Histogram(np.zeros(1), np.zeros((1, BINS), np.int64), 10)

    np.testing.assert_array_equal(least_square_error(empty, 8), [0])
    np.testing.assert_array_equal(percentile(empty, 99, "nonzero"), [0])


@given(
    st.lists(st.integers(1, 64), min_size=2, max_size=30),
    st.floats(1, 100, allow_nan=False),
)
def test_a_percentile_lies_in_the_range_of_the_values(values: list[int], percent: float) -> None:
    x = np.array(values) / 8

    (found,) = percentile(histogram_of(x), percent, "nonzero")

    assert x.min() - x.max() / BINS <= found <= x.max()


def test_the_input_s_maximum_is_of_the_preprocessed_magnitudes() -> None:
    preprocess = Preprocess(divide=10, mean=(2.0,), std=(0.5,))
    graph = chain((1,), ("relu", Relu()))
    graph = Graph("g", (Input("image", (1,), preprocess),), graph.nodes, graph.outputs)

    found = input_maximum(graph, np.array([[0], [30]], np.uint8))

    assert found == 4.0  # (0 / 10 - 2) / 0.5 = -4


@pytest.mark.parametrize(
    ("n", "found"), [(0, "no image"), (1, "a single image")], ids=["none", "one"]
)
def test_too_few_images_are_refused_with_advice(n: int, found: str) -> None:
    with pytest.raises(DataError, match=f"hold {found}; .*better 100 or more"):
        check_calibration(relu_net(2), np.ones((n, 2), np.float32))


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match=r"\[3\].*takes \[2\]"):
        check_calibration(relu_net(2), np.ones((4, 3), np.float32))


def test_a_nan_is_refused_with_the_image_s_number() -> None:
    x = np.ones((100, 2), np.float32)
    x[71, 1] = np.nan

    with pytest.raises(DataError, match="image 71"):
        check_calibration(relu_net(2), x)


def test_the_fingerprint_follows_values_type_and_shape() -> None:
    x = np.arange(12, dtype=np.uint8).reshape(3, 4)

    others = [x + 1, x.astype(np.int16), x.reshape(3, 2, 2), x[:2]]

    assert len({fingerprint(item) for item in [x, *others]}) == 5


def test_the_fingerprint_ignores_the_layout_in_memory() -> None:
    x = np.arange(12, dtype=np.int32).reshape(3, 4)

    assert fingerprint(np.asfortranarray(x)) == fingerprint(x.astype(">i4")) == fingerprint(x)
