"""A budget is read from its text, and says which numbers of steps are tried."""

import pytest

from thresher.errors import PassError
from thresher.search import Budget, parse_budget


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("steps=16", Budget("steps", 16)),
        ("spikes=1e5", Budget("spikes", 100_000)),
        (" loss=0.5 ", Budget("loss", 0.5)),
        ("loss=0", Budget("loss", 0)),
    ],
)
def test_a_budget_is_a_name_and_a_number(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget
    assert parse_budget(str(budget)) == budget


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16", "expected steps=T"),
        ("joules=3", "expected steps=T"),
        ("steps=", "expected steps=T"),
        ("loss=-1", "expected steps=T"),
        ("steps=2.5", "a whole number of steps from 1 to 4096"),
        ("steps=0", "a whole number of steps from 1 to 4096"),
        ("steps=5000", "a whole number of steps from 1 to 4096"),
        ("spikes=0", "a number of spikes above 0"),
        ("spikes=1e999", "a number of spikes above 0"),
        ("loss=100", "points below 100"),
    ],
)
def test_what_is_no_budget_is_answered_with_what_is_expected(text: str, expected: str) -> None:
    with pytest.raises(PassError, match=f"budget '{text}': .*{expected}"):
        parse_budget(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("steps=16", (4, 8, 16)),
        ("steps=5", (1, 2, 5)),
        ("steps=1", (1,)),
        ("spikes=9", (1, 2, 4, 8, 16, 32)),
        ("loss=1", (1, 2, 4, 8, 16, 32)),
    ],
)
def test_the_steps_that_are_tried_are_bounded(text: str, steps: tuple[int, ...]) -> None:
    assert parse_budget(text).steps == steps
