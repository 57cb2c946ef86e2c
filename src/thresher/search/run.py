"""Search: try the plan's recipes, and convert by the one that is chosen."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.ir import Graph
from thresher.search.budget import parse_budget
from thresher.search.choose import choose, within
from thresher.search.plan import Plan, plan_search
from thresher.search.selection import Selection
from thresher.search.trial import Trial, convert_for, try_recipe

Array = NDArray[Any]


@dataclass(frozen=True)
class Reached:
    """How far a search is: conversions tried, of `total` at most, and the last of them."""

    done: int
    total: int
    last: Trial


def convert_within(
    graph: Graph,
    budget: str,
    *,
    calibration: Array,
    labels: NDArray[np.integer] | None = None,
    multi_bit: bool = False,
    schedule: str = "lockstep",
    progress: Callable[[Reached], None] | None = None,
) -> Graph:
    """Convert an ANN's graph by whichever recipe serves it best within a budget.

    A quarter of the calibration images, 512 at most, is kept back from the recipes, and decides
    between them: by accuracy, or without labels by agreement with the ANN.

    Parameters
    ----------
    budget : str
        "steps=T": at most T steps, as accurate as can be. "spikes=N": at most N spikes an image, as
        accurate as can be. "loss=X": at most X points below the ANN, in as few steps as can be.
    calibration : ndarray
        Raw images (N, *shape) from the training set, 80 at least.
    labels : ndarray, optional
        Their classes (N,).
    multi_bit : bool
        Whether recipes whose spikes carry more than a bit are tried too.
    schedule : str
        In which they are judged, and which the network is for: "lockstep", or "async" with 64 ticks
        a step.
    progress : callable, optional
        Called after every conversion that was tried.

    Returns
    -------
    Graph
        Converted for the steps in `meta["steps"]`; `selection` gives what was tried, and why this.

    Raises
    ------
    PassError
        Where the budget is none, no recipe applies, or none keeps to the budget.
    DataError
        Where there are too few images, or they or their labels do not fit the graph.
    SimulationError
        For another schedule.
    """
    plan = plan_search(
        graph, parse_budget(budget), calibration, labels, multi_bit=multi_bit, schedule=schedule
    )
    trials = search(plan, progress or (lambda reached: None))
    return finish(plan, choose_of(plan, trials))


def search(plan: Plan, progress: Callable[[Reached], None]) -> tuple[Trial, ...]:
    """Try every recipe of the plan from the fewest steps on, as long as more can change the choice.

    A recipe that sends too many spikes is not tried at more steps, and under a loss none is tried
    at more steps than a recipe took that keeps to it.
    """
    trials: list[Trial] = []
    left = list(plan.recipes)
    total = len(left) * len(plan.budget.steps)
    enough = math.inf
    for steps in plan.budget.steps:
        if plan.budget.kind == "loss" and steps >= enough:
            break
        tried = []
        for recipe in left:
            trial = try_recipe(plan.graph, recipe, steps, plan.fitting, plan.judges, plan.schedule)
            tried.append(trial)
            progress(Reached(len(trials) + len(tried), total, trial))
        trials += tried
        kept = [t for t in tried if not t.refused and within(plan.budget, t, plan.ann_score)]
        enough = min([enough, *(t.all_steps for t in kept)])
        if plan.budget.kind == "spikes":
            left = [t.recipe for t in tried if t.refused or t in kept]
    return (*trials, *plan.refused)


def choose_of(plan: Plan, trials: Sequence[Trial]) -> Selection:
    """Choose among a plan's trials."""
    return choose(plan.budget, plan.judged_by, plan.ann_score, trials, plan.schedule)


def finish(plan: Plan, selection: Selection) -> Graph:
    """Convert by the chosen recipe again, which gives the network that was judged."""
    chosen = selection.chosen
    snn = convert_for(plan.graph, chosen.recipe, chosen.steps, plan.fitting)
    return replace(snn, meta={**snn.meta, **selection.provenance()})
