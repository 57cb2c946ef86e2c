"""Every recipe on what users give by mistake: too little data, poor data, other steps."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from small_graphs import chain, tensor, trained_for

from thresher import convert
from thresher.converters import load_recipe, recipe_names
from thresher.errors import DataError, PassError
from thresher.ir import Graph, Tensor
from thresher.ir.ops import Conv2d, Flatten, Linear
from thresher.sim import simulate, suggest_options

every_recipe = pytest.mark.parametrize("recipe", recipe_names())
STEPS = 8
ASKS_FOR = {
    "calibration": "needs calibration data: give --data FILE",
    "steps": "needs the number of time steps: give --steps T",
}
X = np.random.default_rng(3).uniform(-0.5, 1, (12, 2, 4, 4)).astype(np.float32)


def net(recipe: str) -> Graph:
    """A convolution and a linear layer, with activations that the recipe knows."""
    rng = np.random.default_rng(5)
    op = trained_for(recipe)
    conv = Conv2d(weight=tensor("conv.weight", rng.normal(size=(3, 2, 3, 3))), padding=1)
    graph = chain(
        (2, 4, 4),
        ("conv", conv),
        ("act1", op),
        ("flat", Flatten()),
        ("fc1", Linear(weight=tensor("fc1.weight", rng.normal(size=(5, 48)) / 4))),
        ("act2", op),
        ("fc2", Linear(weight=tensor("fc2.weight", rng.normal(size=(3, 5))))),
    )
    return replace(graph, labels=("cat", "dog", "fox"))


def needs(recipe: str) -> frozenset[str]:
    return frozenset().union(*(step.needed() for step in load_recipe(recipe).passes))


def run(snn: Graph, steps: int) -> None:
    meant = suggest_options(snn)
    simulate(
        snn,
        X,
        steps=steps,
        schedule=meant.schedule,
        ticks_per_step=meant.ticks_per_step,
        settle=meant.settle,
        precision=meant.precision,
    )


@every_recipe
@pytest.mark.parametrize("missing", ASKS_FOR)
def test_what_is_missing_is_asked_for_before_any_pass_runs(recipe: str, missing: str) -> None:
    given = {"calibration": X, "steps": STEPS, missing: None}
    if missing not in needs(recipe):
        assert convert(net(recipe), recipe, **given)["act1"].spiking is not None
        return
    with pytest.raises(PassError, match=ASKS_FOR[missing]) as caught:
        convert(net(recipe), recipe, **given)
    assert "passes already run" not in str(caught.value)


@every_recipe
def test_a_single_image_is_no_calibration_set(recipe: str) -> None:
    if "calibration" in needs(recipe):
        with pytest.raises(DataError, match=r"hold a single image.*give at least 2 images"):
            convert(net(recipe), recipe, calibration=X[:1], steps=STEPS)


@every_recipe
def test_a_calibration_set_of_one_class_is_named(recipe: str) -> None:
    labels = np.full(len(X), 1)
    if "calibration" in needs(recipe):
        with pytest.warns(UserWarning, match="all 12 calibration images are of class 1 .'dog'."):
            convert(net(recipe), recipe, calibration=X, labels=labels, steps=STEPS)


@every_recipe
def test_labels_that_are_not_one_an_image_are_refused(recipe: str) -> None:
    message = re.escape("labels of the calibration data are [11] for 12 images; expected [12]")
    if "calibration" in needs(recipe):
        with pytest.raises(DataError, match=message):
            convert(net(recipe), recipe, calibration=X, labels=np.arange(11) % 3, steps=STEPS)


@every_recipe
@pytest.mark.parametrize(
    "images",
    [np.zeros_like(X), np.repeat(X[:1], 12, axis=0), X * np.array([[[[1]], [[0]]]]), -np.abs(X)],
    ids=["all zero", "all the same", "a channel of zeros", "negative"],
)
def test_images_that_tell_nothing_still_give_thresholds_above_zero(
    recipe: str, images: np.ndarray
) -> None:
    graph = net(recipe)
    dead = np.array(graph["conv"].op.weight.values)
    dead[0] = 0  # a channel that is the same whatever the image
    conv = replace(graph["conv"].op, weight=Tensor("conv.weight", dead))
    graph = graph.replace("conv", op=conv)

    snn = convert(graph, recipe, calibration=images.astype(np.float32), steps=STEPS)

    for node in snn:
        for field in ("threshold", "v_init", "shift") if node.spiking is not None else ():
            value = getattr(node.spiking, field)
            values = np.asarray(value.values if isinstance(value, Tensor) else value)
            assert np.isfinite(values).all()
            assert field != "threshold" or (values > 0).all()
    run(snn, STEPS)


@every_recipe
def test_other_steps_than_converted_for_are_warned_of_with_both_numbers(recipe: str) -> None:
    snn = convert(net(recipe), recipe, calibration=X, steps=STEPS)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(snn, STEPS + 4)

    told = [str(item.message) for item in caught]
    expected = "made for 8 steps and 12 are run: .*; convert with --steps 12$"
    assert all(re.search(expected, text) for text in told)
    assert bool(told) == ("steps" in needs(recipe))


@every_recipe
def test_the_steps_converted_for_are_run_without_a_warning(recipe: str) -> None:
    snn = convert(net(recipe), recipe, calibration=X, steps=STEPS)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(snn, STEPS)
