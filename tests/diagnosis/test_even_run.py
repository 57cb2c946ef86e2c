"""Neurons whose count has no closed form: what their model says of even input, and its parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, linear, neurons

from thresher import Graph, SimulationError, diagnose, evaluate, simulate
from thresher.diagnosis import CAUSES
from thresher.diagnosis.subject import layers_of
from thresher.ir import Op, Spiking
from thresher.ir.ops import LeakyRelu, Relu
from thresher.sim import compile_graph

STEPS = 6
NOTHING = np.zeros((1, 1), np.float32)
MODELS: dict[str, tuple[Op, dict[str, object]]] = {
    "multi_threshold": (Relu(), {"neuron": "multi_threshold", "parameters": {"thresholds": 3}}),
    "differential": (Relu(), {"neuron": "differential", "parameters": {"thresholds": 3}}),
    "ceiling": (Relu(), {"neuron": "differential", "parameters": {"thresholds": 3, "ceiling": 2}}),
    "snm": (Relu(), {"neuron": "snm"}),
    "imbalanced": (
        LeakyRelu(slope=0.25),
        {"neuron": "imbalanced", "parameters": {"slope": 0.25}},
    ),
    "hard": (Relu(), {"reset": "hard", "v_reset": 0.125}),
}
every_model = pytest.mark.parametrize("name", MODELS)


def layered(name: str, seed: int, **annotation: object) -> tuple[Graph, np.ndarray]:
    """Two layers of the model over drawn weights, and drawn images."""
    rng = np.random.default_rng(seed)
    op, rule = MODELS[name]
    spiking = Spiking(threshold=0.5, **rule, **annotation)
    graph = chain(
        (3,),
        ("in", linear("in", rng.normal(size=(4, 3)), rng.normal(size=4))),
        ("first", op, spiking),
        ("fc", linear("fc", rng.normal(size=(4, 4)))),
        ("second", op, spiking),
        ("out", linear("out", rng.normal(size=(3, 4)), rng.normal(size=3))),
    )
    return graph, rng.normal(size=(2, 3)).astype(np.float32)


def said(name: str, counts: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """What payloads at these steps come to, a step."""
    return counts / (steps if MODELS[name][1].get("neuron") == "differential" else STEPS)


@every_model
@pytest.mark.parametrize("ties", [False, True])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_even_run_is_what_a_simulation_under_constant_currents_says(
    name: str, ties: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    op, rule = MODELS[name]
    currents = rng.integers(-8, 25, 20) / 8 if ties else rng.uniform(-1, 3, 20)
    snn = neurons(currents, np.ones((1, 20)), 0.5, v_init=0.25, shift=0.0625, **rule)
    snn = snn.replace("if", op=op)
    trace = simulate(snn, NOTHING, steps=STEPS, record="spikes", precision="float64").trace
    (layer, _) = layers_of(snn, compile_graph(snn, dtype=np.float64), STEPS, np.float64)
    value = np.zeros(20)
    np.add.at(value, trace.neuron, 0.5 * said(name, trace.sign, trace.tick))
    assert layer.staircase is not None
    np.testing.assert_allclose(layer.staircase(currents[None])[0], value, rtol=0, atol=1e-12)


@every_model
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_a_first_layer_has_no_unevenness_and_the_parts_are_the_error(name: str, seed: int) -> None:
    graph, x = layered(name, seed)
    found = diagnose(graph, x, steps=STEPS, precision="float64")
    assert found["first"].unevenness.absolute == pytest.approx(0, abs=1e-12)
    for layer in found.layers:
        parts = sum(layer.moments(cause).bias for cause in CAUSES)
        assert parts == pytest.approx(layer.error.bias, abs=1e-12)
        assert layer.uniform_error is None


@every_model
@pytest.mark.parametrize(("delay", "t_start"), [(0, 0), (2, 0), (2, 3), (0, 3)])
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_the_error_of_the_readout_is_that_of_its_membrane(
    name: str, delay: int, t_start: int, seed: int
) -> None:
    graph, x = layered(name, seed)
    options = {"steps": STEPS, "delay": delay, "t_start": t_start, "precision": "float64"}
    found = diagnose(graph, x, **options)["out"]
    membranes = {"membranes": {"out": [0, 1, 2]}} | options
    v = simulate(graph, x, **membranes).trace.membranes["out"]
    logits = (v[:, -1] - (v[:, t_start - 1] if t_start else 0)) / (STEPS - t_start)
    off = logits - evaluate(graph, x.astype(np.float64))
    assert found.error.bias == pytest.approx(off.mean(), abs=1e-9)
    assert found.error.rms == pytest.approx(np.sqrt((off**2).mean()), abs=1e-9)


@pytest.mark.parametrize("name", ["snm", "imbalanced"])
@given(seed=st.integers(0, 2**32 - 1), v_init=st.sampled_from([0.0, 0.25, 0.5, 0.75]))
@settings(max_examples=20)
def test_layered_leaves_no_unevenness(name: str, seed: int, v_init: float) -> None:
    graph, x = layered(name, seed, v_init=v_init)
    found = diagnose(graph, x, steps=STEPS, schedule="layered", precision="float64")
    assert [layer.unevenness.absolute for layer in found.layers] == pytest.approx([0] * 3)


def test_below_zero_a_leaky_relu_is_followed_down_to_its_bottom() -> None:
    op, rule = MODELS["imbalanced"]
    graph = chain(
        (1,),
        ("in", linear("in", [[1.0]])),
        ("leaky", op, Spiking(threshold=1.0, **rule)),
        ("out", linear("out", [[1.0]])),
    )
    found = diagnose(graph, np.array([[-2.0]], np.float32), steps=4)["leaky"]
    # -8 in four steps, of which each spike takes 4: -2 of 4, which is the ANN's -1/2
    assert (found.error.rms, found.clipped, found.spurious) == (0.0, 0.0, 0.0)
    assert (found.quantisation.rms, found.unevenness.rms) == (0.0, 0.0)
    found = diagnose(graph, np.array([[-6.0]], np.float32), steps=4)["leaky"]
    # -3/2 in the ANN, a spike at every step is -1
    assert (found.clipping.bias, found.clipped, found.saturated) == (0.5, 1.0, 1.0)


def test_what_hard_reset_loses_is_quantisation() -> None:
    graph = neurons([0.75], [[1.0]], reset="hard")
    found = diagnose(graph, NOTHING, steps=4)["if"]
    # 0.75, 1.5 fires and leaves 0: two spikes in place of three
    assert (found.quantisation.bias, found.error.bias) == (-0.25, -0.25)


@pytest.mark.parametrize(
    "annotation", [{"neuron": "lif", "tau": 4.0}, {"neuron": "few_spikes"}], ids=str
)
def test_neurons_that_do_not_integrate_are_refused_by_name(annotation: dict[str, object]) -> None:
    with pytest.raises(SimulationError, match=f"'if'.*'{annotation['neuron']}'.*without leak"):
        diagnose(neurons([0.75], [[1.0]], **annotation), NOTHING, steps=4)
