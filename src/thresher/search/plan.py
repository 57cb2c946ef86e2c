"""Plan: which recipes are tried, at which steps and on which images, before anything is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.converters import load_recipe, recipe_names
from thresher.errors import DataError, PassError, SimulationError
from thresher.ir import Graph, evaluate
from thresher.search.budget import Budget
from thresher.search.selection import in_schedule
from thresher.search.trial import Fitting, Judges, Trial, convert_for, simulate_as_meant
from thresher.sim import suggest_options
from thresher.sim.options import choice
from thresher.sim.simulate import check_labels

Array = NDArray[Any]
KEPT_BACK = 4
"""One image of so many is kept back from calibration."""
FEWEST, MOST = 20, 512
"""Images to judge by."""
SCHEDULES = ("lockstep", "async")
"""Those in which networks are judged."""
PROBED = 16
"""Images of the conversion that tells whether a recipe applies."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What a search is going to do; `refused` are the recipes that are not tried, with the reason.

    `judged_by` is "accuracy", or without labels "agreement" with the ANN, and `ann_score` the share
    of the images to judge by that the ANN gets right: 1 without labels. The images to judge by are
    simulated in `schedule`.
    """

    graph: Graph
    budget: Budget
    recipes: tuple[str, ...]
    refused: tuple[Trial, ...]
    fitting: Fitting
    judges: Judges
    judged_by: str
    ann_score: float
    schedule: str = "lockstep"

    def describe(self) -> str:
        """Say what is tried, and on how many images."""
        steps = ", ".join(str(t) for t in self.budget.steps)
        return (
            f"tries {len(self.recipes)} recipes{in_schedule(self.schedule)} at T = {steps} on "
            f"{len(self.judges.x):,} images kept back, calibrated on {len(self.fitting.x):,}"
        )


def plan_search(
    graph: Graph,
    budget: Budget,
    calibration: Array,
    labels: NDArray[np.integer] | None = None,
    *,
    multi_bit: bool = False,
    schedule: str = "lockstep",
) -> Plan:
    """Find the recipes that apply, and divide the images (N, *shape) into two parts.

    Every fourth image, 512 at most, is kept back to judge by. Each recipe is tried on a few images
    first; those of binary spikes are candidates, and with `multi_bit` those whose spikes have a
    sign or carry a number. `schedule` is "lockstep" or "async"; what is made for another one, or
    for whole numbers, is left to be chosen by name.

    Raises
    ------
    SimulationError
        For a schedule that is neither.
    DataError
        Where there are too few images, or they or their labels do not fit the graph.
    PassError
        Where no recipe applies.
    """
    choice("schedule", schedule, SCHEDULES)
    images = np.asarray(calibration)
    y = check_labels(graph, images, labels)
    held = _kept_back(len(images))
    judged = np.isin(np.arange(len(images)), held)
    fitting = Fitting(images[~judged], None if y is None else y[~judged])
    ann = np.argmax(evaluate(graph, images[held]), axis=1)
    expected = ann if y is None else y[held]
    judges = Judges(images[held], expected)
    steps = budget.steps[-1]
    probed = Fitting(fitting.x[:PROBED], None if fitting.y is None else fitting.y[:PROBED])
    reasons = {
        name: _obstacle(graph, name, steps, probed, multi_bit, schedule) for name in recipe_names()
    }
    recipes = tuple(name for name, reason in reasons.items() if not reason)
    if not recipes:
        told = "; ".join(sorted(set(reasons.values())))
        raise PassError(f"none of {len(reasons)} recipes applies to '{graph.name}': {told}")
    return Plan(
        graph,
        budget,
        recipes,
        tuple(Trial(name, steps, refused=reason) for name, reason in reasons.items() if reason),
        fitting,
        judges,
        "agreement" if y is None else "accuracy",
        float((ann == expected).mean()),
        schedule,
    )


def _kept_back(n: int) -> NDArray[np.intp]:
    """Choose the images to judge by: every fourth, or as many as there may be, evenly spaced."""
    held = np.arange(KEPT_BACK - 1, n, KEPT_BACK)
    if len(held) < FEWEST:
        raise DataError(
            f"{n} images leave {len(held)} to judge by, one of {KEPT_BACK}; expected at least "
            f"{FEWEST}: give {FEWEST * KEPT_BACK} images or more, or choose the recipe by name"
        )
    return held[np.linspace(0, len(held) - 1, min(len(held), MOST)).round().astype(np.intp)]


def _obstacle(
    graph: Graph, recipe: str, steps: int, probed: Fitting, multi_bit: bool, schedule: str
) -> str:
    """Say why a recipe is no candidate; empty where it is one."""
    individual = any(getattr(step, "ticks_per_step", None) for step in load_recipe(recipe).passes)
    if individual and schedule != "async":
        return "is calibrated for --schedule async; choose it by name, or add --schedule async"
    try:
        snn = convert_for(graph, recipe, steps, probed)
        suggested = suggest_options(snn)
        if suggested.schedule not in SCHEDULES:
            return f"is made for --schedule {suggested.schedule}; choose it by name"
        if suggested.precision != "float32":
            return f"is made for --precision {suggested.precision}; choose it by name"
        result = simulate_as_meant(snn, probed.x[:1], steps, schedule)
    except (PassError, SimulationError) as error:
        return str(error)
    bits = max(payload.bits for payload in result.payloads.values())
    if bits > 1 and not multi_bit:
        return f"its spikes carry {bits:.1f} bits, more than one; --multi-bit allows it"
    return ""
