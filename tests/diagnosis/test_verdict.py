"""The verdict: each cause is called by its name, with what to do about it."""

from dataclasses import replace

import numpy as np
import pytest
from networks import chain, fires, linear, tensor

from thresher import Diagnosis, Graph, diagnose
from thresher.diagnosis import advice, verdict
from thresher.ir import Node, Readout, Spiking
from thresher.ir.ops import Add, ClippedRelu, LeakyRelu, Qcfs, Tanh

ONE = np.ones((1, 1), np.float32)


def passing(weight: float, second: float = 1.0, **annotation: object) -> Graph:
    """One pixel, times `weight`, through two neurons, of threshold 1 and `second`."""
    return chain(
        (1,),
        ("in", linear("in", [[weight]])),
        ("relu1", *fires(**annotation)),
        ("hidden", linear("hidden", [[1.0]])),
        ("relu2", *fires(second)),
        ("out", linear("out", [[1.0], [0.0]])),
    )


def racing(neuron: str) -> Graph:
    """An excitatory spike at step 1, worth two thresholds, and as much inhibition at step 3."""
    start = tensor("if.v_init", [0.75, 0.25])
    return chain(
        (1,),
        ("in", linear("in", [[0.25], [0.25]])),
        ("if", *fires(v_init=start)),
        ("sum", linear("sum", [[2, -2]])),
        ("early", *fires(neuron=neuron)),
        ("out", linear("out", [[1], [0]])),
    )


def said(found: Diagnosis, layer: str) -> str:
    return advice(found, found[layer])


def test_clipping_asks_for_a_higher_threshold() -> None:
    found = diagnose(passing(2.0), ONE, steps=4)
    assert said(found, "relu1").startswith(
        "clips 100.0 % of its values, 50 % of its mean activation: raise the threshold"
    )


def test_logits_below_0_ask_for_the_membrane() -> None:
    snn = passing(0.5).replace("out", op=linear("out", [[1.0], [-3.0]]), spiking=Spiking(1.0))
    found = diagnose(replace(snn, readout=Readout("spikes")), ONE, steps=4)
    assert said(found, "out").startswith("clips 50.0 % of its values")
    assert "below 0, which no spike says: read the membrane (--readout membrane)" in said(
        found, "out"
    )


def test_a_threshold_above_the_anns_ceiling_is_named() -> None:
    snn = passing(2.0).replace("relu1", op=ClippedRelu(max=0.5))
    found = diagnose(snn, ONE, steps=4)
    assert said(found, "relu1").endswith("(--set balance-thresholds.own_ceiling=use)")


def test_quantisation_asks_for_more_steps() -> None:
    found = diagnose(passing(0.125), np.linspace(0, 3, 30, dtype=np.float32)[:, None], steps=4)
    assert said(found, "relu1").startswith("quantisation dominates, ")
    assert "more steps, or a lower threshold" in said(found, "relu1")


@pytest.mark.parametrize(
    ("annotation", "steps", "remedy"),
    [
        ({"reset": "hard"}, 4, "take soft reset"),
        ({"neuron": "multi_threshold"}, 1, "--set use-multi-threshold-neurons.thresholds"),
        ({"neuron": "differential"}, 1, "--set use-differential-neurons.thresholds"),
    ],
)
def test_quantisation_asks_for_what_the_neuron_lacks(
    annotation: dict[str, object], steps: int, remedy: str
) -> None:
    found = diagnose(passing(0.3, **annotation), ONE, steps=steps)
    assert said(found, "relu1").startswith("quantisation dominates")
    assert remedy in said(found, "relu1")


@pytest.mark.parametrize(
    ("steps", "remedy"),
    [
        (2, "take more steps, up to the 4 levels that the ANN rounds to itself"),
        (4, "the ANN has as many levels itself; take its own (--recipe bu2022-qcfs)"),
        (8, "the ANN rounds to 4 levels itself; take 4 steps"),
    ],
)
def test_no_more_steps_are_asked_for_than_the_ann_has_levels(steps: int, remedy: str) -> None:
    snn = passing(1.0).replace("relu1", op=Qcfs(levels=4, max=1.0))
    # 3/8 and 7/8 are 1/2 and 1 to the ANN, and a step less to neurons that start at 0
    found = diagnose(snn, np.array([[0.375], [0.875]], np.float32), steps=steps)
    assert said(found, "relu1").startswith("quantisation dominates")
    assert said(found, "relu1").endswith(remedy)


def test_a_leaky_relu_that_is_clipped_below_asks_for_a_higher_threshold() -> None:
    rule = Spiking(1.0, "imbalanced", parameters={"slope": 0.25})
    snn = passing(1.0).replace("relu1", op=LeakyRelu(slope=0.25), spiking=rule)
    found = diagnose(snn, np.array([[-7.0], [-6.0]], np.float32), steps=4)
    assert said(found, "relu1").startswith("clips 100.0 %")
    assert "raise the threshold" in said(found, "relu1")


