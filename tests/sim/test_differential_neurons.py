"""Differential neurons: the paper's recursion, what is said, who may listen, and refusals."""

from itertools import product
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, fires, linear, neurons
from running import (
    Setting,
    every_engine,
    network_of,
    run,
    spikes_by_tick,
    stimulus_of,
    weights_of,
)
from signed_strategies import DifferentialBuilder, images
from strategies import graphs, settings_of

from thresher import SimulationError, evaluate, export_nir, export_torch, simulate
from thresher.ir import Graph, Spiking
from thresher.ir.ops import Flatten, Gelu, Identity, MaxPool2d
from thresher.ir.spiking import IMBALANCED
from thresher.sim import Network, Population
from thresher.sim.contract import SampleRun, Stimulus

NOTHING = np.zeros((1, 1), np.float32)
SMALL = 1e-9


def drawn(data: st.DataObject, engine: str) -> tuple[Network, Stimulus, SampleRun, Setting]:
    """Run a random graph in lockstep, in float64."""
    graph = data.draw(graphs(builder_of=DifferentialBuilder, delays=True, readouts=("membrane",)))
    setting = data.draw(settings_of(schedules=("lockstep",), precisions=("float64",)))
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], setting)
    return network, stimulus, run(network, stimulus, setting, engine), setting


def sent_by(network: Network, sample: SampleRun, steps: int) -> list[np.ndarray]:
    return [spikes_by_tick(network, sample, p.rank, steps) for p in network.populations]


def is_differential(population: Population) -> bool:
    return population.neuron == "differential"


def payloads(m: float, said: float, room: float, theta: float, n: int) -> set[int]:
    """Return what the rule sends, for an m, and values said, that may be a little off."""
    return {
        payload(m + a, said + b, room + c, theta, n)
        for a, b, c in product((-SMALL, SMALL), repeat=3)
    }


def payload(m: float, said: float, room: float, theta: float, n: int) -> int:
    """Return what the paper's neuron sends; `said` and `room` are what it may take back and add."""
    for power in (2**i for i in reversed(range(n))):
        if m >= 0.75 * power * theta and power * theta <= room:
            return power
        if m <= -0.75 * power * theta and power * theta <= said:
            return -power
    return 0


@every_engine
@given(data=st.data())
@settings(max_examples=60)
def test_every_neuron_follows_the_papers_recursion(engine: str, data: st.DataObject) -> None:
    network, stimulus, sample, setting = drawn(data, engine)
    sent = sent_by(network, sample, setting.steps)
    for population in filter(is_differential, network.spiking):
        size, given = population.size, population.parameters
        m, e_in, e_out = population.v_init.copy(), np.zeros(size), np.zeros(size)
        ceiling = (given["ceiling"] or np.inf) * population.theta
        incoming = [p for p in network.projections if p.target == population.rank]
        for t in range(1, setting.steps + 1):
            m += stimulus.current[network.span(population.rank)] + e_in - e_out
            for projection in incoming:
                if t > projection.delay:
                    x = sent[projection.source][t - projection.delay]
                    arrived = x @ weights_of(network, projection)
                    m += arrived
                    if is_differential(network.populations[projection.source]):
                        e_in += arrived / (t - projection.delay)
            for i in range(size):
                said, room = t * e_out[i], t * (ceiling[i] - e_out[i])
                found = sent[population.rank][t, i]
                rule = (population.theta[i], int(given["thresholds"]))
                assert found in payloads(m[i], said, room, *rule)
            m -= sent[population.rank][t] * population.theta
            e_out += sent[population.rank][t] * population.theta / t
            assert (e_out >= -SMALL).all()
            assert (e_out <= ceiling + SMALL).all()


