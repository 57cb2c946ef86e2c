"""How a converted graph is meant to be simulated is told by the graph."""

import numpy as np
import pytest
from networks import chain, fires, linear

from thresher import convert, digits, load, simulate
from thresher.ir import Spiking
from thresher.ir.ops import Sigmoid
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


def test_what_cannot_settle_is_not_to() -> None:
    graph = chain(
        (2,),
        ("signed", *fires(neuron="signed_if")),
        ("gate", Sigmoid(), Spiking(0.25, "expectation")),
        ("out", linear("out", [[1, 0], [0, 1]])),
    )
    assert suggest_options(graph) == Suggestion()
    simulate(graph, np.ones((1, 2), np.float32), steps=2)
