"""Leaky neurons: the closed form, the f-I curve, both resets, and what has no meaning for them."""

from dataclasses import replace
from math import ceil, exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from networks import chain, fires, linear, neurons
from running import Setting, assert_same_run, network_of, run, stimulus_of
from strategies import Builder, Shape, graphs, images, settings_of

from thresher import Result, SimulationError, simulate
from thresher.ir import Graph, Op, Spiking
from thresher.ir.ops import Identity

NOTHING = np.zeros((1, 1), np.float32)
every_schedule = pytest.mark.parametrize(
    "schedule", [{}, {"schedule": "async", "ticks_per_step": 4}], ids=["lockstep", "async"]
)
HALVES = 1 / log(2)
"""The time constant with which a potential halves in a step."""


def leaky(*currents: float, tau: float = 4.0, **annotation: object) -> Graph:
    return neurons(currents, [[1.0] * len(currents)], neuron="lif", tau=tau, **annotation)


def simulated(graph: Graph, **options: object) -> Result:
    options = {"precision": "float64", "record": "spikes"} | options
    return simulate(graph, NOTHING, **options)


def period(current: float, tau: float, theta: float, v_reset: float, ticks: int) -> float:
    """Return tau * ln((v_inf - v_reset) / (v_inf - theta)) in ticks."""
    v_inf = current * tau
    return ticks * tau * log((v_inf - v_reset) / (v_inf - theta))


