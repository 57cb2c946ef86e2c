"""What is recorded: populations, samples, membranes; and what memory would not hold."""

import numpy as np
import pytest
from networks import chain, fires, linear, neurons
from running import every_engine

from thresher import SimulationError, simulate
from thresher.ir import Graph
from thresher.ir.ops import Flatten
from thresher.sim import recording

NOTHING = np.zeros((1, 1), np.float32)


def two_layers() -> Graph:
    return chain(
        (2,),
        ("if1", *fires()),
        ("fc", linear("fc", np.eye(2))),
        ("if2", *fires(0.5)),
        ("out", linear("out", np.eye(2))),
    )


X = np.array([[1.0, 0.5], [0.25, 0.0], [0.0, 1.0]], np.float32)


def test_nothing_is_recorded_unless_asked() -> None:
    trace = simulate(two_layers(), X, steps=4).trace
    assert len(trace) == 0
    assert trace.populations == ("if1", "if2")


@pytest.mark.parametrize("names", [["if1"], ["if2"], ["if2", "if1"], ("if1",)])
def test_the_named_populations_are_recorded(names: list[str]) -> None:
    trace = simulate(two_layers(), X, steps=4, record=names).trace
    assert {trace.populations[p] for p in trace.population} == set(names)
    assert trace.populations == ("if1", "if2")


def test_spikes_are_counted_whether_recorded_or_not() -> None:
    with_trace, without = (
        simulate(two_layers(), X, steps=4, record=record) for record in ("spikes", "none")
    )
    for name, expected in {"if1": [6, 1, 4], "if2": [7, 1, 4]}.items():
        np.testing.assert_array_equal(with_trace.spike_counts[name], expected)
        np.testing.assert_array_equal(without.spike_counts[name], expected)


def test_the_recorded_samples_keep_their_position_in_the_data() -> None:
    options = {"steps": 4, "record": "spikes", "record_samples": (1, 3)}
    trace = simulate(two_layers(), X, offset=100, **options).trace
    np.testing.assert_array_equal(np.unique(trace.sample), [101, 102])
    np.testing.assert_array_equal(trace.spike_train("if1", 1, sample=102), [1, 2, 3, 4])
    np.testing.assert_array_equal(trace.spike_train("if1", 0, sample=101), [4])


@every_engine
def test_the_trace_is_sorted_by_sample_and_then_in_time(engine: str) -> None:
    trace = simulate(two_layers(), X, steps=4, record="spikes", engine=engine).trace
    key = (trace.sample.astype(int) * 100 + trace.tick) * 10 + trace.population
    assert (np.diff(key) >= 0).all()
    types = [trace.sample, trace.tick, trace.population, trace.neuron, trace.sign]
    assert [values.dtype for values in types] == [np.int32, np.int64, np.int16, np.int32, np.int8]


@every_engine
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_the_potential_of_a_watched_neuron_is_kept_at_every_tick(
    engine: str, schedule: str
) -> None:
    graph = neurons([0.5, 0.25, -1.0], [[1.0, 1.0, 1.0]])
    options = {"schedule": schedule, "steps": 4, "engine": engine}
    if schedule == "async":
        options["ticks_per_step"] = 1
    trace = simulate(graph, NOTHING, membranes={"out": [0], "if": [2, 0]}, **options).trace
    np.testing.assert_array_equal(trace.membranes["out"], [[[0], [1], [1], [3]]])
    np.testing.assert_array_equal(trace.membranes["if"], [[[-1, 0.5], [-2, 0], [-3, 0.5], [-4, 0]]])


@every_engine
def test_watched_neurons_are_numbered_row_major(engine: str) -> None:
    graph = chain((2, 1, 3), ("if", *fires(100.0)), ("flat", Flatten()))
    x = np.arange(6, dtype=np.float32).reshape(1, 2, 1, 3)
    trace = simulate(graph, x, steps=1, membranes={"if": [4, 0, 5]}, engine=engine).trace
    np.testing.assert_array_equal(trace.membranes["if"], [[[4, 0, 5]]])


def test_membranes_are_kept_of_the_recorded_samples() -> None:
    options = {"steps": 2, "membranes": {"if1": [0]}, "record_samples": (1, 3)}
    trace = simulate(two_layers(), X, **options).trace
    np.testing.assert_array_equal(trace.membranes["if1"], [[[0.25], [0.5]], [[0], [0]]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"record": "all"}, "record is 'all'; expected 'none', 'spikes', or a list of nodes"),
        (
            {"record": ["if1", "fc"]},
            "record: 'fc' is no population of this network; populations are 'if1', 'if2'$",
        ),
        ({"record": ["out"]}, "record: 'out' is no population"),
        (
            {"membranes": {"fc": [0]}},
            "membranes: 'fc' is no population of this network; .* 'if1', 'if2', 'out'$",
        ),
        (
            {"membranes": {"if1": [0, 2]}},
            r"membranes of 'if1': neurons are numbered 0..1 \(row-major in \[2\]\), got \[0, 2\]",
        ),
        ({"membranes": {"if1": [-1]}}, r"neurons are numbered 0\.\.1 .*, got \[-1\]"),
        (
            {"record_samples": (1, 4)},
            "record_samples is 1:4; expected START:STOP with 0 <= START < STOP <= 3",
        ),
        ({"record_samples": (2, 2)}, "record_samples is 2:2; expected START:STOP"),
        ({"record_samples": (-1, 2)}, "record_samples is -1:2; expected START:STOP"),
    ],
)
def test_what_cannot_be_recorded_is_refused(options: dict, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulate(two_layers(), X, steps=2, **options)


def test_a_recording_that_memory_will_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "available_bytes", lambda: 100)
    message = r"recording about 39 spikes and 0 potentials takes .* GB, but only 0\.0 GB"
    with pytest.raises(SimulationError, match=message):
        simulate(two_layers(), X, steps=4, record="spikes")
    with pytest.raises(SimulationError, match="and 24 potentials takes"):
        simulate(two_layers(), X, steps=4, membranes={"if1": [0, 1]})


def test_memory_is_asked_for_what_is_recorded_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "available_bytes", lambda: 0)
    assert len(simulate(two_layers(), X, steps=4).trace) == 0
    with pytest.raises(SimulationError, match="record fewer populations"):
        simulate(two_layers(), X, steps=4, record="spikes")


def test_some_memory_is_available() -> None:
    assert recording.available_bytes() > 2**20
