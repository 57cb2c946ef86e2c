"""specs/by_hand.yaml against the tables that specs/README.md works out on paper."""

from pathlib import Path

import numpy as np
import pytest

import thresher

SPEC = Path(__file__).parents[1] / "specs" / "by_hand.yaml"
X = np.array([[0.75, 0.5]], np.float32)
Y = np.array([0])

NEURONS = {"a": ("hidden", 0), "b": ("hidden", 1), "c": ("last", 0), "d": ("last", 1)}


def run(schedule: str, engine: str, **options: int) -> thresher.Result:
    """Simulate the four neurons for four steps, with every spike on record."""
    graph = thresher.load(SPEC)
    return thresher.simulate(
        graph, X, Y, steps=4, schedule=schedule, record="spikes", engine=engine, **options
    )


def spike_trains(result: thresher.Result) -> dict[str, list[int]]:
    """Return the ticks of every neuron's spikes."""
    return {name: result.trace.spike_train(*at).tolist() for name, at in NEURONS.items()}


def test_the_ann_gives_the_values_on_paper() -> None:
    np.testing.assert_array_equal(thresher.evaluate(thresher.load(SPEC), X), [[0.5, 0.3125]])


@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_lockstep_gives_the_spikes_on_paper(engine: str) -> None:
    result = run("lockstep", engine)
    assert spike_trains(result) == {"a": [1, 2, 4], "b": [1, 3], "c": [2], "d": [1, 2, 4]}
    assert result.predictions.tolist() == [[1, 0, 0, 0]]
    assert result.accuracy_by_step.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_async_gives_the_spikes_on_paper(engine: str) -> None:
    result = run("async", engine, ticks_per_step=4)
    assert spike_trains(result) == {"a": [3, 8, 14], "b": [4, 12], "c": [3], "d": [3, 8, 14]}
    assert result.predictions.tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_every_spike_costs_the_two_synapses_that_it_reaches(schedule: str) -> None:
    result = run(schedule, "reference", **({"ticks_per_step": 4} if schedule == "async" else {}))
    assert float(np.sum(result.synaptic_operations)) == 2 * 9
