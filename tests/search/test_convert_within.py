"""A search on the digits CNN: what is tried, on which images, and what becomes of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import thresher
from thresher import digits
from thresher.errors import DataError, PassError, SimulationError
from thresher.search import Reached, Trial, parse_budget, plan_search, search
from thresher.search.trial import Fitting, Judges, try_recipe
from thresher.sim import suggest_options

IMAGES, LABELS, *_ = digits.load()
IMAGES, LABELS = IMAGES[:120], LABELS[:120]
GRAPH = thresher.load(digits.cnn_spec())
FEW = ("deng2021", "exact", "int8", "rueckauer2017", "stoeckl2021-fs")


@pytest.fixture(autouse=True)
def few_recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thresher.search.plan.recipe_names", lambda: list(FEW))


def test_every_fourth_image_is_kept_back_from_calibration() -> None:
    plan = plan_search(GRAPH, parse_budget("steps=2"), IMAGES, LABELS)
    np.testing.assert_array_equal(plan.judges.x, IMAGES[3::4])
    np.testing.assert_array_equal(plan.judges.expected, LABELS[3::4])
    rest = np.arange(120) % 4 != 3
    np.testing.assert_array_equal(plan.fitting.x, IMAGES[rest])
    np.testing.assert_array_equal(plan.fitting.y, LABELS[rest])


def test_no_more_images_than_enough_are_kept_back() -> None:
    many = np.zeros((4000, 1, 8, 8), np.uint8)
    plan = plan_search(GRAPH, parse_budget("steps=1"), many)
    assert (len(plan.judges.x), len(plan.fitting.x)) == (512, 4000 - 512)


def test_candidates_are_recipes_of_binary_spikes_in_lockstep() -> None:
    plan = plan_search(GRAPH, parse_budget("steps=2"), IMAGES, LABELS)
    assert plan.recipes == ("deng2021", "rueckauer2017")
    reasons = {trial.recipe: trial.refused for trial in plan.refused}
    assert reasons == {
        "exact": "its spikes carry 1.6 bits, more than one; --multi-bit allows it",
        "int8": "is made for --precision int; choose it by name",
        "stoeckl2021-fs": "is made for --schedule layered; choose it by name",
    }
    assert plan.describe() == (
        "tries 2 recipes at T = 1, 2 on 30 images kept back, calibrated on 90"
    )


def test_more_bits_are_tried_when_they_are_asked_for() -> None:
    plan = plan_search(GRAPH, parse_budget("steps=2"), IMAGES, LABELS, multi_bit=True)
    assert plan.recipes == ("deng2021", "exact", "rueckauer2017")


def test_a_recipe_calibrated_for_async_is_refused_without_being_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("thresher.search.plan.recipe_names", lambda: ["async", "deng2021"])
    plan = plan_search(GRAPH, parse_budget("steps=2"), IMAGES)
    (refused,) = plan.refused
    assert (refused.recipe, refused.refused) == (
        "async",
        "is calibrated for --schedule async; choose it by name, or add --schedule async",
    )


def test_recipes_are_judged_in_the_schedule_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipes = ["async", "bu2025-ltb", "hao2023-srp", "huang2025-dcgs", "stoeckl2021-fs"]
    monkeypatch.setattr("thresher.search.plan.recipe_names", lambda: recipes)
    snn = thresher.convert_within(
        GRAPH,
        "steps=2",
        calibration=IMAGES,
        labels=LABELS,
        multi_bit=True,
        schedule="async",
    )
    found = thresher.selection(snn)
    assert found is not None
    assert found.schedule == "async"
    assert {t.recipe for t in found.trials if t.images} == {"async", "bu2025-ltb"}
    refused = {t.recipe: t.refused for t in found.trials if not t.images}
    assert "lockstep" in refused["hao2023-srp"]
    assert "'async' has no steps that all neurons share" in refused["huang2025-dcgs"]
    assert refused["stoeckl2021-fs"] == "is made for --schedule layered; choose it by name"
    assert found.reason.startswith("the best within steps=2 in async is ")
    thresher.save(snn, tmp_path / "snn.yaml")
    again = thresher.load(tmp_path / "snn.yaml")
    assert thresher.selection(again) == found
    assert suggest_options(again).schedule == "async"
    result = thresher.simulate(again, IMAGES[3::4], LABELS[3::4], schedule="async")
    assert result.accuracy == found.chosen.score


def test_another_schedule_is_refused() -> None:
    with pytest.raises(SimulationError, match=r"schedule is 'layered'; expected.*async"):
        plan_search(GRAPH, parse_budget("steps=2"), IMAGES, schedule="layered")


def test_a_trial_holds_what_simulation_measures_on_the_images_kept_back() -> None:
    fitting, judges = Fitting(IMAGES[:60], None), Judges(IMAGES[60:], LABELS[60:])
    trial = try_recipe(GRAPH, "deng2021", 2, fitting, judges)
    snn = thresher.convert(GRAPH, "deng2021", calibration=IMAGES[:60], steps=2)
    result = thresher.simulate(snn, IMAGES[60:], LABELS[60:], steps=2)
    assert trial.score == result.accuracy
    assert trial.spikes == sum(counts.mean() for counts in result.spike_counts.values())
    assert trial.synaptic_operations == result.synaptic_operations.mean()
    assert (trial.images, trial.bits, trial.refused) == (60, 1.0, "")


def test_a_recipe_that_the_steps_do_not_suit_is_refused_with_its_reason(tmp_path: Path) -> None:
    recipe = tmp_path / "late.yaml"
    recipe.write_text(
        "passes: [fold-batch-norm, balance-thresholds]\nreadout: {kind: membrane, t_start: 4}\n",
        "utf-8",
    )
    trial = try_recipe(GRAPH, str(recipe), 2, Fitting(IMAGES, None), Judges(IMAGES, LABELS))
    assert "t_start" in trial.refused


def test_without_labels_the_ann_is_what_is_agreed_with() -> None:
    plan = plan_search(GRAPH, parse_budget("steps=1"), IMAGES)
    assert (plan.judged_by, plan.ann_score) == ("agreement", 1.0)
    ann = thresher.evaluate(GRAPH, IMAGES[3::4]).argmax(axis=1)
    np.testing.assert_array_equal(plan.judges.expected, ann)


def test_the_network_is_the_one_that_was_judged_and_says_why() -> None:
    snn = thresher.convert_within(GRAPH, "steps=4", calibration=IMAGES, labels=LABELS)
    found = thresher.selection(snn)
    assert found is not None
    assert {(t.recipe, t.steps) for t in found.trials if not t.refused} == {
        (recipe, steps) for recipe in ("deng2021", "rueckauer2017") for steps in (1, 2, 4)
    }
    result = thresher.simulate(snn, IMAGES[3::4], LABELS[3::4])
    assert snn.meta["recipe"] == found.chosen.recipe
    assert result.settings.steps == found.chosen.steps
    assert result.accuracy == found.chosen.score
    assert found.reason.startswith("the best within steps=4 is ")


def test_the_selection_is_read_back_from_the_spec(tmp_path: Path) -> None:
    snn = thresher.convert_within(GRAPH, "loss=90", calibration=IMAGES)
    thresher.save(snn, tmp_path / "snn.yaml")
    again = thresher.load(tmp_path / "snn.yaml")
    assert thresher.selection(again) == thresher.selection(snn)
    assert thresher.selection(GRAPH) is None


@pytest.mark.parametrize("edited", [None, {"budget": "steps=2"}, {"chosen": 3, "trials": []}])
def test_an_edited_selection_is_refused(edited: object) -> None:
    graph = replace(GRAPH, meta={"selection": edited})
    with pytest.raises(PassError, match="'selection' is none that a search has written"):
        thresher.selection(graph)


def test_under_a_loss_the_first_steps_that_keep_to_it_are_the_last() -> None:
    plan = plan_search(GRAPH, parse_budget("loss=99"), IMAGES, LABELS)
    trials = search(plan, lambda reached: None)
    assert {trial.steps for trial in trials if not trial.refused} == {1}


def test_under_a_loss_steps_are_tried_as_long_as_they_may_be_fewer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def probed(graph: object, recipe: str, steps: int, *rest: object) -> Trial:
        return Trial(recipe, steps, images=30, right=30, more_steps=4)

    monkeypatch.setattr("thresher.search.run.try_recipe", probed)
    plan = plan_search(GRAPH, parse_budget("loss=1"), IMAGES, LABELS)
    trials = search(plan, lambda reached: None)
    # T = 1 takes 5 steps in all, so that 2 and 4 could be fewer, and 8 not
    assert {trial.steps for trial in trials if not trial.refused} == {1, 2, 4}


def test_a_probe_and_settling_take_steps_beyond_t() -> None:
    fitting, judges = Fitting(IMAGES[:60], None), Judges(IMAGES[60:], LABELS[60:])
    trial = try_recipe(GRAPH, "hao2023-srp", 2, fitting, judges)
    assert trial.more_steps == 4  # the recipe's probe
    exact = try_recipe(GRAPH, "exact", 2, fitting, judges)
    snn = thresher.convert(GRAPH, "exact", calibration=IMAGES[:60], steps=2)
    result = thresher.simulate(snn, IMAGES[60:], steps=2, settle=True)
    assert exact.more_steps == pytest.approx(result.latency.quiescent.mean() - 2)


def test_a_recipe_that_sends_too_many_spikes_is_not_tried_at_more_steps() -> None:
    plan = plan_search(GRAPH, parse_budget("spikes=1"), IMAGES, LABELS)
    trials = search(plan, lambda reached: None)
    assert {trial.steps for trial in trials if not trial.refused} == {1}


def test_progress_tells_every_conversion_of_how_many() -> None:
    told: list[Reached] = []
    plan = plan_search(GRAPH, parse_budget("steps=2"), IMAGES, LABELS)
    trials = search(plan, told.append)
    assert [(reached.done, reached.total) for reached in told] == [(n, 4) for n in (1, 2, 3, 4)]
    assert [reached.last for reached in told] == [*trials[:4]]


def test_too_few_images_to_keep_any_back_are_refused() -> None:
    expected = "79 images leave 19 to judge by, one of 4; expected at least 20: give 80 images"
    with pytest.raises(DataError, match=expected):
        plan_search(GRAPH, parse_budget("steps=2"), IMAGES[:79], LABELS[:79])


def test_labels_that_do_not_fit_the_images_are_refused() -> None:
    with pytest.raises(DataError, match="expected one whole number for each of the 120 images"):
        plan_search(GRAPH, parse_budget("steps=2"), IMAGES, LABELS[:100])


def test_a_network_that_is_converted_already_is_refused_once() -> None:
    snn = thresher.convert(GRAPH, "deng2021", calibration=IMAGES, steps=2)
    with pytest.raises(
        PassError, match=r"none of 5 recipes applies .* is converted already"
    ) as told:
        plan_search(snn, parse_budget("steps=2"), IMAGES)
    assert str(told.value).count("is converted already") == 1
