"""How a converted graph is meant to be simulated is told by the graph."""

import pytest

from thresher import convert, digits, load
from thresher.sim import Suggestion, suggest_options


@pytest.mark.parametrize(
    ("recipe", "suggested", "arguments"),
    [
        ("deng2021", Suggestion(), []),
        ("exact", Suggestion(settle=True), ["--settle"]),
        ("stoeckl2021-fs", Suggestion(schedule="layered"), ["--schedule layered"]),
        (
            "async",
            Suggestion(schedule="async", ticks_per_step=64),
            ["--schedule async", "--ticks-per-step 64"],
        ),
        ("int8", Suggestion(precision="int"), ["--precision int"]),
    ],
)
def test_options_follow_from_what_the_recipe_made(
    recipe: str, suggested: Suggestion, arguments: list[str]
) -> None:
    images, *_ = digits.load()
    found = suggest_options(
        convert(load(digits.cnn_spec()), recipe, calibration=images[:16], steps=4)
    )
    assert found == suggested
    assert found.arguments() == arguments
