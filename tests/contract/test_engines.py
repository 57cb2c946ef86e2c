"""What every registered engine must give: all that the reference gives, to the last bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, conv, fires, linear, neurons, tensor
from running import (
    Setting,
    assert_same_run,
    every_engine,
    every_other_engine,
    network_of,
    run,
    stimulus_of,
)
from strategies import graphs, images, settings_of

from thresher.ir import Graph
from thresher.ir.ops import AvgPool2d, Flatten, Reshape
from thresher.sim.contract import SampleRun

precisions = pytest.mark.parametrize("precision", ["float32", "float64"])
arrivals = pytest.mark.parametrize("netted", [False, True], ids=["individual", "netted"])


def compare(graph: Graph, image: object, setting: Setting, engine: str) -> SampleRun:
    """Run one image on both engines, watching every neuron, and compare all of it."""
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, np.asarray(image, np.float32), setting)
    expected = run(network, stimulus, setting, "reference", watch=True)
    assert_same_run(run(network, stimulus, setting, engine, watch=True), expected)
    return expected


@every_other_engine
@given(data=st.data())
@settings(max_examples=150)
def test_an_engine_gives_the_references_run(engine: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True, resets=("soft", "hard")))
    setting = data.draw(settings_of(ticks=(16, 1, 2, 3, 4, 7, 8, 64)))
    compare(graph, data.draw(images(graph))[0], setting, engine)


@every_other_engine
@given(data=st.data())
@settings(max_examples=150)
def test_an_engine_gives_the_references_run_where_sums_round(
    engine: str, data: st.DataObject
) -> None:
    graph = data.draw(graphs(exact=False, delays=True, resets=("soft", "hard")))
    setting = data.draw(settings_of(ticks=(7, 3, 5, 64, 1, 16)))
    compare(graph, data.draw(images(graph))[0] * np.float32(0.7), setting, engine)


def normal_net(seed: int, reset: str = "soft") -> Graph:
    """Convolution, pool and populations of 150 and 70 neurons in a row, weights not exact."""
    rng = np.random.default_rng(seed)
    return chain(
        (2, 7, 7),
        ("conv", conv("conv", rng.normal(0.05, 0.3, (6, 2, 3, 3)), padding=1)),
        ("if1", *fires(0.7, reset=reset)),
        ("pool", AvgPool2d(2)),
        ("flat", Flatten()),
        ("fc1", linear("fc1", rng.normal(0.02, 0.3, (150, 54)), rng.normal(0.05, 0.1, 150))),
        ("if2", *fires(0.45, v_init=0.2, reset=reset)),
        ("fc2", linear("fc2", rng.normal(0.01, 0.2, (70, 150)), rng.normal(0, 0.1, 70))),
        ("if3", *fires(0.3, shift=0.02, reset=reset)),
        ("fc3", linear("fc3", rng.normal(size=(10, 70)))),
    )


@every_other_engine
@precisions
@arrivals
@pytest.mark.parametrize(
    ("ticks_per_step", "refractory", "delay"), [(64, 63, 0), (16, 0, 3), (10, 4, 7)]
)
def test_populations_of_many_blocks_agree(
    engine: str, precision: str, netted: bool, ticks_per_step: int, refractory: int, delay: int
) -> None:
    setting = Setting("async", 3, ticks_per_step, refractory, netted, delay, precision=precision)
    image = np.random.default_rng(0).uniform(-1, 1, (2, 7, 7))
    sample = compare(normal_net(refractory), image, setting, engine)
    assert (sample.spike_counts[:3] > 100).all()


@every_other_engine
@precisions
@pytest.mark.parametrize("reset", ["soft", "hard"])
def test_lockstep_agrees_where_sums_round(engine: str, precision: str, reset: str) -> None:
    image = np.random.default_rng(1).uniform(-1, 1, (2, 7, 7))
    setting = Setting(steps=12, precision=precision, delay=1)
    sample = compare(normal_net(5, reset), image, setting, engine)
    assert (sample.spike_counts[:3] > 100).all()


@every_other_engine
@precisions
@arrivals
@pytest.mark.parametrize("current", [1e-12, 1e-30, 1e-37, 4.2e-45])
@pytest.mark.parametrize("ticks_per_step", [7, 16])
def test_currents_too_small_to_predict_from_agree(
    engine: str, precision: str, netted: bool, current: float, ticks_per_step: int
) -> None:
    threshold = 2.5 * float(np.float32(current))
    graph = neurons([current, 0.0, -current, 0.3], [[1, 1, 1, 1]], threshold)
    graph = graph.replace("if", spiking=replace(graph["if"].spiking, v_init=threshold / 3))
    setting = Setting("async", 4, ticks_per_step, 0, netted, precision=precision)
    assert len(compare(graph, [0], setting, engine).ticks) > 0


@every_other_engine
@precisions
def test_a_tiny_current_beside_a_threshold_it_never_reaches_agrees(
    engine: str, precision: str
) -> None:
    graph = neurons([1e-30, 4.2e-45, 0.4], [[1, 1, 1]], v_init=0.99)
    compare(graph, [0], Setting("async", 3, 8, 0, False, precision=precision), engine)


@every_other_engine
@precisions
@arrivals
@pytest.mark.parametrize(("steps", "ticks_per_step"), [(4, 16), (1, 1), (3, 7), (8, 1024)])
def test_a_ramp_that_reaches_theta_at_the_last_tick_fires_then(
    engine: str, precision: str, netted: bool, steps: int, ticks_per_step: int
) -> None:
    last = steps * ticks_per_step
    graph = neurons([1.0, 0.999, 0.5], [[1, 1, 1]], threshold=float(steps))
    setting = Setting(
        "async", steps, ticks_per_step, ticks_per_step - 1, netted, precision=precision
    )
    sample = compare(graph, [0], setting, engine)
    np.testing.assert_array_equal(sample.ticks, [last])
    np.testing.assert_array_equal(sample.neurons, [0])


@every_other_engine
@arrivals
def test_dates_far_beyond_the_calendars_wheel_are_kept(engine: str, netted: bool) -> None:
    graph = neurons([1 / 6, 1 / 5, 1 / 7.9, 1.0, 0.0], [[1, -1, 1, 0.5, 2]])
    setting = Setting("async", 8, 1024, 4500, netted, delay=5000)
    sample = compare(graph, [0], setting, engine)
    assert {6144, 5120, 8090} <= set(sample.ticks.tolist())


@every_other_engine
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_a_delay_beyond_the_end_delivers_nothing(engine: str, schedule: str) -> None:
    graph = neurons([1.0, 0.5], [[1, 1]])
    timing = {} if schedule == "lockstep" else {"ticks_per_step": 4, "refractory": 3}
    setting = Setting(schedule, 3, delay=10**6, **timing)
    sample = compare(graph, [0], setting, engine)
    assert sample.synaptic_operations == 0
    np.testing.assert_array_equal(sample.predictions, [-1, -1, -1])


@every_other_engine
@arrivals
def test_one_neuron_over_theta_from_the_start_agrees(engine: str, netted: bool) -> None:
    graph = neurons([0.0], [[1]], v_init=3.0)
    sample = compare(graph, [0], Setting("async", 5, 4, 3, netted), engine)
    np.testing.assert_array_equal(sample.ticks, [1, 5, 9])


@every_other_engine
@arrivals
def test_a_falling_ramp_under_arrivals_agrees(engine: str, netted: bool) -> None:
    graph = chain(
        (3,),
        ("in", linear("in", np.eye(3))),
        ("if1", *fires(1.0)),
        ("fc", linear("fc", [[1, 1, 1], [2, -1, 1], [0, 1.5, 0]], [-0.5, -0.25, -1.0])),
        ("if2", *fires(1.0)),
        ("out", linear("out", np.eye(3))),
    )
    sample = compare(graph, [1.0, 0.7, 0.4], Setting("async", 8, 16, 2, netted, 3), engine)
    assert sample.spike_counts[1] > 0


@every_other_engine
def test_per_neuron_thresholds_behind_a_convolution_agree(engine: str) -> None:
    rng = np.random.default_rng(3)
    theta = tensor("theta", rng.uniform(0.3, 1.0, (4, 5, 5)))
    graph = chain(
        (1, 5, 5),
        ("c1", conv("c1", rng.normal(0.1, 0.4, (4, 1, 3, 3)), padding=1)),
        ("if1", *fires(theta)),
        ("c2", conv("c2", rng.normal(0.1, 0.4, (4, 2, 3, 3)), groups=2, stride=2)),
        ("if2", *fires(0.5)),
        ("flat", Flatten()),
        ("out", linear("out", rng.normal(size=(3, 16)))),
    )
    image = rng.uniform(0, 1, (1, 5, 5))
    sample = compare(graph, image, Setting("async", 4, 9, 8, False), engine)
    assert sample.spike_counts[1] > 0


@every_engine
def test_an_arrival_that_rounds_up_to_theta_fires(engine: str) -> None:
    # beside each neuron under test stands one that fires at every tick, so that a prediction
    # holds for one tick and has nothing in hand; w + c is below 1 and rounds to 1
    rng = np.random.default_rng(0)
    c = rng.uniform(0.55, 0.95, 300).astype(np.float32)
    w = np.nextafter(np.float32(1) - c, np.float32(0), dtype=np.float32)
    expected = w + c >= 1
    assert expected.sum() > 50
    assert (w.astype(float) + c < 1).all()
    weight, current = np.stack([0 * w, w]), np.stack([0 * c + 1, c])
    graph = chain(
        (1,),
        ("fc", linear("fc", weight.reshape(-1, 1), current.ravel())),
        ("fold", Reshape((2, 1, 300))),
        ("if", *fires()),
        ("flat", Flatten()),
        threshold=1.0,
    )
    setting = Setting("async", 1, netted=False, encoder="regular")
    network = network_of(graph, setting)
    sample = run(network, stimulus_of(graph, network, np.ones(1), setting), setting, engine)
    fired = np.bincount(sample.neurons[sample.populations == 1], minlength=600)
    np.testing.assert_array_equal(fired.reshape(300, 2), np.stack([0 * c + 1, expected], axis=1))
