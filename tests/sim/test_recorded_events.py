"""Recorded events as input: ticks, signs, what one brings, frames, and what is refused."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, fires, linear

from thresher import SimulationError, datasets, evaluate, simulate
from thresher.datasets import recordings
from thresher.ir import Graph
from thresher.ir.events import EVENT
from thresher.ir.node import Preprocess
from thresher.ir.ops import Flatten


def events(*rows: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(list(rows), EVENT)


def network(shape: tuple[int, int, int] = (1, 2, 3), classes: int = 2) -> Graph:
    """An input, a population that it reaches one to one, and a readout."""
    weight = np.arange(classes * np.prod(shape)).reshape(classes, -1) / 8 - 0.5
    return chain(
        shape,
        ("flat", Flatten()),
        ("fc", linear("fc", np.eye(int(np.prod(shape))))),
        ("if", *fires(1.0)),
        ("out", linear("out", weight)),
    )


def readout_alone(shape: tuple[int, int, int]) -> Graph:
    weight = np.arange(2 * np.prod(shape)).reshape(2, -1) / 8 - 0.5
    return chain(shape, ("flat", Flatten()), ("out", linear("out", weight)))


def run(graph: Graph, *samples: np.ndarray, **options: Any) -> Any:
    x = recordings(samples, graph.inputs[0].shape)
    options = {"steps": 4, "encoder": "events", "record": "spikes"} | options
    return simulate(graph, x, **options)


def test_an_event_at_t_is_a_spike_of_the_step_that_it_falls_into() -> None:
    sample = events((0, 0, 0, 1), (999, 1, 0, 1), (1000, 2, 0, 1), (3999, 0, 1, 1))
    trace = run(network(), sample).trace
    chosen = trace.population == trace.populations.index("image")
    assert list(zip(trace.tick[chosen], trace.neuron[chosen], strict=True)) == [
        (1, 0),
        (1, 1),
        (2, 2),
        (4, 3),
    ]


def test_in_async_it_falls_into_a_tick_and_steps_may_be_of_any_length() -> None:
    sample = events((0, 0, 0, 1), (62, 1, 0, 1), (63, 2, 0, 1), (999, 0, 1, 1))
    options = {"schedule": "async", "ticks_per_step": 4, "step_ms": 0.25}
    trace = run(network(), sample, **options).trace
    assert [trace.spike_train("image", i).tolist() for i in range(4)] == [[1], [1], [2], [16]]


def test_polarity_is_the_sign_with_one_channel_and_the_channel_with_two() -> None:
    sample = events((0, 2, 1, 0), (0, 0, 0, 1))
    assert run(network(), sample).trace.counts("image").tolist() == [[[1, 0, 0], [0, 0, -1]]]
    found = run(network((2, 2, 3)), sample).trace.counts("image")
    np.testing.assert_array_equal(np.argwhere(found), [[0, 1, 2], [1, 0, 0]])
    assert found.sum() == 2


def test_events_of_one_pixel_and_tick_become_one_spike_of_their_sums_sign() -> None:
    sample = events((0, 0, 0, 1), (1, 0, 0, 1), (2, 0, 0, 0), (3, 1, 0, 0), (4, 1, 0, 1))
    result = run(network(), sample)
    assert result.trace.counts("image").tolist() == [[[1, 0, 0], [0, 0, 0]]]
    np.testing.assert_array_equal(result.clipped_inputs, [4])  # five events, one spike


def test_events_after_the_last_step_are_left_out_and_said() -> None:
    sample = events((0, 0, 0, 1), (4000, 0, 0, 1), (7999, 0, 0, 1))
    message = r"2 of 3 events come after the 4 steps of 1 ms .* steps of 2 ms take them all"
    with pytest.warns(UserWarning, match=message):
        result = run(network(), sample)
    assert result.trace.counts("image").sum() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(network(), sample, step_ms=2.0).trace.counts("image").sum() == 3


@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 2, 3), (3, 1, 2)])
@pytest.mark.parametrize("divide", [1.0, 4.0])
def test_over_all_steps_the_mean_input_is_the_frame_that_the_ann_sees(
    shape: tuple[int, int, int], divide: float
) -> None:
    graph = readout_alone(shape)
    item = replace(graph.inputs[0], preprocess=Preprocess(divide=divide), threshold=77.0)
    graph = replace(graph, inputs=(item,))
    rng = np.random.default_rng(0)
    n = 12
    sample = np.zeros(n, EVENT)
    sample["t"] = 1000 * np.arange(n)  # one an instant, so that none are merged
    for name, size in (("x", shape[2]), ("y", shape[1]), ("p", max(2, shape[0]))):
        sample[name] = rng.integers(0, size, n)
    x = recordings([sample], shape)
    result = simulate(
        graph, x, steps=16, encoder="events", precision="float64", membranes={"out": [0, 1]}
    )
    logits = result.trace.membranes["out"][0, -1] / 16
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # signed frames look preprocessed
        np.testing.assert_allclose(logits, evaluate(graph, x[:])[0], rtol=1e-6)


def test_frames_count_events_where_the_net_wants_frames() -> None:
    one = events((0, 0, 0, 1), (5, 0, 0, 1), (9, 2, 1, 0))
    x = recordings([one, events()], (1, 2, 3))
    np.testing.assert_array_equal(x[0:2], [[[[2, 0, 0], [0, 0, -1]]], np.zeros((1, 2, 3))])
    result = simulate(network(), x, steps=4, encoder="constant")
    array = simulate(network(), x[:], steps=4, encoder="constant")
    np.testing.assert_array_equal(result.predictions, array.predictions)


samples = st.lists(
    st.tuples(st.integers(0, 4999), st.integers(0, 2), st.integers(0, 1), st.integers(0, 1)),
    max_size=30,
).map(lambda rows: np.array(sorted(rows), EVENT))


@pytest.mark.filterwarnings("ignore:.*events come after")
@pytest.mark.parametrize("schedule", ["lockstep", "async", "layered"])
@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 2, 3)])
@given(recorded=st.lists(samples, min_size=1, max_size=3))
@settings(max_examples=15, deadline=None)
def test_both_engines_give_the_same_spikes(
    schedule: str, shape: tuple[int, int, int], recorded: list[np.ndarray]
) -> None:
    found = [
        run(network(shape), *recorded, schedule=schedule, engine=engine, threads=threads).trace
        for engine, threads in (("reference", 1), ("auto", 2))
    ]
    for name in ("sample", "tick", "population", "neuron", "sign"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_exported_input_spikes_come_back_as_the_same_spikes(tmp_path: Path) -> None:
    graph = replace(network(), inputs=(replace(network().inputs[0], threshold=1.0),))
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(2, 1, 2, 3)
    options = {"schedule": "async", "ticks_per_step": 48, "steps": 4}
    first = simulate(graph, x, encoder="regular", record=["image"], **options).trace
    first.save(tmp_path / "events.npy")
    again = datasets.stream(tmp_path / "events.npy", shape=(1, 2, 3))
    second = simulate(graph, again.x, encoder="events", record=["image"], **options).trace
    for name in ("sample", "tick", "neuron", "sign"):
        np.testing.assert_array_equal(getattr(second, name), getattr(first, name))


def test_whole_numbers_give_the_spikes_of_floats_where_nothing_is_rounded() -> None:
    graph = chain(
        (1, 2, 3),
        ("flat", Flatten()),
        ("fc", linear("fc", np.eye(6))),
        ("if", *fires(1.0, scale=8.0)),
        ("out", linear("out", np.arange(12).reshape(2, 6) / 8)),
    )
    graph = replace(graph, readout=replace(graph.readout, scale=8.0))
    sample = events((0, 0, 0, 1), (10, 1, 1, 0), (1500, 0, 0, 1), (3000, 1, 1, 1))
    whole, real = (run(graph, sample, precision=name).trace for name in ("int", "float64"))
    for name in ("tick", "population", "neuron", "sign"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(real, name))


@pytest.mark.parametrize(
    ("preprocess", "options", "message"),
    [
        (Preprocess(mean=(0.5,)), {}, r"input 'image' is not 0 where no event is"),
        (None, {"step_ms": 0}, r"step_ms is 0; expected milliseconds, at least 0.001"),
        (None, {"encoder": "poisson", "step_ms": 2}, "step_ms has no meaning for encoder 'poisson"),
    ],
)
def test_what_recorded_events_cannot_mean_is_refused(
    preprocess: Preprocess | None, options: dict[str, Any], message: str
) -> None:
    item = replace(network().inputs[0], preprocess=preprocess)
    graph = replace(network(), inputs=(item,))
    with pytest.raises(SimulationError, match=message):
        run(graph, events((0, 0, 0, 1)), **options)


def test_images_are_no_recordings() -> None:
    with pytest.raises(SimulationError, match=r"takes recordings of events .* these are images"):
        simulate(network(), np.zeros((1, 1, 2, 3), np.float32), steps=1, encoder="events")
