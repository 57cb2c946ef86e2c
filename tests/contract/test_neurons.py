"""What every registered neuron model must keep: its name, its reset rule, its refusals."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from networks import neurons
from running import Setting, every_engine, network_of, run, stimulus_of

from thresher import SimulationError, simulate
from thresher.ir import Graph
from thresher.sim import NEURONS, Population, compiled_available
from thresher.sim.neurons import IntegrateAndFire

every_neuron = pytest.mark.parametrize("name", list(NEURONS))
needs_kernels = pytest.mark.skipif(not compiled_available()[0], reason=compiled_available()[1])


def with_neuron(name: str) -> Graph:
    graph = neurons([0.75, 0.5, -1.0, 0.0], [[1, 1, 1, 1]], v_init=0.25)
    return graph.replace("if", spiking=replace(graph["if"].spiking, neuron=name))


def population(hard_reset: bool) -> Population:
    theta = np.array([1.0, 0.5, 2.0], np.float32)
    return Population(
        "p", (3,), 0, "if", theta, np.zeros(3, np.float32), np.zeros(3), hard_reset, -0.5
    )


@every_neuron
def test_a_model_is_registered_under_its_name(name: str) -> None:
    assert NEURONS.get(name).name == name


@every_neuron
@pytest.mark.parametrize("hard_reset", [False, True])
def test_a_reset_touches_those_that_fired_alone(name: str, hard_reset: bool) -> None:
    u = np.array([1.25, 0.75, 9.0], np.float32)
    NEURONS.get(name).reset(population(hard_reset), u, np.array([0]), np.array([0.5]))
    assert u[0] < 1.25
    np.testing.assert_array_equal(u[1:], np.array([0.75, 9.0], np.float32))


def test_soft_reset_takes_theta() -> None:
    u = np.array([1.25, 0.75, 9.0], np.float32)
    IntegrateAndFire().reset(population(False), u, np.array([0, 1]), np.array([0.5, 0.25]))
    np.testing.assert_array_equal(u, np.array([0.25, 0.25, 9.0], np.float32))


def test_hard_reset_leaves_v_reset_once_the_ramp_is_added() -> None:
    u = np.array([1.25, 0.75, 9.0], np.float32)
    IntegrateAndFire().reset(population(True), u, np.array([0, 1]), np.array([0.5, 0.25]))
    np.testing.assert_array_equal(u, np.array([-1.0, -0.75, 9.0], np.float32))


@every_neuron
@every_engine
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
def test_engines_that_know_a_model_run_it_and_others_refuse_it_by_name(
    name: str, engine: str, schedule: str
) -> None:
    graph, setting = with_neuron(name), Setting(schedule, 3)
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, np.zeros(1, np.float32), setting)
    if engine == "cython" and not NEURONS.get(name).has_kernel:
        with pytest.raises(SimulationError, match=f"no kernel for neuron '{name}'"):
            run(network, stimulus, setting, engine)
        return
    assert run(network, stimulus, setting, engine).spike_counts[0] > 0


class Stubborn(IntegrateAndFire):
    """A model that is never reset, and that the kernels do not know."""

    name: ClassVar[str] = "stubborn"
    has_kernel: ClassVar[bool] = False

    def reset(self, population: object, u: object, fired: object, ramp: object) -> None: ...


@pytest.fixture
def stubborn(monkeypatch: pytest.MonkeyPatch) -> Graph:
    monkeypatch.setitem(NEURONS._entries, "stubborn", Stubborn())
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
