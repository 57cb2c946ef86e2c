"""convert: what it checks before, what it refuses, and the provenance that it leaves."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from small_graphs import batch_norm, chain, identity_linear, relu_net, trained_for

from thresher import convert
from thresher.converters import Context, Pass, recipe_names, run
from thresher.converters.calibrate import fingerprint
from thresher.converters.passes import BalanceThresholds, InitPotential, Shift, StripDropout
from thresher.errors import DataError, PassError
from thresher.ir import Graph, Op, Preprocess, Readout, Spiking, evaluate, load, save
from thresher.ir.ops import Dropout, Flatten, LeakyRelu, Relu, Softmax

RELU = Relu()
X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def net(activation: Op = RELU) -> Graph:
    return chain(
        (3,),
        ("fc1", identity_linear("fc1", 3)),
        ("bn1", batch_norm("bn1", 3)),
        ("relu1", activation),
        ("drop", Dropout()),
        ("fc2", identity_linear("fc2", 3)),
        ("prob", Softmax()),
    )


@dataclass(frozen=True)
class Failing(Pass):
    """Fail at the second node."""

    name: ClassVar[str] = "failing"

    def apply(self, graph: Graph, context: Context) -> Graph:
        for node in context.walk(graph):
            if node.name != "fc1":
                raise ValueError("out of luck")
        return graph


@dataclass(frozen=True)
class Cutting(Pass):
    """Take the last node off while claiming to preserve the function."""

    name: ClassVar[str] = "cutting"

    def apply(self, graph: Graph, context: Context) -> Graph:
        flat = chain((3, 1), ("flat", Flatten()))
        return replace(flat, name=graph.name)


@dataclass(frozen=True)
class Vanishing(Pass):
    """Take a node out and say nothing."""

    name: ClassVar[str] = "vanishing"

    def apply(self, graph: Graph, context: Context) -> Graph:
        return graph.without("relu1")


@pytest.mark.parametrize("recipe", recipe_names())
def test_every_recipe_keeps_the_decisions_of_the_ann(recipe: str) -> None:
    graph = net(trained_for(recipe))

    snn = convert(graph, recipe, calibration=X, steps=16)

    np.testing.assert_array_equal(
        evaluate(snn, X).argmax(axis=1), evaluate(graph, X).argmax(axis=1)
    )
    assert snn["relu1"].spiking is not None


def test_the_given_graph_is_not_touched() -> None:
    graph = net()

    convert(graph, "default", calibration=X, steps=4)

    assert graph == net()


@pytest.mark.parametrize(("recipe", "kind"), [("deng2021", "spikes"), ("default", "membrane")])
def test_the_recipe_sets_the_readout(recipe: str, kind: str) -> None:
    snn = convert(net(), recipe, calibration=X, steps=4)

    assert snn.readout == Readout(kind)
    assert (snn["fc2"].spiking is not None) == (kind == "spikes")


def test_a_list_of_passes_keeps_the_graph_s_readout() -> None:
    graph = relu_net(3, readout="spikes")

    snn = convert(graph, [BalanceThresholds()], calibration=X)

    assert snn.readout == Readout("spikes")


def test_a_recipe_file_may_be_given_by_its_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("source: me\npasses: [balance-thresholds]\n", "utf-8")

    snn = convert(relu_net(3), str(file), calibration=X)

    assert (snn.meta["recipe"], snn.meta["source"]) == ("mine", "me")


def test_settings_reach_the_passes() -> None:
    snn = convert(
        net(), "plain", calibration=X, steps=4, settings={"init-potential.fraction": "0.25"}
    )

    spiking = snn["relu1"].spiking
    np.testing.assert_array_equal(spiking.v_init.values, spiking.threshold.values * 0.25)


def test_the_provenance_says_how_the_network_came_about() -> None:
    graph = replace(relu_net(3), meta={"imported": "by hand"})
    passes = [BalanceThresholds(granularity="channel"), Shift()]

    meta = dict(convert(graph, passes, calibration=X, steps=8).meta)

    assert meta.pop("thresher")
    assert [row["node"] for row in meta.pop("nodes")] == ["fc1", "relu1", "fc2"]
    assert meta == {
        "imported": "by hand",
        "passes": [
            {
                "balance-thresholds": {
                    "statistic": "max",
                    "granularity": "channel",
                    "percent": 99.9,
                    "over": "nonzero",
                    "own_ceiling": "use",
                    "factor": 1.0,
                    "iterations": 4000,
                    "thresholds": 4,
                }
            },
            {"shift": {"mode": "current"}},
        ],
        "steps": 8,
        "steps_used_by": ["shift"],
        "calibration": {"samples": 20, "sha256": fingerprint(X)},
    }


def test_the_steps_asked_for_are_recorded_whether_a_pass_used_them_or_not() -> None:
    graph = relu_net(3)
    assert convert(graph, [BalanceThresholds()], calibration=X, steps=8).meta["steps"] == 8
    assert "steps" not in convert(graph, [BalanceThresholds()], calibration=X).meta


def test_the_steps_of_an_array_are_recorded_as_a_plain_number(tmp_path: Path) -> None:
    snn = convert(relu_net(3), "deng2021", calibration=X, steps=np.arange(9)[8])

    save(snn, tmp_path / "snn.yaml")

    assert load(tmp_path / "snn.yaml").meta["steps"] == 8


def test_the_same_conversion_gives_the_same_graph() -> None:
    first, second = (convert(net(), "default", calibration=X, steps=8) for _ in range(2))

    assert first == second


def test_raw_images_are_preprocessed_once() -> None:
    graph = relu_net(3)
    halved = replace(graph.inputs[0], preprocess=Preprocess(divide=2.0))
    graph = replace(graph, inputs=(halved,))

    snn = convert(graph, [BalanceThresholds()], calibration=np.array([[8, 2, 0]] * 2, np.uint8))

    assert snn["relu1"].spiking == Spiking(threshold=4.0)


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        ([BalanceThresholds()], r"'balance-thresholds' needs calibration data: give --data FILE"),
        ([Failing(), Shift()], r"'shift' needs the number of time steps: give --steps T or steps="),
    ],
)
def test_needs_are_checked_before_the_first_pass(passes: list[Pass], message: str) -> None:
    with pytest.raises(PassError, match=message):
        convert(relu_net(3), passes)


def test_all_missing_needs_are_named_at_once() -> None:
    with pytest.raises(PassError, match=r"needs calibration data.*'shift' needs the number of"):
        convert(relu_net(3), [BalanceThresholds(), Shift()])


@pytest.mark.parametrize("steps", [0, -3, 1.5, 8.0, True, "8", np.nan])
def test_steps_that_are_no_whole_number_above_zero_are_refused(steps: object) -> None:
    message = f"steps is {steps!r}; expected a whole number of at least 1"
    with pytest.raises(PassError, match=re.escape(message)):
        convert(relu_net(3), "default", calibration=X, steps=steps)


def test_the_names_of_passes_are_no_passes() -> None:
    with pytest.raises(PassError, match="the list of passes holds 'shift'; expected passes, such"):
        convert(relu_net(3), [BalanceThresholds(), "shift"], calibration=X, steps=4)


def test_a_pass_listed_twice_is_refused() -> None:
    with pytest.raises(PassError, match="pass 'strip-dropout' is listed 2 times"):
        convert(relu_net(3), [StripDropout(), StripDropout()])


def test_a_single_calibration_image_is_refused() -> None:
    with pytest.raises(DataError, match="a single image"):
        convert(relu_net(3), [BalanceThresholds()], calibration=X[:1])


def test_a_converted_graph_is_refused() -> None:
    snn = convert(relu_net(3), [BalanceThresholds()], calibration=X)

    with pytest.raises(PassError, match=r"converted already \(node 'relu1' .*start from the spec"):
        convert(snn, [BalanceThresholds()], calibration=X)


def test_a_failure_names_the_pass_the_node_and_what_ran_before() -> None:
    with pytest.raises(
        PassError,
        match=r"pass 'failing', node 'relu1': ValueError: out of luck \(passes already run: "
        r"'strip-dropout'\)",
    ) as caught:
        convert(relu_net(3), [StripDropout(), Failing()])
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_refusal_by_a_pass_names_what_ran_before() -> None:
    graph = chain((3,), ("act", LeakyRelu()))

    with pytest.raises(
        PassError,
        match=r"pass 'replace-unsupported': nothing .*'act' \(leaky_relu\).*'fold-batch-norm'\)",
    ):
        convert(graph, "default", calibration=X, steps=4)


def test_both_half_steps_in_one_recipe_are_refused() -> None:
    with pytest.raises(PassError, match=r"'init-potential', node 'relu1': shift is set already"):
        convert(
            relu_net(3), [BalanceThresholds(), Shift(), InitPotential()], calibration=X, steps=4
        )


def test_a_false_claim_is_the_pass_s_defect() -> None:
    with pytest.raises(PassError, match=r"'cutting' claims to preserve the function, but changed"):
        run(relu_net(3), [Cutting()], Context())


def test_a_node_that_vanishes_without_a_note_is_refused() -> None:
    with pytest.raises(PassError, match=r"node 'relu1' \(relu\) is gone and no pass says why"):
        run(relu_net(3), [Vanishing()], Context())


def test_an_activation_without_a_threshold_is_refused() -> None:
    with pytest.raises(PassError, match=r"'relu1' \(relu\) is neither synapses nor a population"):
        convert(relu_net(3), [StripDropout()])
