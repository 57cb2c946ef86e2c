"""Runs that go on, without input, until nothing is pending: their end, limit and measures."""

from dataclasses import replace

import numpy as np
import pytest
from networks import chain, fires, linear, neurons

from thresher import GraphError, Result, SimulationError, simulate
from thresher.ir import Graph, load, save

NOTHING = np.zeros((1, 1), np.float32)
SCHEDULES = [{}, {"schedule": "async", "ticks_per_step": 4, "refractory": 3}]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=["lockstep", "async"])


def simulated(graph: Graph, x: object = NOTHING, **options: object) -> Result:
    options = {"settle": True, "record": "spikes"} | options
    return simulate(graph, np.asarray(x, np.float32), **options)


def charged(**annotation: object) -> Graph:
    """A neuron that starts at 5 thresholds, and two classes, of which the second hears of it."""
    return neurons([0.0], [[0.0], [1.0]], **{"v_init": 5.0} | annotation)


@every_schedule
def test_neurons_over_theta_fire_until_none_is(schedule: dict) -> None:
    result = simulated(charged(), steps=2, **schedule)
    ticks = schedule.get("ticks_per_step", 1)
    np.testing.assert_array_equal(result.trace.counts("if"), [5])
    assert result.trace.spike_train("if", 0).tolist() == [1 + ticks * j for j in range(5)]
    np.testing.assert_array_equal(result.latency.quiescent, [(1 + ticks * 4) / ticks])


@every_schedule
def test_the_input_ends_after_t_steps(schedule: dict) -> None:
    graph = neurons([0.75], [[1.0]])
    result = simulated(graph, steps=4, **schedule, delay=2)
    np.testing.assert_array_equal(result.trace.counts("if"), [3])


@every_schedule
def test_spikes_on_their_way_are_waited_for(schedule: dict) -> None:
    graph = neurons([1.0], [[1.0]])
    ticks = schedule.get("ticks_per_step", 1)
    result = simulated(graph, steps=4, delay=20, **schedule)
    np.testing.assert_array_equal(result.latency.quiescent, [4 + 20 / ticks])
    np.testing.assert_array_equal(result.latency.first_evidence, [1 + 20 / ticks])
    np.testing.assert_array_equal(result.synaptic_operations, [4])


@every_schedule
def test_a_run_without_anything_pending_ends_with_its_input(schedule: dict) -> None:
    result = simulated(neurons([0.5], [[1.0]]), steps=4, **schedule)
    np.testing.assert_array_equal(result.latency.quiescent, [4])


@every_schedule
def test_the_settled_decision_follows_those_of_the_steps(schedule: dict) -> None:
    graph = charged()
    result = simulate(
        graph, NOTHING, np.array([1]), steps=2, settle=True, delay=12 if schedule else 3, **schedule
    )
    np.testing.assert_array_equal(result.predictions, [[-1, -1, 1]])
    np.testing.assert_array_equal(result.accuracy_by_step, [0, 0, 1])
    assert result.accuracy == 1


def test_layered_has_settled() -> None:
    graph = chain(
        (1,),
        ("if", *fires()),
        ("fc", linear("fc", [[1.0]])),
        ("if2", *fires()),
        ("out", linear("out", [[1.0]])),
    )
    result = simulated(graph, [[0.5]], steps=4, schedule="layered")
    np.testing.assert_array_equal(result.latency.quiescent, [8])
    assert result.predictions.shape == (1, 1)


@every_schedule
def test_potentials_are_kept_while_the_input_lasts(schedule: dict) -> None:
    result = simulated(charged(), steps=2, membranes={"out": [1]}, **schedule)
    assert result.trace.membranes["out"].shape == (1, 2 * schedule.get("ticks_per_step", 1), 1)


def test_metrics_tell_how_long_it_took() -> None:
    metrics = simulated(charged(), np.zeros((3, 1)), steps=2).metrics()
    assert metrics["settle_limit"] == 200
    assert metrics["quiescent_steps"] == {"mean": 5, "median": 5, "p95": 5}
    metrics = simulated(charged(), steps=2, settle=False).metrics()
    assert metrics["settle_limit"] == 0
    assert metrics["quiescent_steps"] == {"mean": None, "median": None, "p95": None}


@every_schedule
def test_a_limit_that_is_reached_is_an_error_that_names_the_image(schedule: dict) -> None:
    message = "image 7 has not settled 2 steps after the 2 of its input: spikes are still pending"
    with pytest.raises(SimulationError, match=message):
        simulated(charged(), steps=2, settle_limit=2, offset=7, **schedule)
    simulated(charged(), steps=2, settle_limit=3, **schedule)


@every_schedule
def test_neurons_that_fire_without_input_never_settle(schedule: dict) -> None:
    graph = charged(reset="hard", v_reset=1.0)
    with pytest.raises(SimulationError, match="has not settled 200 steps after the 2 of its input"):
        simulated(graph, steps=2, **schedule)


def test_the_graphs_limit_holds_unless_another_is_given() -> None:
    graph = replace(charged(), settle_limit=2)
    with pytest.raises(SimulationError, match="has not settled 2 steps"):
        simulated(graph, steps=2)
    assert simulated(graph, steps=2, settle_limit=9).settings.settle_limit == 9


def test_a_limit_goes_through_the_spec(tmp_path: object) -> None:
    graph = replace(charged(), settle_limit=30)
    save(graph, tmp_path / "net.yaml")
    assert "settle_limit: 30\n" in (tmp_path / "net.yaml").read_text()
    assert load(tmp_path / "net.yaml") == graph


def test_a_limit_of_the_graph_is_checked() -> None:
    with pytest.raises(
        GraphError, match="field 'settle_limit' is 0; expected a whole number of at"
    ):
        replace(charged(), settle_limit=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"settle": False, "settle_limit": 3},
            "settle_limit has no meaning in a run that does not",
        ),
        ({"settle_limit": 0}, "settle_limit is 0; expected a whole number of steps, at least 1"),
        ({"settle_limit": 2**30}, "1073741826 steps of 1 ticks are 1,073,741,826 ticks; at most"),
    ],
)
def test_a_mistaken_option_is_named(options: dict, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulated(charged(), steps=2, **options)