@pytest.mark.parametrize("ticks", [1, 4, 64])
@pytest.mark.parametrize("tau", [0.7, 3.0, 20.0])
@pytest.mark.parametrize("v_reset", [0.0, -0.5, 0.25])
def test_the_rate_under_constant_current_is_the_analytic_one(
    ticks: int, tau: float, v_reset: float
) -> None:
    theta, steps = 0.8, 60
    drives = np.array([0.5, 0.99, 1.01, 1.3, 2.2, 5.0])  # of the current that just reaches theta
    graph = leaky(
        *(drives * theta / tau), tau=tau, threshold=theta, reset="hard", v_reset=v_reset,
        v_init=v_reset,
    )  # fmt: skip
    options = {} if ticks == 1 else {"ticks_per_step": ticks, "refractory": 0}
    schedule = "lockstep" if ticks == 1 else "async"

    counts = simulated(graph, steps=steps, schedule=schedule, **options).trace.counts("if")

    currents = (drives * theta / tau).astype(np.float32)  # as the network's bias holds them
    periods = [period(float(i), tau, theta, v_reset, ticks) for i in currents[2:]]
    assert all(abs(p - round(p)) > 1e-6 for p in periods)
    expected = [0, 0, *(steps * ticks // ceil(p) for p in periods)]
    np.testing.assert_array_equal(counts, expected)


@every_schedule
def test_a_potential_follows_the_closed_form(schedule: dict) -> None:
    graph = leaky(0.1, -0.2, tau=3.0, v_init=0.5)
    result = simulated(graph, steps=5, membranes={"if": [0, 1]}, **schedule)
    ticks = schedule.get("ticks_per_step", 1)
    v_inf = 3.0 * np.array([0.1, -0.2], np.float32).astype(float)
    time = np.arange(1, 5 * ticks + 1)[:, None] / ticks
    expected = v_inf + (0.5 - v_inf) * np.exp(-time / 3.0)
    np.testing.assert_allclose(result.trace.membranes["if"][0], expected, rtol=0, atol=1e-14)


def test_soft_reset_keeps_what_lies_over_theta() -> None:
    graph = leaky(2.0, tau=4.0)
    result = simulated(graph, steps=2, membranes={"if": [0]})
    first = 8 - 8 * exp(-1 / 4) - 1
    second = 8 + (first - 8) * exp(-1 / 4) - 1
    np.testing.assert_allclose(result.trace.membranes["if"][0, :, 0], [first, second], atol=1e-14)


@every_schedule
def test_an_arrival_adds_its_potential_and_leaks_from_then_on(schedule: dict) -> None:
    graph = relayed(0.375, threshold=0.625)
    result = simulated(graph, steps=4, precision="float32", **schedule)
    # 3/8, 9/16 and 21/32, of which 1/32 is left over theta = 5/8; then 25/64
    ticks = schedule.get("ticks_per_step", 1)
    assert result.trace.spike_train("leaky", 0).tolist() == [3 * ticks]


def relayed(weight: float, **annotation: object) -> Graph:
    """A neuron that fires at every step brings `weight` to one whose potential halves in a step."""
    return chain(
        (1,),
        ("in", linear("in", [[0.0]], [1.0])),
        ("if", *fires()),
        ("fc", linear("fc", [[weight]])),
        ("leaky", *fires(neuron="lif", tau=HALVES, **annotation)),
        ("out", linear("out", [[1.0]])),
    )


@every_schedule
def test_when_the_input_has_ended_it_leaks_towards_0(schedule: dict) -> None:
    graph = relayed(0.0, threshold=9.0, shift=1.0)
    ticks = schedule.get("ticks_per_step", 1)
    name = schedule.get("schedule", "lockstep")
    setting = Setting(name, 2, ticks, delay=5 * ticks, precision="float64", settle_limit=9)
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, NOTHING[0], setting)
    sample = run(network, stimulus, setting, "reference")
    assert sample.quiescent == 7 * ticks
    end = HALVES * (1 - 1 / 4)
    np.testing.assert_allclose(sample.potentials[1], end / 2**5, rtol=1e-14)


class LeakyBuilder(Builder):
    """Draws neurons whose potential halves in a step, and no constant current: sums stay exact."""

    def annotation(self, name: str, shape: Shape) -> Spiking:
        return replace(super().annotation(name, shape), neuron="lif", tau=HALVES, shift=0.0)

    def bias(self, name: str, n: int) -> None:
        return None

    def scale(self, shape: Shape) -> Op:
        return Identity()


@given(data=st.data())
@hypothesis_settings(max_examples=80)
def test_one_netted_tick_a_step_is_lockstep(data: st.DataObject) -> None:
    graph = data.draw(graphs(builder_of=LeakyBuilder, delays=True, resets=("soft", "hard")))
    encoders = ("regular", "poisson")
    lockstep = data.draw(
        settings_of(schedules=("lockstep",), encoders=encoders, precisions=("float64",))
    )
    lockstep = replace(lockstep, precision="float32")
    network = network_of(graph, lockstep)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], lockstep)
    netted = run(network, stimulus, replace(lockstep, schedule="async"), "reference", watch=True)
    assert_same_run(netted, run(network, stimulus, lockstep, "reference", watch=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"schedule": "layered"},
            "schedule 'layered' counts what no leak takes; node 'if' is of ne",
        ),
        (
            {"precision": "int"},
            "node 'if': neuron 'lif' leaks by fractions, which precision 'int' d",
        ),
    ],
)
def test_what_has_no_meaning_with_a_leak_is_refused(options: dict, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulated(leaky(1.0, scale=8.0), steps=1, **options)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"tau": None}, "node 'if': neuron 'lif' needs its leak's time constant in steps"),
        (
            {"levels": 2},
            "node 'if': neuron 'lif' has no levels; .* take neuron 'signed_burst' or 'signed_if'",
        ),
        ({"neuron": "if"}, "node 'if': neuron 'if' has no tau; .* take neuron 'lif'"),
    ],
)
def test_an_annotation_that_the_model_cannot_follow_names_the_node(
    annotation: dict, message: str
) -> None:
    graph = neurons([1.0], [[1.0]], **{"neuron": "lif", "tau": 4.0} | annotation)
    with pytest.raises(SimulationError, match=message):
        simulated(graph, steps=1)
