"""Identity 5: the same seed gives the same trace, however the samples are run."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running import every_engine
from strategies import graphs, images

from thresher import Result, simulate
from thresher.datasets import recordings
from thresher.ir import Graph
from thresher.ir.events import EVENT
from thresher.sim import ENCODERS

COLUMNS = ("sample", "tick", "population", "neuron", "sign")
encoders = pytest.mark.parametrize("encoder", list(ENCODERS))


def assert_same_result(found: Result, expected: Result, samples: slice = slice(None)) -> None:
    """Compare a run with some samples of another: decisions, measures and every spike."""
    np.testing.assert_array_equal(found.predictions, expected.predictions[samples])
    for name in ("first_evidence", "settled", "confident"):
        times = getattr(expected.latency, name)[samples]
        np.testing.assert_array_equal(getattr(found.latency, name), times)
    np.testing.assert_array_equal(found.synaptic_operations, expected.synaptic_operations[samples])
    kept = np.isin(expected.trace.sample, np.arange(len(expected))[samples])
    for name in COLUMNS:
        np.testing.assert_array_equal(
            getattr(found.trace, name), getattr(expected.trace, name)[kept], err_msg=name
        )


def recorded(image: np.ndarray) -> np.ndarray:
    """Return an event for each pixel that is not 0, at one of the first three milliseconds."""
    channel, y, x = np.nonzero(image)
    events = np.zeros(len(x), EVENT)
    events["t"] = 700 * np.flatnonzero(image) % 3000
    events["x"], events["y"] = x, y
    events["p"] = channel if len(image) > 1 else image[channel, y, x] > 0
    return events[np.argsort(events["t"], kind="stable")]


@encoders
@every_engine
@pytest.mark.parametrize("schedule", ["lockstep", "async", "layered"])
@given(data=st.data())
@settings(max_examples=10)
def test_threads_and_where_a_run_begins_change_nothing(
    encoder: str, engine: str, schedule: str, data: st.DataObject
) -> None:
    drawn = graphs()
    if encoder == "events":
        drawn = drawn.filter(lambda graph: len(graph.inputs[0].shape) == 3)
    graph = data.draw(drawn)
    x = data.draw(images(graph, 5))
    rest_of_x = x[2:]
    if encoder == "events":
        found = [recorded(image) for image in x]
        x, rest_of_x = (recordings(part, x.shape[1:]) for part in (found, found[2:]))
    options = {"schedule": schedule, "encoder": encoder, "engine": engine, "steps": 3, "seed": 7}
    if schedule == "async":
        options["ticks_per_step"] = 5

    whole = simulate(graph, x, threads=1, record="spikes", **options)

    assert_same_result(simulate(graph, x, threads=3, record="spikes", **options), whole)
    rest = simulate(graph, rest_of_x, offset=2, threads=2, record="spikes", **options)
    assert_same_result(rest, whole, slice(2, None))


@pytest.mark.parametrize("schedule", ["lockstep", "async", "layered"])
@given(data=st.data())
@settings(max_examples=10)
def test_threads_change_nothing_in_whole_numbers(schedule: str, data: st.DataObject) -> None:
    graph = data.draw(graphs())
    x = data.draw(images(graph, 5))
    options = {"schedule": schedule, "encoder": "poisson", "steps": 3, "precision": "int"}

    whole = simulate(graph, x, threads=1, record="spikes", **options)

    assert_same_result(simulate(graph, x, threads=3, record="spikes", **options), whole)


def passing(graph: Graph) -> Graph:
    """Raise the input's threshold, so that no rate is 1 and every draw is open."""
    return replace(graph, inputs=(replace(graph.inputs[0], threshold=8.0),))


@given(data=st.data())
@settings(max_examples=5)
def test_another_seed_or_position_gives_other_poisson_spikes(data: st.DataObject) -> None:
    graph = passing(data.draw(graphs()))
    x = np.full((2, *graph.inputs[0].shape), 4.0, np.float32)
    options = {"steps": 64, "encoder": "poisson", "record": ["image"]}
    one, two = (simulate(graph, x, seed=seed, **options).trace for seed in (1, 2))
    trains = [
        trace.spike_train("image", 0, sample).tolist() for trace in (one, two) for sample in (0, 1)
    ]
    assert len({tuple(train) for train in trains}) == 4