def test_neurons_that_say_more_than_a_level_a_step_are_not_told_to_take_few() -> None:
    rule = Spiking(0.25, "multi_threshold", parameters={"thresholds": 3})
    snn = passing(1.0).replace("relu1", op=Qcfs(levels=2, max=1.0), spiking=rule)
    found = diagnose(snn, np.array([[0.375], [0.125]], np.float32), steps=8)
    assert said(found, "relu1").startswith("quantisation dominates")
    assert "levels" not in said(found, "relu1")


def test_without_staircases_there_is_no_bound() -> None:
    found = diagnose(passing(0.3, neuron="snm"), ONE, steps=4)
    assert any("Deng and Gu 2021" in sentence for sentence in verdict(found))
    snn = passing(0.3, neuron="snm")
    snn = snn.replace("relu2", spiking=Spiking(1.0, neuron="snm"))
    assert any("No layer has a staircase" in said for said in verdict(diagnose(snn, ONE, steps=4)))


def test_a_propagated_error_names_the_layer_that_adds_most_and_its_cause() -> None:
    found = diagnose(passing(2.0, 4.0), ONE, steps=4)
    # relu1 gives 1 in place of 2; relu2 has steps of 1, on which both lie
    assert said(found, "relu2") == (
        "propagated error dominates, 50 % of its mean activation; of the layers before, 'relu1' "
        "adds most (clipping)"
    )


@pytest.mark.parametrize(
    ("neuron", "options", "remedy"),
    [
        ("if", {}, "--recipe exact"),
        ("if", {"schedule": "async"}, "--arrivals netted"),
        ("if", {"schedule": "async", "arrivals": "netted"}, "--schedule lockstep"),
        ("signed_if", {}, "--settle"),
    ],
)
def test_unevenness_says_what_undoes_it(
    neuron: str, options: dict[str, object], remedy: str
) -> None:
    found = diagnose(racing(neuron), ONE, steps=3, **options)
    # two spikes at steps 1 and 2 that the signed neuron has taken back one of at step 3
    assert said(found, "early").startswith("unevenness dominates")
    assert remedy in said(found, "early")


@pytest.mark.parametrize("options", [{}, {"schedule": "async"}], ids=str)
@pytest.mark.parametrize("neuron", ["if", "signed_if"])
def test_beside_operators_nothing_is_advised_that_takes_none(
    neuron: str, options: dict[str, object]
) -> None:
    plain = racing(neuron)
    tanh = Node("tanh", Tanh(), ("if",), Spiking(0.01, "expectation", parameters={"cap": 127}))
    two = Node("two", linear("two", np.zeros((2, 2))), ("tanh",))
    summed = Node("both", Add(), ("if", "two"))
    nodes = [*plain.nodes[:2], tanh, two, summed, *plain.nodes[2:]]
    snn = replace(plain, nodes=tuple(nodes)).replace("sum", inputs=("both",))
    found = diagnose(snn, ONE, steps=3, **options)
    assert said(found, "early").startswith("unevenness dominates")
    for refused in ("--settle", "--recipe exact", "--recipe async"):
        assert refused not in said(found, "early")


@pytest.mark.parametrize(
    ("annotation", "start", "remedy"),
    [
        ({"parameters": {"cap": 1}}, "clips 100.0 %", "--set use-operators.headroom"),
        ({"parameters": {"cap": 9}}, "quantisation dominates", "--set use-operators.cap"),
    ],
)
def test_what_an_operator_loses_is_left_to_the_pass_that_makes_it(
    annotation: dict[str, object], start: str, remedy: str
) -> None:
    theta = 0.125 if start.startswith("clips") else 2.0
    links = (("op", Tanh(), Spiking(theta, "expectation", **annotation)), ("o", linear("o", [[1]])))
    found = diagnose(chain((1,), *links), ONE, steps=2)
    assert said(found, "op").startswith(start)
    assert remedy in said(found, "op")


def test_a_layer_without_error_equals_the_ann() -> None:
    found = diagnose(passing(0.5), ONE, steps=4)
    assert said(found, "relu1") == said(found, "out") == "equals the ANN"


def test_dead_neurons_are_mentioned() -> None:
    found = diagnose(passing(0.1), ONE, steps=4)
    assert "100.0 % of its neurons never fire on these images" in said(found, "relu1")


def test_losses_are_shared_between_staircases_and_time() -> None:
    snn = chain(
        (1,),
        ("in", linear("in", [[0.5]])),
        ("if", *fires()),
        ("out", linear("out", [[1.0], [0.0]], [0.0, 0.75])),
    )
    x = np.array([[1.0], [3.0], [1.75]], np.float32)
    y = np.array([1, 0, 0])
    # the third: 0.875 by the ANN, 0.75 in four steps, which ties and goes to the lower class
    found = diagnose(snn, x, y, steps=3)
    # in three steps 0.667, which is less than 0.75
    assert verdict(found)[0] == (
        "Accuracy: ANN 100.0 %, quantised ANN (a staircase for every layer) 66.7 %, SNN 66.7 %. "
        "Clipping and quantisation cost 33.3 points, unevenness (when spikes come) 0.0 points. "
        "There are few samples: one is 33.3 points."
    )
    assert "Agreement with the ANN falls most at 'if', by 33.3 points" in verdict(found)[1]