@every_engine
@given(data=st.data())
@settings(max_examples=60)
def test_what_came_and_what_was_said_balance_beside_neurons_that_count(
    engine: str, data: st.DataObject
) -> None:
    network, stimulus, sample, setting = drawn(data, engine)
    sent, steps = sent_by(network, sample, setting.steps), setting.steps
    at = np.arange(steps + 1.0)
    at[0] = 1  # nothing is sent in step 0

    def came(rank: int, delay: int) -> np.ndarray:
        """What a spike of each step has brought by the last, through a weight of 1."""
        late = np.arange(steps + 1) + delay <= steps
        lasts = (steps - np.arange(steps + 1) - delay) / at
        differs = is_differential(network.populations[rank])
        return np.where(late, 1 + lasts if differs else 1, 0) @ sent[rank]

    for population in network.populations:
        if population.neuron == "input":
            continue
        span = network.span(population.rank)
        total = population.v_init + steps * stimulus.current[span]
        for projection in network.projections:
            if projection.target == population.rank:
                arrived = came(projection.source, projection.delay)
                total = total + arrived @ weights_of(network, projection)
        spent = np.zeros(population.size)
        if population.fires:
            down = population.theta
            if population.neuron == IMBALANCED:
                down = down / population.parameters["slope"]
            counts = sent[population.rank]
            spent = population.theta * counts.clip(0).sum(0) + down * counts.clip(None, 0).sum(0)
        if is_differential(population):
            spent = population.theta * came(population.rank, 0)
        np.testing.assert_allclose(sample.potentials[span], total - spent, atol=1e-9)


VALUES = np.arange(1, 80) / 64


@every_engine
def test_a_constant_current_is_said_ever_more_finely_by_few_spikes(engine: str) -> None:
    theta, n, steps = 1 / 8, 4, 1000
    graph = neurons(VALUES.tolist(), np.ones((1, 79)), theta, neuron="differential")
    trace = simulate(graph, NOTHING, steps=steps, record="spikes", engine=engine).trace
    changes = np.zeros((steps + 1, 79))
    changes[trace.tick, trace.neuron] = trace.sign * theta / trace.tick
    said = np.cumsum(changes, axis=0)
    for t in range(2 * n, steps + 1):
        # |v| = t |z - y| is below 3/4 theta, or y below the theta / t that would be taken off
        assert (np.abs(said[t] - VALUES) <= theta / t).all()
    # an error that makes v = 3/4 theta becomes a third of it, which takes three times as long
    spikes = np.bincount(trace.neuron, minlength=79)
    assert spikes.max() <= 2 * n + log(steps, 3) + 1


@every_engine
def test_a_neuron_that_has_said_its_input_is_silent(engine: str) -> None:
    # 3/4: 1 in step 1 leaves v = -1/4, doubled to -1/2 in step 2, where -1/2 makes y = 1 - 1/4
    graph = neurons([0.75, 0.5, -1.0], [[1, 10, 100]], 0.125, neuron="differential")
    result = simulate(
        graph, NOTHING, steps=500, record="spikes", engine=engine, membranes={"out": [0]}
    )
    trace = result.trace
    found = list(zip(trace.tick, trace.neuron, trace.sign, strict=True))
    assert found == [(1, 0, 8), (1, 1, 4), (2, 0, -4)]
    t = np.arange(1, 501)
    said = np.where(t == 1, 1 + 5, 0.75 + 5)
    np.testing.assert_array_equal(trace.membranes["out"][0, :, 0] / t, said)


@every_engine
def test_a_ceiling_is_what_is_said_of_more(engine: str) -> None:
    graph = neurons([5.0], [[1.0]], neuron="differential", parameters={"ceiling": 4})
    result = simulate(graph, NOTHING, steps=50, membranes={"out": [0]}, engine=engine)
    assert result.spike_counts["if"] == [1]
    np.testing.assert_array_equal(
        result.trace.membranes["out"][0, :, 0], 4 * np.arange(1, 51, dtype=np.float32)
    )


@every_engine
@pytest.mark.parametrize(("value", "step"), [(1.5, 2), (3.0, 11), (5.0, 83)])
def test_a_value_beyond_the_largest_threshold_is_reached_by_the_harmonic_series(
    engine: str, value: float, step: int
) -> None:
    graph = neurons([value], [[1.0]], 0.125, neuron="differential")
    trace = simulate(graph, NOTHING, steps=step, record="spikes", engine=engine).trace
    said = np.cumsum(trace.sign * 0.125 / trace.tick)
    np.testing.assert_allclose(said, np.cumsum(1 / np.arange(1, step + 1)))
    assert said[-2] < value <= said[-1]


