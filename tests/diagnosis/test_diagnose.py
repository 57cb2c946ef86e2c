"""Diagnoses of networks whose every figure is known on paper, or from a simulation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, fires, linear, tensor
from numpy.typing import NDArray
from signed_strategies import signed_graphs
from strategies import graphs, images

import thresher
from thresher import (
    DataError,
    GraphError,
    SimulationError,
    Trace,
    diagnose,
    digits,
    evaluate,
    simulate,
)
from thresher.diagnosis import CAUSES, LayerDiagnosis, advice
from thresher.diagnosis.spikes import BlockSpikes
from thresher.diagnosis.subject import layers_of
from thresher.ir import Graph, Node, Probe, Spiking
from thresher.ir.ops import Conv2d, Flatten, MaxPool2d, Relu, Softmax, Tanh
from thresher.sim import compile_graph

STEPS = 4
X = np.array([[0.0, 1.5], [0.625, 0.25], [1.0, 0.0], [0.3, 0.9]], np.float32)
Y = np.array([1, 0, 0, 1])


def two_layers(**annotation: object) -> Graph:
    """Each pixel drives a neuron; two more take their difference; two classes."""
    return chain(
        (2,),
        ("in", linear("in", np.eye(2))),
        ("relu1", *fires()),
        ("hidden", linear("hidden", [[1, -1], [-0.5, 0.75]], [0.0, 0.125])),
        ("relu2", *fires(**annotation)),
        ("out", linear("out", [[1, -1], [-1, 1]])),
    )


def uneven() -> Graph:
    """Two neurons at half the rate, the first one a step ahead, and one of their difference."""
    start = tensor("if.v_init", [0.5, 0.0])
    return chain(
        (1,),
        ("in", linear("in", np.zeros((2, 1)), [0.5, 0.5])),
        ("if", *fires(v_init=start)),
        ("difference", linear("difference", [[1, -1]])),
        ("early", *fires()),
        ("out", linear("out", [[1], [0]])),
    )


def bias(layer: LayerDiagnosis) -> dict[str, float]:
    return {cause: layer.moments(cause).bias for cause in CAUSES}


def nothing(**but: float) -> dict[str, float]:
    return {**dict.fromkeys(CAUSES, 0.0), **but}


def test_a_neuron_above_its_threshold_clips() -> None:
    found = diagnose(two_layers(), X[:1], steps=STEPS)["relu1"]
    # neuron 0: nothing; neuron 1: 1.5 by the ANN, 1 by a spike at every step
    assert bias(found) == nothing(clipping=-0.25)
    assert found.clipping.absolute == 0.25
    assert found.clipping.rms == pytest.approx(np.sqrt(0.5**2 / 2))
    assert (found.clipped, found.saturated, found.dead) == (0.5, 0.5, 0.5)
    assert found.mean_activation == 0.75
    assert found.relative("clipping") == pytest.approx(np.sqrt(0.125) / 0.75)


def test_a_first_layer_loses_to_the_staircase_alone() -> None:
    found = diagnose(two_layers(), X[1:2], steps=STEPS)["relu1"]
    # 0.625 * 4 = 2.5 gives 2 spikes; 0.25 * 4 gives 1
    assert bias(found) == nothing(quantisation=-0.0625)
    assert found.staircase_error == found.area == 0.0625
    assert found.uniform_error == found.area_bound == 1 / (2 * STEPS)
    assert found.mean_rate == 3 / 8
    assert found.cosine == pytest.approx(
        (0.5 * 0.625 + 0.25**2) / (np.hypot(0.5, 0.25) * np.hypot(0.625, 0.25))
    )


def test_an_error_of_the_first_layer_is_propagated_by_the_second() -> None:
    found = diagnose(two_layers(), X[1:2], steps=STEPS, schedule="layered")["relu2"]
    # 0.375 by the ANN, whose staircase gives 0.25; the SNN's 0.5 - 0.25 gives 0.25 as well
    # 0 by the ANN (-0.3125 + 0.1875 + 0.125); the SNN's -0.25 + 0.1875 + 0.125 is under 1/4
    assert bias(found) == nothing(quantisation=-0.0625)
    clipped = diagnose(two_layers(), X[:1], steps=STEPS, schedule="layered")["relu2"]
    # neuron 1: 1.25 by the ANN, 1 at its ceiling; 0.875 of the SNN's input gives 0.75
    assert bias(clipped) == nothing(clipping=-0.125, propagated=-0.125)


def test_a_spike_that_came_too_early_is_unevenness() -> None:
    found = diagnose(uneven(), np.zeros((1, 1), np.float32), steps=STEPS)
    # +1 at steps 1 and 3, -1 at steps 2 and 4: the mean is 0, and one spike has left at step 1
    assert bias(found["early"]) == nothing(unevenness=0.25)
    assert found["early"].spurious == 1.0
    assert found["if"].spurious == 0.0
    assert found.spurious == pytest.approx(1 / 5)
    assert found["early"].cosine == 0.0
    assert bias(found["out"]) == nothing(propagated=0.125)
    assert found["out"].output_error == pytest.approx(0.25 / np.sqrt(2))
    assert found["if"].contribution == 0.0
    assert found.worst["unevenness"] == found.worst["contribution"] == "early"


@given(data=st.data())
@settings(max_examples=60)
def test_layered_leaves_no_unevenness_on_any_graph(data: st.DataObject) -> None:
    graph = data.draw(graphs(resets=("soft",)))
    x = data.draw(images(graph))
    found = diagnose(graph, x, steps=5, schedule="layered", precision="float64")
    assert [layer.unevenness.absolute for layer in found.layers] == [0.0] * len(found.layers)


def test_the_quantised_ann_decides_as_layered_does() -> None:
    x_train, _, x, y = digits.load()
    x, y = x[:60], y[:60]
    graph = thresher.load(digits.cnn_spec())
    snn = thresher.convert(graph, "default", calibration=x_train[:100], steps=2)
    found = diagnose(snn, x, y, steps=2)
    layered = simulate(snn, x, y, steps=2, schedule="layered").with_ann(evaluate(snn, x))
    assert found.quantised_accuracy == layered.accuracy
    assert found.quantised_agreement == layered.ann_agreement < 1
    assert found.ann_accuracy == layered.ann_accuracy


@given(data=st.data())
@settings(max_examples=60)
def test_settled_signed_neurons_leave_no_unevenness_whatever_the_delays(
    data: st.DataObject,
) -> None:
    graph = data.draw(signed_graphs(delays=True))
    x = data.draw(images(graph))
    found = diagnose(
        graph,
        x,
        steps=3,
        schedule="async",
        ticks_per_step=4,
        settle=True,
        settle_limit=1000,
        precision="float64",
    )
    assert [layer.unevenness.absolute for layer in found.layers] == [0.0] * len(found.layers)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"schedule": "layered"},
        {"schedule": "async", "ticks_per_step": 8, "delay": 5},
        {"delay": 1},
        {"readout": "spikes"},
        {"t_start": 2, "delay": 1},
    ],
)
def test_spikes_operations_and_decisions_are_the_simulators(options: dict[str, object]) -> None:
    snn = two_layers(v_init=0.5)
    snn = snn.replace("out", spiking=Spiking(threshold=1.0))
    run = simulate(snn, X, Y, steps=STEPS, **options)
    run = run.with_ann(evaluate(snn, X))
    found = diagnose(snn, X, Y, steps=STEPS, **options)
    spikes = {layer.name: layer.spikes for layer in found.layers if layer.name in run.spike_counts}
    assert spikes == {name: counts.mean() for name, counts in run.spike_counts.items()}
    operations = sum(layer.synaptic_operations for layer in found.layers)
    assert operations == run.synaptic_operations.mean()
    assert found.accuracy == run.accuracy
    assert found.agreement == run.ann_agreement
    assert found.ann_accuracy == run.ann_accuracy


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"t_start": 1},
        {"delay": 1, "t_start": 2},
        {"schedule": "async", "ticks_per_step": 8, "delay": 5, "t_start": 1},
    ],
)
def test_the_readouts_value_is_its_membrane(options: dict[str, object]) -> None:
    snn = two_layers(v_init=0.5)
    found = diagnose(snn, X, steps=STEPS, precision="float64", **options)["out"]
    run = simulate(snn, X, steps=STEPS, precision="float64", membranes={"out": [0, 1]}, **options)
    v, after = run.trace.membranes["out"], options.get("t_start", 0)
    begun = v[:, after * run.settings.ticks_per_step - 1] if after else 0.0
    logits = (v[:, -1] - begun) / (STEPS - after)
    error = logits - evaluate(snn, X.astype(np.float64))
    assert found.error.bias == pytest.approx(error.mean())
    assert found.error.rms == pytest.approx(np.sqrt((error**2).mean()))
    assert found.output_error == pytest.approx(found.error.rms)


def test_each_layers_agreement_is_that_of_the_ann_fed_with_its_values() -> None:
    snn = two_layers()
    found = diagnose(snn, X, Y, steps=STEPS)
    rates = np.floor(np.clip(X, 0, 1).astype(np.float64) * STEPS) / STEPS
    rest = chain(
        (2,),
        ("hidden", snn["hidden"].op),
        ("relu2", Relu()),
        ("out", snn["out"].op),
    )
    logits, expected = evaluate(rest, rates), evaluate(snn, X.astype(np.float64))
    assert found["relu1"].agreement == (logits.argmax(1) == expected.argmax(1)).mean()
    assert found["relu1"].accuracy == (logits.argmax(1) == Y).mean()
    error = np.sqrt(((logits - expected) ** 2).mean())
    assert found["relu1"].output_error == pytest.approx(error)
    assert found["relu1"].contribution == pytest.approx(error)


def test_the_agreement_lost_by_the_layers_is_all_that_is_lost() -> None:
    found = diagnose(two_layers(), X, steps=STEPS)
    assert sum(found.agreement_lost.values()) == pytest.approx(1 - found.agreement)


@pytest.mark.parametrize("at_once", [1, 3])
def test_blocks_do_not_change_what_is_found(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = diagnose(two_layers(), X, Y, steps=STEPS).metrics()
    monkeypatch.setattr("thresher.diagnosis.run.BLOCK", at_once)
    by_block = diagnose(two_layers(), X, Y, steps=STEPS).metrics()
    rows, expected = by_block.pop("layers"), whole.pop("layers")
    assert by_block == whole
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(other, nan_ok=True)


def test_blocks_hold_no_more_spikes_than_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thresher.diagnosis.run.BLOCK_SPIKES", 2 * STEPS * 6)  # of 6 neurons
    read: list[int] = []

    class Read:
        shape, dtype = X.shape, X.dtype

        def __len__(self) -> int:
            return len(X)

        def __getitem__(self, part: slice) -> NDArray[np.float32]:
            read.append(len(X[part]))
            return X[part]

    diagnose(two_layers(), Read(), steps=STEPS)
    assert max(read) == 2
    assert sum(read) == len(X)


def test_progress_counts_the_images_of_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thresher.diagnosis.run.BLOCK", 3)
    told: list[tuple[int, int]] = []
    diagnose(two_layers(), X, steps=STEPS, progress=lambda now: told.append((now.done, now.total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_without_labels_there_is_agreement_and_no_accuracy() -> None:
    found = diagnose(two_layers(), X, steps=STEPS)
    assert found.accuracy is found.ann_accuracy is found.quantised_accuracy is None
    assert found["relu1"].accuracy is None
    assert found.agreement <= 1


def test_a_softmax_at_the_output_decides_by_its_input() -> None:
    plain = two_layers()
    snn = replace(
        plain, nodes=(*plain.nodes, Node("softmax", Softmax(), ("out",))), outputs=("softmax",)
    )
    found, expected = (diagnose(graph, X, Y, steps=STEPS) for graph in (snn, plain))
    assert found.rows() == expected.rows()


def test_a_max_pool_of_settled_counts_is_exact_and_passes_errors_on() -> None:
    weight = tensor("conv.weight", np.ones((1, 1, 1, 1)))
    signed = Spiking(threshold=1.0, neuron="signed_if", v_init=0.5)
    snn = chain(
        (1, 2, 2),
        ("conv", Conv2d(weight)),
        ("relu", Relu(), signed),
        ("pool", MaxPool2d(2)),
        ("flatten", Flatten()),
        ("out", linear("out", [[1], [-1]])),
    )
    x = np.array([0.25, 0.7, 0.1, 0.5], np.float32).reshape(1, 1, 2, 2)
    found = diagnose(snn, x, steps=STEPS, schedule="async", settle=True, precision="float64")
    # 0.7 * 4 is rounded to 3 spikes of 1/4
    error = 0.75 - float(np.float32(0.7))
    assert found["pool"].neuron == "max_pool"
    assert bias(found["pool"]) == pytest.approx(nothing(propagated=error))
    assert found["pool"].before == ("relu",)
    assert found["pool"].mean_rate == 3 / 4


def followed(cap: int) -> tuple[Graph, NDArray[np.float32]]:
    """Return operators of threshold 1/4 that follow tanh, and an image of both signs."""
    rule = Spiking(0.25, "expectation", v_init=0.125, parameters={"cap": float(cap), "signed": 1.0})
    graph = chain((3,), ("op", Tanh(), rule), ("out", linear("out", np.ones((2, 3)))))
    return graph, np.array([[0.3, -0.9, 0.0]], np.float32)


def test_what_an_operator_rounds_is_quantisation() -> None:
    graph, x = followed(cap=15)
    found = diagnose(graph, x, steps=2)["op"]
    # tanh is 0.2913, -0.7163 and 0; in two steps 8 * that is rounded: 2, -6 and 0
    off = np.array([0.25, -0.75, 0.0]) - np.tanh(x[0].astype(np.float64))
    assert bias(found) == pytest.approx(nothing(quantisation=off.mean()))
    assert found.quantisation.absolute == pytest.approx(np.abs(off).mean())
    assert found.threshold == 0.25
    assert found.clipped == 0.0


def test_what_the_cap_of_an_operator_cannot_say_is_clipping() -> None:
    graph, x = followed(cap=1)
    found = diagnose(graph, x, steps=2)["op"]
    off = np.array([0.25, -0.25, 0.0]) - np.tanh(x[0].astype(np.float64))
    assert bias(found) == pytest.approx(nothing(clipping=off.mean()))
    assert (found.clipped, found.saturated) == pytest.approx((2 / 3, 2 / 3))
    assert advice(diagnose(graph, x, steps=2), found).startswith("clips 66.7 % of its values")


def test_rate_and_silence_are_of_spikes_whatever_their_signs() -> None:
    graph, x = followed(cap=15)
    found = diagnose(graph, x, steps=2)["op"]
    # 1, 1 of the first neuron, -3, -3 of the second, nothing of the third: two thirds a step
    assert found.mean_rate == pytest.approx(2 / 3)
    assert found.dead == pytest.approx(1 / 3)
    undone = graph.replace("op", spiking=replace(graph["op"].spiking, v_init=0.375))
    silent = diagnose(undone, x[:, [2, 2, 2]], steps=2, t_start=1)["op"]
    # 3/8 starts with a spike, and nothing takes it back: 1 of each neuron in two steps
    assert (silent.mean_rate, silent.dead) == (0.5, 0.0)


def test_signs_are_summed_whatever_whole_number_they_hold() -> None:
    snn = two_layers()
    layers = layers_of(snn, compile_graph(snn), STEPS, np.float32)
    rows = {
        "sample": [7, 7, 7, 8],
        "tick": [1, 2, 2, 4],
        "population": [0, 0, 1, 1],
        "neuron": [1, 1, 0, 1],
        "sign": [3, -1, 4, 2],
    }
    trace = Trace(
        populations=("relu1", "relu2"),
        shapes=((2,), (2,)),
        steps=STEPS,
        ticks_per_step=1,
        recorded=("relu1", "relu2"),
        samples=(7, 9),
        provenance={},
        membrane_neurons={},
        **{name: np.array(values) for name, values in rows.items()},
    )
    spikes = BlockSpikes(trace, layers, STEPS)
    assert spikes.net("relu1").tolist() == [[0, 2], [0, 0]]
    assert spikes.net("relu2").tolist() == [[4, 0], [0, 2]]
    assert spikes.n_spikes("relu1") == 2
    assert spikes.operations("relu1") == 4
    assert spikes.arrived("relu2", 1, 2).tolist() == [[4, 0], [0, 0]]


def test_a_network_that_is_probed_is_refused() -> None:
    probed = replace(two_layers(), probe=Probe("srp", 4))
    with pytest.raises(SimulationError, match="the graph asks for a probe"):
        diagnose(probed, X, steps=STEPS)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"precision": "int"}, SimulationError, "precision 'int' rounds weights.*float32"),
        ({"precision": "half"}, SimulationError, "precision is 'half'; expected.*float64"),
        ({"schedule": "later"}, SimulationError, "schedule is 'later'"),
        ({"steps": None}, SimulationError, "how many steps"),
        ({"readout": "vote"}, GraphError, "vote.*membrane"),
        ({"t_start": STEPS}, SimulationError, "t_start is 4"),
        ({"y": Y[:2]}, DataError, "each of the 4 images"),
        ({"y": Y + 1}, DataError, "label 0 is 2; 'out' has classes 0..1"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        diagnose(two_layers(), X, **{"steps": STEPS, **options})


def test_no_images_are_refused() -> None:
    with pytest.raises(DataError, match="no images"):
        diagnose(two_layers(), X[:0], steps=STEPS)


def test_a_graph_that_is_not_converted_is_refused() -> None:
    with pytest.raises(SimulationError, match=r"'relu2'.*not converted"):
        diagnose(two_layers().replace("relu2", spiking=None), X, steps=STEPS)
