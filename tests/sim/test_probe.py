"""Two-phase runs: what a probe changes in the steps that count, and what it costs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_strategies import pooled
from strategies import graphs, images

from thresher import convert, load, save
from thresher.errors import SimulationError, SpecError
from thresher.ir import Graph, Input, Node, Probe, Spiking, Tensor
from thresher.ir.ops import Linear, Relu
from thresher.sim import compiled_available, simulate

ENGINES = ["reference", *(["cython"] if compiled_available()[0] else [])]
every_engine = pytest.mark.parametrize("engine", ENGINES)


def chained(w: float, probe: Probe | None, *, v_init: float = 0.5, bias: float = 0.0) -> Graph:
    """x -> a (threshold 1) -> w -> b (threshold 1) -> 1 -> out, all of one neuron."""

    def linear(name: str, weight: float, plus: float = 0.0) -> Linear:
        return Linear(
            weight=Tensor(f"{name}.weight", np.array([[weight]], np.float32)),
            bias=Tensor(f"{name}.bias", np.array([plus], np.float32)),
        )

    neuron = Spiking(threshold=1.0, v_init=v_init)
    nodes = (
        Node("a", Relu(), ("x",), neuron),
        Node("fc", linear("fc", w, bias), ("a",)),
        Node("b", Relu(), ("fc",), neuron),
        Node("out", linear("out", 1.0), ("b",)),
    )
    return Graph("chained", (Input("x", (1,)),), nodes, ("out",), probe=probe)


def counts(graph: Graph, x: float, steps: int, engine: str) -> dict[str, int]:
    """The spikes of the second phase."""
    run = simulate(graph, np.array([[x]], np.float32), steps=steps, engine=engine, record="spikes")
    return {name: int(run.trace.counts(name, 0).sum()) for name in ("a", "b")}


@every_engine
def test_srp_silences_a_neuron_that_the_probe_leaves_below_its_charge(engine: str) -> None:
    # a fires at 0.5: v = 1, 0.5, 1, 0.5: a spike at steps 1 and 3. b gets 0.75 - 0.5 then -0.5:
    # v = 0.5 + 0.25 = 0.75, 0.25, 0.5, 0; after 4 steps nothing is left, though it never fired.
    graph = chained(0.75, Probe("srp", 4), bias=-0.5)
    assert counts(replace(graph, probe=None), 0.5, 4, engine) == {"a": 2, "b": 0}
    # With weight 1 it is 0.5 + 0.5 = 1: it fires at once, and is at -0.5, 0, -0.5 after it.
    graph = chained(1.0, Probe("srp", 4), bias=-0.5)
    assert counts(replace(graph, probe=None), 0.5, 4, engine) == {"a": 2, "b": 1}
    assert counts(graph, 0.5, 4, engine) == {"a": 2, "b": 0}


@every_engine
def test_cos_takes_away_the_spike_that_was_too_many(engine: str) -> None:
    graph = chained(1.0, Probe("cos", 4), bias=-0.5)
    # b fires at v = 1 and ends at -0.5: it starts lower by max(1, 1 - 1) = 1, at -0.5, and is at 0,
    # -0.5, 0, -0.5 then: no spike. a ends at 0.5 and stays as it is.
    assert counts(graph, 0.5, 4, engine) == {"a": 2, "b": 0}


@every_engine
def test_cos_adds_the_spike_that_was_too_few(engine: str) -> None:
    # a fires at steps 2 and 4 of 4 (v_init 0, x = 0.5). b gets 0, 1.5, 0, 1.5: it fires at 2 and 4
    # and ends at 1. It was silent at v = 0 and 0.5: max(1, 1 - 0.5) = 1 more to start with.
    graph = chained(1.5, Probe("cos", 4), v_init=0.0)
    assert counts(replace(graph, probe=None), 0.5, 4, engine) == {"a": 2, "b": 2}
    assert counts(graph, 0.5, 4, engine) == {"a": 2, "b": 3}


@pytest.mark.skipif(len(ENGINES) < 2, reason="the kernels are not compiled")
@pytest.mark.parametrize("method", ["srp", "cos"])
@settings(max_examples=40)
@given(data=st.data())
def test_engines_agree_on_probed_runs(method: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(readouts=("membrane",)))
    x = data.draw(images(graph, 2))
    graph = replace(graph, probe=Probe(method, 3))
    options = {"steps": 4, "record": "spikes", "t_start": 0}
    one, other = (simulate(graph, x, engine=engine, **options) for engine in ENGINES)
    np.testing.assert_array_equal(one.predictions, other.predictions)
    for column in ("sample", "tick", "population", "neuron"):
        np.testing.assert_array_equal(getattr(one.trace, column), getattr(other.trace, column))
    np.testing.assert_array_equal(one.synaptic_operations, other.synaptic_operations)


@pytest.mark.parametrize(("method", "probes"), [("srp", 1), ("cos", 2)])
def test_the_probe_s_spikes_operations_and_time_are_counted(method: str, probes: int) -> None:
    graph = chained(2.0, Probe(method, 3))
    x = np.array([[1.0]], np.float32)  # a and b fire at every step, in both phases
    found = simulate(graph, x, steps=4).metrics()
    assert found["probe_steps"] == 3 * probes
    assert found["spikes_by_population"] == {"a": 3 * probes + 4, "b": 3 * probes + 4}
    assert found["synaptic_operations_per_sample"] == 2 * (3 * probes + 4)
    assert found["mean_rate_by_population"] == {"a": 1.0, "b": 1.0}
    assert found["first_evidence_steps"]["median"] == 3 * probes + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "async"}, "probe, which schedule 'async' has not; take --schedule lockstep"),
        ({"encoder": "poisson"}, "probe, which encoder 'poisson' has not; take --encoder constant"),
        ({"delay": 1}, "knows no delays"),
    ],
)
def test_runs_that_cannot_be_probed_are_refused(options: dict[str, object], message: str) -> None:
    graph = chained(1.0, Probe("srp", 3))
    graph = replace(graph, inputs=(replace(graph.inputs[0], threshold=1.0),))
    with pytest.raises(SimulationError, match=message):
        simulate(graph, np.ones((1, 1), np.float32), steps=4, **options)


def test_neurons_that_cannot_be_probed_are_refused_by_name() -> None:
    graph = chained(1.0, Probe("srp", 3))
    hard = graph.replace("b", spiking=replace(graph["b"].spiking, reset="hard"))
    with pytest.raises(SimulationError, match="node 'b' is no 'if' with soft reset"):
        simulate(hard, np.ones((1, 1), np.float32), steps=4)


def test_neurons_behind_a_max_pool_are_not_probed() -> None:
    graph = replace(pooled(Spiking(1.0)), probe=Probe("srp", 3))
    with pytest.raises(SimulationError, match="probe, and node 'relu' follows the largest"):
        simulate(graph, np.ones((1, 2, 4, 4), np.float32), steps=4)


def test_a_probe_survives_a_spec_file(tmp_path: Path) -> None:
    graph = chained(1.0, Probe("cos", 5))
    save(graph, tmp_path / "probed.yaml")
    assert load(tmp_path / "probed.yaml") == graph


def test_a_probe_that_is_unknown_is_named_with_its_line(tmp_path: Path) -> None:
    save(chained(1.0, Probe("cos", 5)), tmp_path / "probed.yaml")
    text = (tmp_path / "probed.yaml").read_text("utf-8")
    (tmp_path / "probed.yaml").write_text(text.replace("cos", "cut"), "utf-8")
    with pytest.raises(SpecError, match=r"probed\.yaml:\d+.*'method'.*srp"):
        load(tmp_path / "probed.yaml")


@pytest.mark.parametrize("method", ["srp", "cos"])
def test_the_recipes_of_hao_et_al_ask_for_their_probe(method: str) -> None:
    ann = replace(chained(1.0, None), probe=None)
    plain = {name: replace(ann[name], spiking=None) for name in ("a", "b")}
    x = np.array([[0.5], [1.0]], np.float32)
    snn = convert(ann.replace_all(plain), f"hao2023-{method}", calibration=x, steps=4)
    assert snn.probe == Probe(method, 4)