@every_engine
def test_a_delayed_spike_keeps_the_share_of_the_step_in_which_it_was_sent(engine: str) -> None:
    graph = neurons([1.0], [[1.0]], neuron="differential", v_init=-1.0)
    # v = 0, 1 in steps 1, 2: a spike in step 2 says 1/2; v = 1/2, 1 in steps 3, 4: one adds 1/4
    result = simulate(
        graph, NOTHING, steps=6, delay=2, record="spikes", membranes={"out": [0]}, engine=engine
    )
    trace = result.trace
    assert list(zip(trace.tick, trace.sign, strict=True))[:2] == [(2, 1), (4, 1)]
    np.testing.assert_array_equal(trace.membranes["out"][0, :, 0], [0, 0, 0, 1, 1.5, 1.5 + 1.5])


@every_engine
def test_an_operator_follows_a_function_of_what_is_said(engine: str) -> None:
    operator = Spiking(threshold=1 / 16, neuron="expectation")
    graph = chain(
        (2,),
        ("in", linear("in", np.eye(2))),
        ("act", *fires(1 / 8, neuron="differential")),
        ("fc", linear("fc", [[1.0, -0.5], [0.0, 1.0]], [0.1, -0.2])),
        ("gelu", Gelu(), operator),
        ("out", linear("out", np.eye(2), [0.5, 0.3])),
    )
    x, steps = np.array([[0.8, 0.6]], np.float32), 64
    result = simulate(graph, x, steps=steps, membranes={"out": [0, 1]}, engine=engine)
    # what is said is off by 1/8 / T, Gelu's slope is at most 1.13, and its own counts by 1/16 / T
    off = np.abs(result.trace.membranes["out"][0, -1] / steps - evaluate(graph, x)[0])
    assert (off <= (1.5 * 1.13 / 8 + 1 / 16) / steps).all()


def test_a_spike_carries_one_of_the_powers_of_either_sign() -> None:
    graph = neurons([1.0], [[1.0]], neuron="differential", parameters={"thresholds": 4})
    payload = simulate(graph, NOTHING, steps=1).payloads["if"]
    assert (payload.levels, payload.largest) == (9, 8)


def in_front_of(*links: tuple, shape: tuple[int, ...] = (2, 2, 2), **options: object) -> Graph:
    return chain(
        shape, ("id", Identity()), ("act", *fires(neuron="differential")), *links, **options
    )


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (
            in_front_of(
                ("flat", Flatten()),
                ("leaky", *fires(neuron="lif", tau=8.0)),
                ("out", linear("out", np.ones((2, 8)))),
            ),
            "node 'leaky': neurons 'lif' take each spike for itself, and those of 'act'",
        ),
        (
            in_front_of(
                ("pool", MaxPool2d(2)), ("flat", Flatten()), ("out", linear("out", np.eye(2)))
            ),
            "node 'pool' is a max pool of 'act', whose neurons are 'differential'; it follows net",
        ),
        (
            in_front_of(
                ("flat", Flatten()),
                ("out", linear("out", np.ones((2, 8)))),
                ("last", *fires(neuron="differential")),
                readout="spikes",
            ),
            "readout 'spikes' counts, and the spikes of 'last', whose neurons are 'differential'",
        ),
    ],
)
def test_what_cannot_read_changes_is_refused_by_name(graph: Graph, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulate(graph, np.ones((1, 2, 2, 2), np.float32), steps=2)


def test_pytorch_has_no_differential_neurons(tmp_path: object) -> None:
    graph = neurons([1.0], [[1.0]], neuron="differential")
    with pytest.raises(SimulationError, match="node 'if' has neurons 'differential', which the Py"):
        export_torch(graph, tmp_path / "net.py", steps=4)


def test_nir_has_no_differential_neurons(tmp_path: object) -> None:
    pytest.importorskip("nir", reason="needs nir (extra 'nir')")
    graph = neurons([1.0], [[1.0]], neuron="differential")
    with pytest.raises(SimulationError, match=r"node 'if'.* has neurons 'differential'; NIR has"):
        export_nir(graph, tmp_path / "net.nir")
