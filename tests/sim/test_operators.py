"""Operators: populations that follow a function of their mean input, and max pools of currents."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, fires, linear
from operator_strategies import OPERATORS, OperatorBuilder, operator, pooled, sent_by_step
from running import (
    Setting,
    assert_same_run,
    every_engine,
    network_of,
    run,
    spikes_by_tick,
    stimulus_of,
)
from strategies import graphs, images, settings_of

from thresher import SimulationError, simulate
from thresher.errors import GraphError
from thresher.ir import OPS, Graph, Spiking, evaluate
from thresher.ir.ops import Identity, MaxPool2d, Relu, Sigmoid

every_operator = pytest.mark.parametrize("kind", OPERATORS)
SCHEDULES = [
    {"schedule": "lockstep"},
    {"schedule": "async", "ticks_per_step": 8},
    {"schedule": "async", "ticks_per_step": 8, "arrivals": "netted", "refractory": 3},
]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=str)


def drawn(seed: int, kind: str) -> tuple[Graph, np.ndarray, np.ndarray]:
    """An operator under a drawn constant current, and what its function gives of it.

    Its threshold is such that half the cap reaches the largest value.
    """
    rng = np.random.default_rng(seed)
    op, shapes = OPS.get(kind).example()
    parts = [rng.normal(size=(1, *shape)) for shape in shapes]
    wanted = op.evaluate(*parts)[0]
    theta = float(np.abs(wanted).max()) / 60 or 1.0
    parameters = {"cap": 127.0, "signed": 1.0}
    spiking = Spiking(theta, "expectation", v_init=theta / 2, parameters=parameters)
    x = np.concatenate([part.ravel() for part in parts])[None]
    return operator(op, shapes, spiking), x, wanted


@every_operator
@every_schedule
@every_engine
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5)
def test_what_was_sent_is_within_half_a_threshold_of_the_function_at_every_step(
    kind: str, schedule: dict, engine: str, seed: int
) -> None:
    graph, x, wanted = drawn(seed, kind)
    x = x.astype(np.float32)
    theta = graph["op"].spiking.threshold

    result = simulate(
        graph, x, steps=9, precision="float64", record="spikes", engine=engine, **schedule
    )

    n = sent_by_step(result.trace, "op", 9, wanted.shape)
    for step in range(9):
        off = theta * n[step] - (step + 1) * wanted
        assert np.abs(off).max() <= theta * (0.5 + 1e-4)


@every_operator
def test_many_fine_thresholds_give_the_function_to_a_few_millionths(kind: str) -> None:
    graph, x, wanted = drawn(3, kind)
    theta, steps = graph["op"].spiking.threshold, 8_000
    membranes = {"out": range(wanted.size)}

    run = simulate(
        graph, x.astype(np.float32), steps=steps, precision="float64", membranes=membranes
    )

    logits = run.trace.membranes["out"][0, -1] / steps
    assert theta / steps < 3e-6 * np.abs(wanted).max()
    exact = graph["op"].op.evaluate(*_ports(graph, x.astype(np.float32)))[0]
    np.testing.assert_allclose(logits, exact.ravel(), atol=theta / steps, rtol=0)


def _ports(graph: Graph, x: np.ndarray) -> list[np.ndarray]:
    seen: dict[str, np.ndarray] = {}
    evaluate(graph, x, hook=seen.__setitem__)
    return [seen[name].astype(np.float64) for name in graph["op"].inputs]


def test_a_function_is_taken_of_the_mean_and_not_of_each_step() -> None:
    # Four spikes of 1 in eight steps: sigmoid(1/2), and not (sigmoid(1) + sigmoid(0)) / 2.
    graph = chain(
        (1,),
        ("in", linear("in", [[0]], [0.5])),
        ("if", *fires()),
        ("op", Sigmoid(), Spiking(1 / 128, "expectation", parameters={"cap": 127})),
        ("out", linear("out", [[1]])),
    )

    found = simulate(graph, np.zeros((1, 1)), steps=8, membranes={"out": [0]})

    assert found.spike_counts["if"][0] == 4
    mean = found.trace.membranes["out"][0, -1, 0] / 8
    assert mean == pytest.approx(1 / (1 + np.exp(-0.5)), abs=1 / 128)


@every_engine
@given(data=st.data())
@settings(max_examples=30)
def test_a_pool_before_neurons_counts_the_largest_current(engine: str, data: st.DataObject) -> None:
    image = data.draw(st.lists(st.integers(-8, 24), min_size=32, max_size=32))
    theta, v_init = data.draw(st.integers(1, 12)) / 8, data.draw(st.integers(0, 12)) / 8
    schedule = data.draw(st.sampled_from(SCHEDULES))
    x = (np.array(image, np.float32) / 8).reshape(1, 2, 4, 4)
    graph = pooled(Spiking(theta, v_init=min(v_init, theta - 1 / 8)))

    found = simulate(graph, x, steps=7, record="spikes", engine=engine, **schedule)

    largest = x[0].reshape(2, 2, 2, 2, 2).max(axis=(2, 4))
    counts = sent_by_step(found.trace, "relu", 7, (2, 2, 2))
    start = graph["relu"].spiking.v_init
    for t in range(1, 8):
        expected = np.clip(np.floor((t * largest + start) / theta), 0, t)
        np.testing.assert_array_equal(counts[t - 1], expected)
    assert found.metrics()["spike_levels"] == 2


@every_engine
@given(data=st.data())
@settings(max_examples=30)
def test_an_operator_keeps_what_its_operation_asks_for(engine: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(builder_of=OperatorBuilder, delays=True))
    precisions = ("float64",)
    setting = data.draw(settings_of(precisions=precisions, encoders=("constant", "regular")))
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], setting)

    sample = run(network, stimulus, setting, engine, watch=True)

    for population in network.populations:
        if population.operation is None:
            continue
        total, v = (sample.watched[:, network.span(population.rank - d)] for d in (1, 0))
        spikes = spikes_by_tick(network, sample, population.rank, setting.ticks)
        n = spikes.cumsum(axis=0)
        for step in range(1, setting.steps + 1):
            tick = step * setting.ticks_per_step
            sought = population.drive(total[tick - 1], step) + population.v_init
            sought += step * stimulus.current[network.span(population.rank)]
            np.testing.assert_allclose(v[tick - 1], sought - population.theta * n[tick], atol=1e-12)
        between = np.arange(1, setting.ticks + 1) % setting.ticks_per_step != 0
        assert not spikes[1:][between].any()


@every_engine
@given(data=st.data())
@settings(max_examples=30)
def test_one_netted_tick_a_step_is_lockstep_with_operators(
    engine: str, data: st.DataObject
) -> None:
    graph = data.draw(graphs(builder_of=OperatorBuilder, delays=data.draw(st.booleans())))
    lockstep = data.draw(settings_of(schedules=("lockstep",), precisions=("float64",)))
    network = network_of(graph, lockstep)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], lockstep)

    netted = run(network, stimulus, replace(lockstep, schedule="async"), engine)

    expected = run(network, stimulus, lockstep, engine)
    np.testing.assert_array_equal(netted.spike_counts, expected.spike_counts)


@every_operator
def test_layered_an_operator_sends_its_function_of_the_whole_input(kind: str) -> None:
    graph, x, wanted = drawn(5, kind)
    theta = graph["op"].spiking.threshold

    result = simulate(graph, x.astype(np.float32), steps=6, schedule="layered", record="spikes")

    n = sent_by_step(result.trace, "op", 6, wanted.shape)[-1]
    assert np.abs(theta * n - 6 * wanted).max() <= theta * (0.5 + 1e-4)


def test_threads_do_not_change_what_operators_send() -> None:
    graph, _, _ = drawn(1, "sigmoid")
    x = np.random.default_rng(2).normal(size=(12, 60)).astype(np.float32)

    one, four = (simulate(graph, x, steps=5, record="spikes", threads=n) for n in (1, 4))

    for column in ("sample", "tick", "neuron", "sign"):
        np.testing.assert_array_equal(getattr(one.trace, column), getattr(four.trace, column))


@every_engine
def test_what_an_operation_raises_is_raised_by_the_run(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, x, _ = drawn(1, "sigmoid")

    def failing(self: object, *x: object) -> None:
        raise FloatingPointError("out of range")

    monkeypatch.setattr(Sigmoid, "evaluate", failing)
    for schedule in SCHEDULES:
        with pytest.raises(FloatingPointError, match="out of range"):
            simulate(graph, x.astype(np.float32), steps=2, engine=engine, **schedule)


def test_spikes_of_an_operator_carry_several_bits_and_say_so() -> None:
    graph, x, _ = drawn(1, "sigmoid")

    measures = simulate(graph, x.astype(np.float32), steps=2).metrics()

    assert (measures["spike_levels"], measures["largest_payload"]) == (255, 127)


@pytest.mark.parametrize(
    ("schedule", "evaluations"), [("lockstep", 3), ("async", 3), ("layered", 1)]
)
def test_what_operators_compute_is_counted_as_often_as_they_do(
    schedule: str, evaluations: int
) -> None:
    graph, x, _ = drawn(1, "matmul")
    found = simulate(graph, x.astype(np.float32), steps=3, schedule=schedule).metrics()
    # (2, 4, 6) times (2, 3, 6) transposed: 2 * 4 * 3 values of 6 multiply-accumulates each.
    assert found["operator_values_per_sample"] == 24 * evaluations
    assert found["operator_macs_per_sample"] == 144 * evaluations


def test_the_maxima_of_pools_before_neurons_are_counted() -> None:
    found = simulate(pooled(Spiking(1.0)), np.zeros((1, 2, 4, 4), np.float32), steps=3).metrics()
    assert found["operator_values_per_sample"] == 3 * 8
    assert found["operator_macs_per_sample"] == 0


def annotated(op: object, spiking: Spiking, *between: object) -> Graph:
    links = [*between, ("n", op, spiking), ("out", linear("out", np.eye(4)))]
    return chain((4,), *links)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (annotated(Sigmoid(), Spiking(1.0)), "op 'sigmoid', which neurons 'if' do not compute"),
        (
            annotated(Relu(), Spiking(1.0, "expectation")),
            "op 'relu', which neurons 'expectation' do not follow",
        ),
        (
            annotated(Identity(), Spiking(1.0, "expectation")),
            "op 'identity', which neurons 'expectation' do not follow",
        ),
        (
            pooled(Spiking(1.0, reset="hard")),
            "'relu' stands behind the max pool 'pool', and its neurons are 'if' with hard reset",
        ),
        (
            pooled(Spiking(1.0, "lif", tau=4.0)),
            "'relu' stands behind the max pool 'pool', and its neurons are 'lif'",
        ),
    ],
    ids=["if", "relu", "linear", "hard reset", "leak"],
)
def test_neurons_that_do_not_go_with_the_node_are_refused_by_name(
    graph: Graph, message: str
) -> None:
    x = np.zeros((1, *graph.inputs[0].shape), np.float32)
    with pytest.raises(SimulationError, match=message):
        simulate(graph, x, steps=2)


@pytest.mark.parametrize("graph", [drawn(1, "tanh")[0], pooled(Spiking(1.0))], ids=str)
def test_whole_numbers_and_settling_are_refused_with_the_reason(graph: Graph) -> None:
    x = np.zeros((1, *graph.inputs[0].shape), np.float32)
    with pytest.raises(SimulationError, match="mean input, which has fractions"):
        simulate(graph, x, steps=2, precision="int")
    with pytest.raises(SimulationError, match="none when the input has ended; leave --settle out"):
        simulate(graph, x, steps=2, settle=True)


def test_an_operator_that_decides_needs_spikes() -> None:
    graph = replace(drawn(1, "tanh")[0], outputs=("op",))
    x = np.zeros((1, 60), np.float32)
    with pytest.raises(SimulationError, match="node 'op' decides and follows a function"):
        simulate(graph, x, steps=2)
    assert simulate(graph, x + 1, steps=2, readout="spikes").predictions[0, -1] == 0


def test_a_pool_before_an_activation_without_neurons_is_refused() -> None:
    graph = chain((1, 2, 2), ("pool", MaxPool2d(2)), ("relu", Relu()))
    with pytest.raises(GraphError, match=r"node 'relu' \(relu\) follows the max pool 'pool'"):
        simulate(graph, np.zeros((1, 1, 2, 2), np.float32), steps=2)


@every_engine
def test_operators_take_their_turn_in_the_order_of_ranks(engine: str) -> None:
    """A chain of two operators passes a spike on in the step in which it fired."""
    rule = Spiking(0.25, "expectation", parameters={"cap": 8})
    graph = chain((1,), ("a", MaxTwo(), rule), ("b", MaxTwo(), rule), ("o", linear("o", [[1]])))
    for schedule in SCHEDULES:
        found = simulate(
            graph, np.ones((1, 1), np.float32), steps=3, record="spikes", engine=engine, **schedule
        )
        n = [sent_by_step(found.trace, name, 3, (1,))[:, 0].tolist() for name in "ab"]
        assert n == [[4, 8, 12], [4, 8, 12]]


class MaxTwo(Sigmoid):
    """The identity, as an operator."""

    def evaluate(self, *x: np.ndarray) -> np.ndarray:
        return x[0]


def test_the_reference_and_the_kernels_keep_an_operator_s_measures_alike() -> None:
    graph, x, _ = drawn(7, "gelu")
    setting = Setting("async", 4, 4, precision="float32")
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, x[0].astype(np.float32), setting)
    runs = [run(network, stimulus, setting, engine, True) for engine in ("reference", "cython")]
    assert_same_run(*runs)
