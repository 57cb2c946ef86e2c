"""Result: aggregates of hand-made runs, and the keys of its metrics."""

import json

import numpy as np
import pytest
from networks import chain, fires, linear
from running import every_engine

from thresher import Result, simulate

X = np.array([[1.0, 0.0], [0.5, 0.0], [0.0, 1.0], [0.0, 0.0]], np.float32)
Y = np.array([0, 1, 1, 0])
KEYS = """
    format schedule steps ticks_per_step refractory delay samples engine precision accuracy
    ann_accuracy ann_agreement accuracy_by_step predictions spikes_per_sample spikes_by_population
    mean_rate_by_population synaptic_operations_per_sample dense_macs_per_sample
    probe_steps input_macs_per_sample latency_steps events peak_queue wall_seconds images_per_second
    thresher_version
    arrivals encoder readout t_start seed first_evidence_steps confident_steps undecided
    settle_limit quiescent_steps
    operator_macs_per_sample operator_values_per_sample clipped_inputs_per_sample
    spike_levels bits_per_spike largest_payload
"""


def result(**options: object) -> Result:
    """Two pixels fire at their rate, a third neuron never; each pixel is a class."""
    graph = chain(
        (2,),
        ("fc", linear("fc", [[1, 0], [0, 1], [0, 0]])),
        ("if", *fires()),
        ("out", linear("out", [[1, 0, 0], [0, 1, 0]])),
    )
    return simulate(graph, X, **({"y": Y, "steps": 4} | options))


@every_engine
def test_predictions_and_accuracy_by_step(engine: str) -> None:
    found = result(engine=engine)
    np.testing.assert_array_equal(found.predictions, [[0] * 4, [-1, 0, 0, 0], [1] * 4, [-1] * 4])
    np.testing.assert_array_equal(found.accuracy_by_step, [0.5, 0.5, 0.5, 0.5])
    assert found.accuracy == 0.5
    assert len(found) == 4


@pytest.mark.parametrize(("classes", "dtype"), [(2, np.int8), (128, np.int8), (129, np.int16)])
def test_predictions_take_the_smallest_integer_that_holds_the_classes(
    classes: int, dtype: type
) -> None:
    weight = np.zeros((classes, 2), np.float32)
    weight[-1] = 1
    graph = chain((2,), ("if", *fires()), ("out", linear("out", weight)))
    predictions = simulate(graph, X, steps=4).predictions
    assert predictions.dtype == dtype
    np.testing.assert_array_equal(predictions[2:], [[classes - 1] * 4, [-1] * 4])


@every_engine
def test_spikes_rates_and_operations(engine: str) -> None:
    found = result(engine=engine)
    np.testing.assert_array_equal(found.spike_counts["if"], [4, 2, 4, 0])
    np.testing.assert_array_equal(found.synaptic_operations, [8, 4, 8, 0])
    metrics = found.metrics()
    assert metrics["spikes_per_sample"] == 2.5
    assert metrics["spikes_by_population"] == {"if": 2.5}
    assert metrics["mean_rate_by_population"] == {"if": 2.5 / 3 / 4}
    assert metrics["synaptic_operations_per_sample"] == 5.0
    assert metrics["dense_macs_per_sample"] == 12
    assert metrics["input_macs_per_sample"] == 4 * 6


def test_latency_is_summarised_over_the_samples_that_decided() -> None:
    metrics = result().metrics()
    times = [1.0, 2.0, 1.0]
    assert metrics["latency_steps"] == {
        "mean": np.mean(times),
        "median": 1.0,
        "p95": np.percentile(times, 95),
    }
    assert metrics["first_evidence_steps"] == metrics["latency_steps"]
    assert metrics["undecided"] == 1


def test_without_labels_there_is_no_accuracy() -> None:
    found = result(y=None)
    assert found.accuracy is None
    assert found.accuracy_by_step is None
    assert found.metrics()["accuracy"] is None
    assert found.metrics()["accuracy_by_step"] is None


def test_the_ann_is_set_beside_the_last_step() -> None:
    logits = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    found = result().with_ann(logits)
    np.testing.assert_array_equal(found.ann_predictions, [0, 1, 1, 0])
    assert found.ann_accuracy == 1.0
    assert found.ann_agreement == 0.5
    assert result().ann_accuracy is None
    assert result().ann_agreement is None
    assert result(y=None).with_ann(logits).ann_accuracy is None
    assert result(y=None).with_ann(logits).ann_agreement == 0.5


def test_metrics_have_the_documented_keys_and_are_plain_json() -> None:
    options = {"schedule": "async", "ticks_per_step": 8, "delay": 2, "seed": 5, "t_start": 1}
    for metrics in (result().metrics(), result(**options).metrics()):
        assert set(metrics) == set(KEYS.split())
        assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert [metrics[name] for name in ("ticks_per_step", "refractory", "delay")] == [8, 7, 2]
    assert metrics["predictions"] == [0, 0, 1, -1]
    assert metrics["wall_seconds"] > 0


def test_metrics_of_a_network_without_neurons() -> None:
    graph = chain((2,), ("out", linear("out", np.eye(2))))
    metrics = simulate(graph, X, steps=2).metrics()
    assert metrics["spikes_per_sample"] == 0
    assert metrics["spikes_by_population"] == {}
    assert metrics["predictions"] == [0, 0, 1, 0]


def test_populations_are_listed_in_rank_order() -> None:
    graph = chain(
        (2,),
        ("z", *fires()),
        ("fc", linear("fc", np.eye(2))),
        ("a", *fires()),
        ("out", linear("out", np.eye(2))),
        threshold=1.0,
    )
    metrics = simulate(graph, X, steps=2, encoder="regular").metrics()
    assert list(metrics["spikes_by_population"]) == ["image", "z", "a"]
    assert list(metrics["mean_rate_by_population"]) == ["image", "z", "a"]
