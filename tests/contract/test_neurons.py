"""What every registered neuron model must keep: its name, its reset rule, its refusals."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from networks import linear, neurons
from running import Setting, every_engine, network_of, run, stimulus_of

from thresher import SimulationError, simulate
from thresher.ir import Graph, Spiking
from thresher.ir.fields import FloatRule
from thresher.sim import NEURONS, Population, compiled_available
from thresher.sim.contract import Options
from thresher.sim.neurons import IntegrateAndFire, Neuron, Parameter, Time

every_model = pytest.mark.parametrize("name", list(NEURONS))
INTEGRATING = [name for name in NEURONS if not NEURONS.get(name).operates]
"""Neurons that stand for an activation; those of operators have tests/sim/test_operators.py."""
every_integrating_model = pytest.mark.parametrize("name", INTEGRATING)
every_neuron = pytest.mark.parametrize(
    "name", [name for name in INTEGRATING if issubclass(NEURONS.get(name), Neuron)]
)
needs_kernels = pytest.mark.skipif(not compiled_available()[0], reason=compiled_available()[1])


DRIVES = {"izhikevich": 40.0, "hodgkin_huxley": 40.0}
"""The current that fires a model within three steps, where 0.75 does not."""


def with_neuron(name: str) -> Graph:
    tau = 8.0 if name in NEURONS and "tau" in NEURONS.get(name).takes else None
    currents = [DRIVES.get(name, 0.75), 0.5, -1.0, 0.0]
    return neurons(currents, [[1, 1, 1, 1]], v_init=0.25, neuron=name, tau=tau)


def population(hard_reset: bool, v_init: list[float]) -> Population:
    theta = np.array([1.0, 0.5, 2.0], np.float32)
    start = np.array(v_init, np.float32)
    return Population("p", (3,), 0, "if", theta, start, np.zeros(3), hard_reset, -0.5)


def integrating(hard_reset: bool) -> IntegrateAndFire:
    """Three neurons at tick 0 of a run in which each step brings 1, 1/2 and 0."""
    time = Time(Options("async", 2, ticks_per_step=4), np.dtype(np.float32))
    current = np.array([1.0, 0.5, 0.0], np.float32)
    return IntegrateAndFire(population(hard_reset, [1.0, 0.625, 9.0]), current, time)


@every_model
def test_a_model_is_registered_under_its_name(name: str) -> None:
    assert NEURONS.get(name).name == name


@every_model
def test_the_default_of_a_parameter_obeys_its_own_rule(name: str) -> None:
    for parameter in NEURONS.get(name).parameters.values():
        assert parameter.rule.parse(parameter.default) == parameter.default
        assert parameter.meaning


@every_model
def test_a_parameter_that_a_model_does_not_have_is_refused_by_name(name: str) -> None:
    with pytest.raises(SimulationError, match=f"neuron '{name}' has no parameter 'x_rest'"):
        NEURONS.get(name).check(Spiking(1.0, parameters={"x_rest": 1.0}))


def test_the_ramp_adds_what_the_current_has_brought() -> None:
    np.testing.assert_array_equal(integrating(False).potential(2), [1.5, 0.875, 9.0])


def test_soft_reset_takes_theta() -> None:
    model = integrating(False)
    model.reset(np.array([0, 1]), np.ones(2, np.int8), 2)
    np.testing.assert_array_equal(model.potential(2), [0.5, 0.375, 9.0])


def test_hard_reset_leaves_v_reset_with_the_ramp_in_it() -> None:
    model = integrating(True)
    model.reset(np.array([0, 1]), np.ones(2, np.int8), 2)
    np.testing.assert_array_equal(model.potential(2), [-0.5, -0.5, 9.0])


def test_a_rising_ramp_is_predicted_to_the_tick() -> None:
    model = integrating(False)
    model.reset(np.array([0, 1, 2]), np.ones(3, np.int8), 0)
    # v = k/4, 1/8 + k/8 and 7 for theta 1, 1/2 and 2: from tick 2 on they reach it at 4, 3 and 2
    np.testing.assert_array_equal(model.next_tick(np.arange(3), np.full(3, 2)), [4, 3, 2])


@every_neuron
@every_engine
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_engines_that_know_a_model_run_it_and_others_refuse_it_by_name(
    name: str, engine: str, schedule: str
) -> None:
    graph, setting = with_neuron(name), Setting(schedule, 3)
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, np.zeros(1, np.float32), setting)
    if schedule != "lockstep" and NEURONS.get(name).differential:
        pytest.skip(f"neuron '{name}' runs in lockstep alone")
    if engine == "cython" and not NEURONS.get(name).has_kernel:
        with pytest.raises(SimulationError, match=f"no kernel for neuron '{name}'"):
            run(network, stimulus, setting, engine)
        return
    assert run(network, stimulus, setting, engine).spike_counts[0] > 0


@every_integrating_model
def test_a_model_runs_layered_where_it_has_a_window_and_is_refused_by_node_elsewhere(
    name: str,
) -> None:
    graph, x = with_neuron(name), np.zeros((1, 1), np.float32)
    if NEURONS.get(name).window is None:
        with pytest.raises(SimulationError, match=rf"schedule 'layered' .*node 'if'.*'{name}'"):
            simulate(graph, x, steps=4, schedule="layered")
        return
    result = simulate(graph, x, steps=4, schedule="layered", record="spikes")
    assert result.spike_counts["if"] > 0
    assert result.trace.tick.max() <= 4


@every_model
@pytest.mark.parametrize("schedule", ["async", "layered"])
def test_a_differential_model_is_refused_outside_lockstep(name: str, schedule: str) -> None:
    if not NEURONS.get(name).differential:
        pytest.skip(f"neuron '{name}' sends what stands for itself")
    with pytest.raises(SimulationError, match=f"schedule '{schedule}' has no steps .*'if'.*Take l"):
        simulate(with_neuron(name), np.zeros((1, 1), np.float32), steps=3, schedule=schedule)


@every_model
@pytest.mark.parametrize("annotation", [{"reset": "hard"}, {"v_reset": -0.5}])
def test_a_model_with_a_reset_of_its_own_refuses_another(name: str, annotation: dict) -> None:
    if not NEURONS.get(name).own_reset:
        pytest.skip(f"neuron '{name}' has no reset of its own")
    with pytest.raises(SimulationError, match=f"neuron '{name}' has a reset of its own"):
        NEURONS.get(name).check(Spiking(1.0, **annotation))


@every_neuron
def test_a_run_settles_unless_the_model_may_always_fire_again(name: str) -> None:
    graph, x = with_neuron(name), np.zeros((1, 1), np.float32)
    if NEURONS.get(name).stepped or NEURONS.get(name).differential:
        with pytest.raises(
            SimulationError, match=rf"neuron '{name}' \(node 'if'\); leave --settle"
        ):
            simulate(graph, x, steps=3, settle=True)
        return
    assert simulate(graph, x, steps=3, settle=True).latency.quiescent[0] >= 3


@every_model
def test_a_leak_and_a_differential_spike_have_no_whole_numbers(name: str) -> None:
    message = f"node 'if': neuron '{name}' leaks by fractions"
    if NEURONS.get(name).differential:
        message = f"node 'if': a spike of neuron '{name}' goes on bringing a part"
    elif not NEURONS.get(name).leaks:
        pytest.skip(f"neuron '{name}' does not leak")
    with pytest.raises(SimulationError, match=message):
        simulate(with_neuron(name), np.zeros((1, 1), np.float32), steps=1, precision="int")


@every_neuron
def test_a_spike_brings_theta_unless_the_model_has_a_psp(name: str) -> None:
    if NEURONS.get(name).differential:
        pytest.skip(f"a spike of neuron '{name}' goes on bringing a part of it")
    graph = with_neuron(name)
    result = simulate(graph, np.zeros((1, 1), np.float32), steps=8, membranes={"out": [0]})
    if "psp" in NEURONS.get(name).parameters:
        doubled = graph.replace("if", spiking=replace(graph["if"].spiking, parameters={"psp": 2}))
        brought = 1.0
    else:
        doubled = graph.replace("out", op=linear("out", [[2, 2, 2, 2]]))
        brought = graph["if"].spiking.threshold
    twice = simulate(doubled, np.zeros((1, 1), np.float32), steps=8, membranes={"out": [0]})
    assert result.trace.membranes["out"][0, -1, 0] == brought * result.spike_counts["if"][0] > 0
    np.testing.assert_array_equal(twice.trace.membranes["out"], 2 * result.trace.membranes["out"])


@every_neuron
def test_one_netted_tick_a_step_is_lockstep(name: str) -> None:
    if NEURONS.get(name).differential:
        pytest.skip(f"neuron '{name}' runs in lockstep alone")
    graph = with_neuron(name)
    lockstep = Setting("lockstep", 12, precision="float64")
    network = network_of(graph, lockstep)
    stimulus = stimulus_of(graph, network, np.zeros(1, np.float32), lockstep)
    netted = run(network, stimulus, replace(lockstep, schedule="async"), "reference", watch=True)
    expected = run(network, stimulus, lockstep, "reference", watch=True)
    np.testing.assert_array_equal(netted.ticks, expected.ticks)
    np.testing.assert_array_equal(netted.neurons, expected.neurons)
    np.testing.assert_allclose(netted.watched, expected.watched, rtol=1e-12, atol=1e-12)


@every_neuron
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_soft_reset_keeps_all_charge_unless_the_model_leaks(name: str, schedule: str) -> None:
    if NEURONS.get(name).leaks:
        pytest.skip(f"neuron '{name}' leaks: charge balance does not hold for it")
    if NEURONS.get(name).differential:
        pytest.skip(f"neuron '{name}' goes on taking off what it says: a balance of its own")
    graph, setting = with_neuron(name), Setting(schedule, 4, precision="float64")
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, np.zeros(1, np.float32), setting)
    sample = run(network, stimulus, setting, "reference")
    counts = np.zeros(4)
    cell = sample.populations == 0
    np.add.at(counts, sample.neurons[cell], sample.signs[cell])
    np.testing.assert_allclose(
        counts, 4 * stimulus.current[:4] + 0.25 - sample.potentials[:4], atol=1e-12
    )


class Stubborn(IntegrateAndFire):
    """A model that is never reset, and that the kernels do not know."""

    name: ClassVar[str] = "stubborn"
    has_kernel: ClassVar[bool] = False

    def reset(self, neurons: object, signs: object, tick: object) -> None: ...


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> Graph:
    monkeypatch.setitem(NEURONS._entries, "stubborn", Stubborn)
    return with_neuron("stubborn")


@needs_kernels
def test_the_compiled_engine_refuses_a_model_without_kernel_by_node(stubborn: Graph) -> None:
    message = "node 'if': engine 'cython' has no kernel for neuron 'stubborn'; take --engine ref"
    with pytest.raises(SimulationError, match=message):
        simulate(stubborn, np.zeros((1, 1), np.float32), steps=3, engine="cython")


def test_a_model_without_kernel_runs_on_the_reference(stubborn: Graph) -> None:
    result = simulate(stubborn, np.zeros((1, 1), np.float32), steps=4, record="spikes")
    assert result.settings.engine == "reference"
    # v = 1/4 + 3t/4 and 1/4 + t/2 reach 1 at steps 1 and 2, and never fall
    np.testing.assert_array_equal(result.trace.counts("if"), [4, 3, 0, 0])


def test_an_unknown_model_is_answered_with_the_nearest_names() -> None:
    message = "node 'if': unknown neuron 'iff': did you mean 'if'"
    with pytest.raises(SimulationError, match=message):
        simulate(with_neuron("iff"), np.zeros((1, 1), np.float32), steps=1)


class Adjustable(IntegrateAndFire):
    """A model with two parameters, of which it adds the first to every potential."""

    name: ClassVar[str] = "adjustable"
    has_kernel: ClassVar[bool] = False
    parameters: ClassVar[dict[str, Parameter]] = {
        "head_start": Parameter(0.5, "mV", "what every neuron starts with"),
        "rate": Parameter(1.0, "", "what nothing reads", FloatRule(0.0, exclusive=True)),
    }

    def __init__(self, population: Population, current: np.ndarray, time: Time) -> None:
        super().__init__(population, current, time)
        self.u += population.parameters["head_start"]


@pytest.fixture
def adjustable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEURONS._entries, "adjustable", Adjustable)


@pytest.mark.usefixtures("adjustable")
@pytest.mark.parametrize(("parameters", "first"), [({}, 2), ({"head_start": 0.75}, 1)])
def test_a_parameter_reaches_the_model_and_its_default_where_none_is_given(
    parameters: dict, first: int
) -> None:
    graph = neurons([0.25], [[1.0]], neuron="adjustable", parameters=parameters)
    result = simulate(graph, np.zeros((1, 1), np.float32), steps=4, record="spikes")
    assert result.trace.spike_train("if", 0)[0] == first


@pytest.mark.usefixtures("adjustable")
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"head_strat": 1},
            "node 'if': neuron 'adjustable' has no parameter 'head_strat': did you mean "
            "'head_start'. known are head_start, rate",
        ),
        (
            {"rate": 0},
            "node 'if': neuron 'adjustable': parameter 'rate', what nothing reads, is 0; expected "
            "a finite number above 0",
        ),
    ],
)
def test_a_wrong_parameter_names_the_node_the_parameter_and_what_was_expected(
    parameters: dict, message: str
) -> None:
    graph = neurons([1.0], [[1.0]], neuron="adjustable", parameters=parameters)
    with pytest.raises(SimulationError, match=message):
        simulate(graph, np.zeros((1, 1), np.float32), steps=1)


def test_a_parameter_of_a_model_that_has_none_says_so() -> None:
    graph = neurons([1.0], [[1.0]], parameters={"a": 0.02})
    with pytest.raises(SimulationError, match="neuron 'if' has no parameter 'a': it has none"):
        simulate(graph, np.zeros((1, 1), np.float32), steps=1)
