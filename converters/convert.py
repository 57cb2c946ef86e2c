"""Convert: an ANN's graph and a recipe give the graph of its spiking network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.converters.pass_ import Context, Pass, run
from thresher.converters.recipe import Recipe, load_recipe
from thresher.converters.simulator import Simulator
from thresher.errors import PassError
from thresher.ir import Graph

Array = NDArray[Any]


def convert(
    graph: Graph,
    recipe: str | Path | Sequence[Pass],
    *,
    calibration: Array | None = None,
    labels: Array | None = None,
    steps: int | None = None,
    settings: Mapping[str, object] | None = None,
    simulator: Simulator | None = None,
) -> Graph:
    """Convert an ANN's graph by a recipe; `simulator` serves the passes that need spikes.

    `thresher.convert` brings a simulator, and says what the other parameters are and what is
    raised.
    """
    chosen = _recipe(recipe).with_settings(settings or {})
    if chosen.readout is not None:
        graph = replace(graph, readout=chosen.readout)
    images = None if calibration is None else np.asarray(calibration)
    context = Context(images, labels, steps, simulator)
    converted = run(graph, chosen.passes, context)
    return replace(converted, meta={**chosen.provenance(), **converted.meta})


def _recipe(recipe: str | Path | Sequence[Pass]) -> Recipe:
    if isinstance(recipe, (str, Path)):
        return load_recipe(recipe)
    for step in recipe:
        if not isinstance(step, Pass):
            raise PassError(
                f"the list of passes holds {step!r}; expected passes, such as "
                "thresher.converters.passes.FoldBatchNorm(), or a recipe's name or file in place "
                "of the list"
            )
    return Recipe(passes=tuple(recipe))
