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
    """Convert an ANN's graph by a recipe.

    Parameters
    ----------
    recipe : str, path or list of Pass
        A recipe's name ("default"), a recipe file, or the passes themselves, which keep the
        graph's readout.
    calibration : ndarray, optional
        Raw images (N, *shape) from the training set; the graph's `preprocess` is applied to them.
    labels : ndarray, optional
        Their classes (N,).
    steps : int, optional
        The time steps that the network is made for.
    settings : mapping, optional
        Parameters that replace the recipe's, "PASS.FIELD" to a value or its text.
    simulator : Simulator, optional
        For passes that need spikes; `thresher.convert` brings one.

    Returns
    -------
    Graph
        The network with neurons at its activations and provenance in `meta`; see `account`.

    Raises
    ------
    PassError, SpecError, DataError
        Where a pass, a recipe file or the calibration images are at fault.
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
