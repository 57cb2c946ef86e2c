"""Neurons whose spikes carry a whole number: each rule, its cases, measures and refusals."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from graded_rules import group_of, most_of, payload, reset
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, fires, linear, neurons
from running import (
    Setting,
    assert_same_run,
    every_engine,
    network_of,
    run,
    spikes_by_tick,
    stimulus_of,
    weights_of,
)
from signed_strategies import DyadicBuilder, GradedBuilder, SignedBuilder, images
from strategies import graphs, settings_of

from thresher import SimulationError, load_trace, simulate
from thresher.ir import Graph, Spiking
from thresher.ir.ops import LeakyRelu
from thresher.ir.spiking import COUNTED, IMBALANCED
from thresher.sim import NEURONS
from thresher.sim.bounds import Extent, fit_membranes
from thresher.sim.compile import compile_graph

NOTHING = np.zeros((1, 1), np.float32)
MODELS = GradedBuilder.models
every_model = pytest.mark.parametrize("name", MODELS)


def builder_of(name: str) -> type[GradedBuilder]:
    return type("One", (GradedBuilder,), {"models": [name]})


@every_model
@every_engine
@given(data=st.data())
@settings(max_examples=40)
def test_in_lockstep_every_neuron_follows_its_rule(
    name: str, engine: str, data: st.DataObject
) -> None:
    graph = data.draw(graphs(builder_of=builder_of(name), delays=True))
    setting = data.draw(settings_of(schedules=("lockstep",), encoders=("constant",)))
    setting = replace(setting, precision="float64")
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], setting)
    sample = run(network, stimulus, setting, engine)
    sent = [spikes_by_tick(network, sample, p.rank, setting.steps) for p in network.populations]

    for population in network.spiking:
        span = network.span(population.rank)
        received = np.tile(stimulus.current[span], (setting.steps, 1))
        for projection in network.projections:
            if projection.target == population.rank:
                arrived = sent[projection.source] @ weights_of(network, projection)
                for step in range(1 + projection.delay, setting.steps + 1):
                    received[step - 1] += arrived[step - projection.delay]
        for i in range(population.size):
            theta, v, n = population.theta[i], population.v_init[i], 0
            most = most_of(population, setting.steps)
            for step in range(setting.steps):
                v += received[step, i]
                out = payload(name, v, n, theta, most, **population.parameters)
                assert sent[population.rank][step + 1, i] == out
                v -= reset(name, out, theta, **population.parameters)
                n += out


@every_engine
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
@given(data=st.data())
@settings(max_examples=25)
def test_no_charge_is_lost_or_made(schedule: str, engine: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(builder_of=GradedBuilder, delays=True))
    setting = data.draw(settings_of(schedules=(schedule,), precisions=("int",)))
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], setting)
    sample = run(network, stimulus, setting, engine)
    sent = [spikes_by_tick(network, sample, p.rank, setting.ticks) for p in network.populations]

    for population in network.spiking:
        if population.neuron == "input":
            continue
        span = network.span(population.rank)
        received = stimulus.current[span].astype(np.int64) * setting.steps
        for projection in network.projections:
            if projection.target == population.rank:
                arrived = sent[projection.source][: max(setting.ticks + 1 - projection.delay, 0)]
                received += (arrived.sum(axis=0) @ weights_of(network, projection)).astype(int)
        theta = down = population.theta.astype(np.int64)
        if population.neuron == IMBALANCED:
            down = np.rint(theta / population.parameters["slope"]).astype(np.int64)
        sign_of = sent[population.rank]
        spent = theta * sign_of.clip(0).sum(axis=0) + down * sign_of.clip(None, 0).sum(axis=0)
        np.testing.assert_array_equal(sample.potentials[span], population.v_init + received - spent)


@every_engine
@given(data=st.data())
@settings(max_examples=40)
def test_one_netted_tick_a_step_is_lockstep(engine: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(builder_of=DyadicBuilder, delays=True))
    lockstep = data.draw(settings_of(schedules=("lockstep",)))
    network = network_of(graph, lockstep)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], lockstep)
    netted = run(network, stimulus, replace(lockstep, schedule="async"), engine, watch=True)
    assert_same_run(netted, run(network, stimulus, lockstep, engine, watch=True))


@pytest.mark.parametrize(("graded", "plain"), [("burst", "if"), ("signed_burst", "signed_if")])
@every_engine
@given(data=st.data())
@settings(max_examples=30)
def test_a_cap_of_one_is_the_neuron_without(
    graded: str, plain: str, engine: str, data: st.DataObject
) -> None:
    graph = data.draw(graphs(builder_of=builder_of(graded), delays=True))
    annotations = {node.name: node.spiking for node in graph if node.spiking is not None}
    setting = data.draw(settings_of())
    image = data.draw(images(graph))[0]

    def sample_of(**changes: object) -> object:
        changed = graph.replace_all(
            {
                name: replace(graph[name], spiking=replace(s, **changes))
                for name, s in annotations.items()
            }
        )
        network = network_of(changed, setting)
        return run(network, stimulus_of(changed, network, image, setting), setting, engine)

    one = sample_of(parameters={"cap": 1})
    assert_same_run(sample_of(neuron=plain, parameters={}), one)


@pytest.mark.parametrize("members", [1, 2, 4, 8])
@every_engine
def test_a_group_neuron_is_a_burst_of_as_many_thresholds(members: int, engine: str) -> None:
    theta, steps, rng = 1.5, 12, np.random.default_rng(members)
    weights = rng.integers(-8, 16, (9, 5)) / 8
    currents = rng.integers(-2, 9, 5) / 8
    graph = chain(
        (1,),
        ("in", linear("in", np.zeros((5, 1)), currents)),
        ("source", *fires(0.5)),
        ("fc", linear("fc", weights)),
        (
            "group",
            *fires(theta / members, neuron="burst", parameters={"cap": members}),
        ),
        ("out", linear("out", np.ones((1, 9)))),
    )
    result = simulate(graph, NOTHING, steps=steps, record="spikes", engine=engine)
    trace, source, v = result.trace, np.zeros((steps + 1, 5)), np.zeros(9)
    of = trace.population == trace.populations.index("source")
    source[trace.tick[of], trace.neuron[of]] = 0.5
    found = np.zeros((steps + 1, 9))
    of = trace.population == trace.populations.index("group")
    found[trace.tick[of], trace.neuron[of]] = trace.sign[of]
    for step in range(1, steps + 1):
        for i in range(9):
            fired, v[i] = group_of(members, theta, v[i] + weights[i] @ source[step])
            assert found[step, i] == fired
    assert found.max() == members


@every_engine
@given(data=st.data())
@settings(max_examples=60)
def test_in_lockstep_spikes_of_any_size_give_the_layered_counts_without_settling(
    engine: str, data: st.DataObject
) -> None:
    class Unlimited(SignedBuilder):
        """A spike that carries L has nothing left to carry."""

        models: ClassVar[list[str]] = ["signed_burst"]

        def annotation(self, name: str, shape: tuple[int, ...]) -> Spiking:
            return replace(super().annotation(name, shape), parameters={"cap": 20})

    graph = data.draw(graphs(builder_of=Unlimited))
    steps = data.draw(st.integers(1, 9))
    setting = Setting("lockstep", steps, precision="float64")
    network = network_of(graph, setting)
    image = data.draw(images(graph))[0]
    stimulus = stimulus_of(graph, network, image, setting)
    found = run(network, stimulus, setting, engine)
    layered = run(network, stimulus, replace(setting, schedule="layered"), "reference")
    for population in network.spiking:
        counts = [
            spikes_by_tick(network, sample, population.rank, int(sample.ticks.max(initial=0)))
            for sample in (found, layered)
        ]
        np.testing.assert_array_equal(counts[0].sum(axis=0), counts[1].sum(axis=0))
    np.testing.assert_array_equal(
        found.potentials[network.span(-1 % len(network.populations))],
        layered.potentials[network.span(-1 % len(network.populations))],
    )


@pytest.mark.parametrize("schedule", ["lockstep", "layered"])
@pytest.mark.parametrize("slope", [0.125, 0.5, 1.0, 2.0])
def test_a_constant_current_gives_the_staircase_of_a_leaky_relu(
    slope: float, schedule: str
) -> None:
    currents, theta, steps = np.arange(-24, 25) / 8, 0.75, 16
    graph = neurons(
        currents.tolist(),
        np.ones((1, 49)),
        threshold=theta,
        neuron="imbalanced",
        parameters={"slope": slope},
    )
    result = simulate(graph, NOTHING, steps=steps, schedule=schedule, record="spikes")
    wanted = np.trunc(LeakyRelu(slope=slope).evaluate(currents * steps) / theta)
    np.testing.assert_array_equal(result.trace.counts("if"), np.clip(wanted, -steps, steps))


@every_engine
def test_thresholds_of_powers_of_two_send_the_nearest(engine: str) -> None:
    # thresholds 1, 2, 4, 8 fire from 3/4 of them on: a value goes to the nearest power of two
    values = [0.5, 0.75, 1.25, 1.5, 2.75, 3.0, 5.0, 6.0, 20.0]
    graph = neurons(
        values,
        np.ones((1, 9)),
        neuron="multi_threshold",
        parameters={"thresholds": 4},
    )
    result = simulate(graph, NOTHING, steps=1, record="spikes", engine=engine)
    np.testing.assert_array_equal(result.trace.counts("if"), [0, 1, 1, 2, 2, 4, 4, 8, 8])


def test_three_quarters_of_a_threshold_is_rounded_up_in_whole_numbers() -> None:
    graph = neurons([3.0, 4.0], [[1, 1]], threshold=5.0, scale=1.0, neuron="multi_threshold")
    graph = replace(graph, readout=replace(graph.readout, scale=1.0))
    result = simulate(graph, NOTHING, steps=1, precision="int", record="spikes")
    np.testing.assert_array_equal(result.trace.counts("if"), [0, 1])  # 3.75 becomes 4


def sent(graph: Graph, **options: object) -> list[tuple[int, int]]:
    trace = simulate(graph, NOTHING, **{"record": "spikes"} | options).trace
    return list(zip(trace.tick.tolist(), trace.sign.tolist(), strict=True))


@every_engine
def test_a_burst_is_one_event_whatever_it_carries(engine: str) -> None:
    graph = neurons([0.0], [[0.5]], v_init=7.5, neuron="burst", parameters={"cap": 5})
    result = simulate(
        graph, NOTHING, steps=3, engine=engine, record="spikes", membranes={"out": [0]}
    )
    assert sent(graph, steps=3, engine=engine) == [(1, 5), (2, 2)]
    assert result.spike_counts["if"] == [2]
    assert result.synaptic_operations == [2]
    np.testing.assert_array_equal(result.trace.membranes["out"][0, :, 0], [2.5, 3.5, 3.5])


@every_engine
def test_spike_by_spike_a_burst_waits_for_the_refractory_rule(engine: str) -> None:
    graph = neurons([0.0], [[1.0]], v_init=7.5, neuron="burst", parameters={"cap": 5})
    timing = {"schedule": "async", "ticks_per_step": 4, "engine": engine}
    assert sent(graph, steps=3, **timing) == [(1, 5), (5, 2)]


def test_layered_units_of_one_step_share_a_spike() -> None:
    graph = neurons([3.5], [[1.0]], neuron="burst", parameters={"cap": 3})
    # 3.5 * 4 = 14, at most 3 * 4 = 12: three of them a step
    assert sent(graph, steps=4, schedule="layered") == [(1, 3), (2, 3), (3, 3), (4, 3)]


def test_layered_has_no_meaning_for_what_sends_the_nearest() -> None:
    graph = neurons([1.0], [[1.0]], neuron="multi_threshold")
    message = "schedule 'layered' .* node 'if' is of neuron 'multi_threshold', whose spikes depend"
    with pytest.raises(SimulationError, match=message):
        simulate(graph, NOTHING, steps=4, schedule="layered")


@pytest.mark.parametrize(
    ("neuron", "parameters", "levels", "largest"),
    [
        ("if", {}, 2, 1),
        ("signed_if", {}, 3, 1),
        ("snm", {}, 3, 1),
        ("imbalanced", {}, 3, 1),
        ("burst", {"cap": 7}, 8, 7),
        ("signed_burst", {"cap": 7}, 15, 7),
        ("multi_threshold", {"thresholds": 4}, 9, 8),
    ],
)
def test_a_result_says_what_a_spike_may_carry(
    neuron: str, parameters: dict, levels: int, largest: int
) -> None:
    graph = neurons([1.0], [[1.0]], neuron=neuron, parameters=parameters)
    metrics = simulate(graph, NOTHING, steps=2).metrics()
    assert metrics["spike_levels"] == levels
    assert metrics["bits_per_spike"] == np.log2(levels)
    assert metrics["largest_payload"] == largest


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_a_trace_file_holds_the_payload(suffix: str, tmp_path: Path) -> None:
    graph = neurons([0.0], [[1.0]], v_init=200.0, neuron="burst", parameters={"cap": 127})
    file = tmp_path / f"spikes{suffix}"
    simulate(graph, NOTHING, steps=2, trace=file)
    if suffix == ".npz":
        np.testing.assert_array_equal(load_trace(file).sign, [127, 73])
    else:
        rows = file.read_text("utf-8").splitlines()[2:]
        assert [row.split(",")[-1] for row in rows] == ["127", "73"]


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"neuron": "burst", "reset": "hard"}, "'burst' has a reset of its own"),
        (
            {"neuron": "burst", "levels": 3},
            "'burst' has no levels; .*'signed_burst' or 'signed_if'",
        ),
        ({"neuron": "burst", "parameters": {"cap": 2.5}}, "is 2.5; expected a whole number from 1"),
        ({"neuron": "burst", "parameters": {"cap": 128}}, "is 128; expected a whole .* to 127"),
        ({"neuron": "burst", "parameters": {"caps": 3}}, "no parameter 'caps': did you mean 'cap'"),
        ({"neuron": "imbalanced", "parameters": {"slope": 0}}, "'slope', .*; expected .* above 0"),
    ],
)
def test_annotations_that_a_model_cannot_follow_are_refused(annotation: dict, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulate(neurons([1.0], [[1.0]], **annotation), NOTHING, steps=1)


def test_a_membrane_has_room_for_what_spikes_carry() -> None:
    def readout_room(cap: int) -> int:
        graph = neurons([1.0], [[100.0]], scale=1.0, neuron="burst", parameters={"cap": cap})
        graph = replace(graph, readout=replace(graph.readout, scale=1.0))
        network = compile_graph(graph, dtype=np.int64)
        return int(fit_membranes(network, Extent(10, 10), 0.0).most_current[-1])

    room = np.iinfo(np.int32).max - 1
    assert readout_room(1) == (room - 2 * 10 * 100) // 20
    assert readout_room(50) == (room - 2 * 10 * 50 * 100) // 20


def test_the_models_that_count_are_those_that_a_pass_may_put_before_a_max_pool() -> None:
    assert {name for name in NEURONS if NEURONS.get(name).counted} == COUNTED
