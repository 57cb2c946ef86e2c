"""Recipes: files that name passes, their errors with the line, and settings that replace fields."""

from dataclasses import replace
from pathlib import Path

import pytest

from thresher.converters import PASSES, Recipe, load_recipe, recipe_names
from thresher.converters.passes import (
    BalanceThresholds,
    CalibrateLayers,
    DelayReadout,
    FoldBatchNorm,
    HardReset,
    InitPotential,
    ReplaceUnsupported,
    Shift,
    SoftReset,
    StripDropout,
)
from thresher.errors import PassError, SpecError
from thresher.ir import Readout

CANONICAL = (StripDropout(), FoldBatchNorm(), ReplaceUnsupported())


def read(folder: Path, text: str) -> Recipe:
    file = folder / "mine.yaml"
    file.write_text(text, "utf-8")
    return load_recipe(file)


def test_deng2021_is_the_paper_s() -> None:
    recipe = load_recipe("deng2021")

    balance = BalanceThresholds(statistic="max", granularity="layer", own_ceiling="use")
    assert recipe.passes == (*CANONICAL, balance, Shift(mode="current"))
    assert recipe.readout == Readout("spikes")


def test_rueckauer2017_is_the_paper_s() -> None:
    recipe = load_recipe("rueckauer2017")

    balance = BalanceThresholds("percentile", "layer", 99.9, "nonzero", "ignore")
    assert recipe.passes == (*CANONICAL, balance, SoftReset())
    assert recipe.readout == Readout("membrane")


def test_the_default_is_the_plain_recipe_with_lower_thresholds_calibrated_on_spikes() -> None:
    *before, calibrate, delay = load_recipe("default").passes
    *cleaned, balance, start = load_recipe("plain").passes

    assert before == [*cleaned, replace(balance, factor=0.85), start]
    assert balance.statistic == "mmse"
    assert start == InitPotential(fraction=0.5)
    assert calibrate == CalibrateLayers()
    assert delay == DelayReadout(start="fitted")


def test_recipe_async_is_the_default_calibrated_where_spikes_come_at_any_time() -> None:
    *before, calibrate, delay = load_recipe("async").passes

    assert before == [*load_recipe("default").passes[:-2]]
    assert calibrate == CalibrateLayers(ticks_per_step=64, rounds=4)
    assert delay == DelayReadout(start="fitted", weights="ridge", ticks_per_step=64)


def test_recipes_of_trained_clips_differ_in_how_the_network_was_trained_alone() -> None:
    assert load_recipe("ho2021-tcl").passes == load_recipe("ding2021-rnl").passes


def test_both_recipes_of_diehl2015_reset_to_zero_and_decide_by_spikes() -> None:
    for name in ("diehl2015", "diehl2015-model"):
        recipe = load_recipe(name)
        assert recipe.passes[-1] == HardReset(v_reset=0.0)
        assert recipe.readout == Readout("spikes")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_says_its_name_and_source_and_cleans_up_first(name: str) -> None:
    recipe = load_recipe(name)

    assert recipe.name == name
    assert recipe.source
    assert [type(step) for step in recipe.passes[:3]] == [type(step) for step in CANONICAL]


def test_a_file_may_name_passes_with_and_without_fields(tmp_path: Path) -> None:
    recipe = read(
        tmp_path,
        """
        passes:
          - strip-dropout
          - balance-thresholds: {statistic: percentile, percent: 99}
          - shift:
              mode: potential
        """,
    )

    passes = (StripDropout(), BalanceThresholds("percentile", percent=99.0), Shift("potential"))
    assert recipe == Recipe(passes, name="mine")


def test_the_readout_may_have_a_delayed_window(tmp_path: Path) -> None:
    recipe = read(tmp_path, "passes: [strip-dropout]\nreadout: {kind: membrane, t_start: 5}\n")

    assert recipe.readout == Readout("membrane", t_start=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("passes:\n- fold-batchnorm\n", r"yaml:2: unknown pass .*did you mean 'fold-batch-norm'"),
        (
            "passes:\n- shift: {mood: current}",
            r"yaml:2: pass 'shift': unknown field 'mood': .*'mode'",
        ),
        (
            "passes:\n- balance-thresholds:\n    percent: 101",
            r"yaml:3: pass 'balance-thresholds': field 'percent' is 101; expected .* at most 100",
        ),
        (
            "passes:\n- shift\n- shift: {mode: potential}",
            r"yaml:3: pass 'shift' is listed twice",
        ),
        (
            "passes:\n- soft-reset: {mode: 1}",
            r"yaml:2: pass 'soft-reset' takes no fields",
        ),
        ("passes: []", r"yaml:1: 'passes' is \[\]; expected a list of passes"),
        ("passes: shift", r"yaml:1: 'passes' is 'shift'; expected a list"),
        ("passes:\n- [shift]", r"yaml:2: a pass is \['shift'\]; expected its name"),
        ("passes:\n- shift: current", r"yaml:2: what pass 'shift' is given is 'current'"),
        ("recipe: mine", r"yaml:1: the recipe has no 'passes'"),
        (
            "passes: [shift]\nreadouts: spikes",
            r"yaml:2: recipe: unknown field 'readouts': .*'readou",
        ),
        (
            "passes: [shift]\nreadout: rate",
            r"yaml:2: 'readout': field 'kind' is 'rate'; expected one",
        ),
        ("passes: [shift]\npasses: [shift]", r"yaml:2: 'passes' is written twice"),
        ("- shift", r"yaml:1: a recipe is \['shift'\]; expected a mapping"),
    ],
)
def test_an_error_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"gone\.yaml': there is no such file"):
        load_recipe(tmp_path / "gone.yaml")


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(PassError, match=r"unknown recipe 'deng': did you mean 'deng2021'\? known"):
        load_recipe("deng")


def test_settings_replace_fields_by_values_or_their_text() -> None:
    recipe = Recipe((BalanceThresholds(), Shift()))

    changed = recipe.with_settings(
        {
            "balance-thresholds.percent": "99.5",
            "balance-thresholds.over": "all",
            "shift.mode": "potential",
        }
    )

    assert changed.passes == (BalanceThresholds(percent=99.5, over="all"), Shift("potential"))
    assert recipe.with_settings({"balance-thresholds.percent": 99.5}).passes[0].percent == 99.5


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("shift", "x", "setting 'shift' names no field; expected PASS.FIELD"),
        ("shfit.mode", "x", r"setting 'shfit\.mode': unknown pass 'shfit': did you mean 'shift'"),
        ("soft-reset.x", "x", "does not run pass 'soft-reset'; it runs shift"),
        ("shift.mod", "x", r"pass 'shift' has no field 'mod': did you mean 'mode'\?"),
        ("shift.mode", "3", "field 'mode' is 3; expected one of current, potential"),
    ],
)
def test_a_wrong_setting_is_refused(key: str, value: str, message: str) -> None:
    with pytest.raises(PassError, match=message):
        Recipe((Shift(),)).with_settings({key: value})


def test_the_registry_holds_the_documented_passes() -> None:
    documented = {
        "balance-thresholds",
        "fold-batch-norm",
        "hard-reset",
        "init-potential",
        "replace-unsupported",
        "shift",
        "soft-reset",
        "strip-dropout",
    }
    assert documented <= set(PASSES)
