"""The choice among trials, on trials written by hand."""

from dataclasses import replace
from math import sqrt

import pytest

from thresher.errors import PassError
from thresher.search import Budget, Selection, Trial
from thresher.search.choose import choose

# of 100 images: the best, one within a standard error (1.7 points) of it, and one without
BEST = Trial("best", 16, 100, right=98, spikes=900.0)
EQUAL = Trial("equal", 8, 100, right=97, spikes=400.0)
WORSE = Trial("worse", 4, 100, right=90, spikes=100.0)
REFUSED = Trial("refused", 4, refused="has a max pool")


def chosen(limit: str, *trials: Trial, ann: float = 0.99) -> Selection:
    kind, _, number = limit.partition("=")
    return choose(Budget(kind, float(number)), "accuracy", ann, trials)


def test_the_standard_error_is_that_of_a_share_and_not_0_where_all_are_right() -> None:
    # 100 of 100 right: p = 101 / 102
    expected = sqrt(101 / 102 * (1 / 102) / 100)
    assert replace(BEST, right=100).standard_error == pytest.approx(expected)


def test_within_one_standard_error_of_the_best_fewer_spikes_win() -> None:
    found = chosen("steps=16", BEST, EQUAL, WORSE, REFUSED)
    assert found.chosen == EQUAL
    assert found.trials == (BEST, EQUAL, WORSE, REFUSED)
    assert found.reason == (
        "the best within steps=16 is 'best' at T = 16, 98.0 % accuracy, with a standard error of "
        "1.7 points on 100 images; of 2 trials within one standard error of it, which count as "
        "equal, 'equal' at T = 8 sends the fewest spikes"
    )


def test_beyond_one_standard_error_the_best_wins() -> None:
    found = chosen("steps=16", BEST, WORSE)
    assert found.chosen == BEST
    assert found.reason.endswith("; 'best' at T = 16 is the only one")


@pytest.mark.parametrize(
    ("budget", "kept"), [("steps=8", EQUAL), ("spikes=399", WORSE), ("spikes=400", EQUAL)]
)
def test_trials_beyond_the_budget_do_not_count(budget: str, kept: Trial) -> None:
    assert chosen(budget, BEST, EQUAL, WORSE).chosen == kept


@pytest.mark.parametrize(
    ("budget", "kept"), [("loss=1", BEST), ("loss=2", EQUAL), ("loss=9", WORSE)]
)
def test_a_loss_takes_the_fewest_steps_that_keep_to_it(budget: str, kept: Trial) -> None:
    assert chosen(budget, BEST, EQUAL, WORSE).chosen == kept


def test_a_loss_takes_the_fewest_spikes_of_the_fewest_steps() -> None:
    cheap = Trial("cheap", 8, 100, right=97, spikes=300.0)
    found = chosen("loss=2", BEST, EQUAL, cheap)
    assert found.chosen == cheap
    assert found.reason == (
        "the fewest steps in which a recipe loses at most 2 points of the ANN's 99.0 % are 8; of 2 "
        "recipes that do 'cheap' at T = 8 sends the fewest spikes"
    )


def test_a_loss_is_met_to_the_last_image() -> None:
    # 0.99 - 0.97 is a little more than 0.02 in binary
    assert chosen("loss=2", EQUAL).chosen == EQUAL


def test_steps_beyond_t_count_too() -> None:
    probed = Trial("probed", 4, 100, right=98, spikes=300.0, more_steps=8)
    assert chosen("loss=2", EQUAL, probed).chosen == EQUAL
    assert chosen("steps=11", WORSE, probed).chosen == WORSE
    assert chosen("steps=12", WORSE, probed).chosen == probed
    with pytest.raises(PassError, match="the nearest, 'probed' at T = 4, takes 12 steps in all"):
        chosen("steps=8", probed)


def test_spikes_of_more_bits_are_weighed_by_them() -> None:
    rich = Trial("rich", 8, 100, right=98, spikes=200.0, bits=3.0)
    found = chosen("steps=16", EQUAL, rich)
    assert found.chosen == EQUAL
    assert found.reason.endswith("sends the fewest bits")


@pytest.mark.parametrize(
    ("budget", "nearest"),
    [
        ("spikes=50", "'worse' at T = 4, sends 100 spikes an image"),
        ("loss=0.5", "'best' at T = 16, loses 1.0 points of accuracy"),
    ],
)
def test_a_budget_that_none_keeps_to_names_the_nearest(budget: str, nearest: str) -> None:
    with pytest.raises(PassError, match=f"no recipe keeps to {budget}: the nearest, {nearest}"):
        chosen(budget, BEST, EQUAL, WORSE)


def test_where_every_recipe_was_refused_none_is_chosen() -> None:
    with pytest.raises(PassError, match="no recipe was left to try within steps=8"):
        chosen("steps=8", REFUSED)
