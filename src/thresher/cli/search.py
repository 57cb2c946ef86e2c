"""`thresher convert --recipe auto`: a search for a recipe, printed; and how it is shown later."""

from collections.abc import Sequence

from thresher.cli.output import count, percent, print_table
from thresher.cli.progress import progress_of, times
from thresher.datasets import Samples
from thresher.ir import Graph
from thresher.search import (
    Budget,
    Plan,
    Reached,
    Selection,
    Trial,
    parse_budget,
    plan_search,
    search,
)
from thresher.search.choose import points_lost, within
from thresher.search.run import choose_of, finish

COLUMNS = ("recipe", "T", "held-out", "s.e.", "points lost", "spikes", "SOPs", "bits")


def convert_by_search(
    graph: Graph, budget: str, samples: Samples, *, multi_bit: bool, schedule: str
) -> Graph:
    """Say what is tried, try it, print what each recipe came to, and convert by the chosen one."""
    limit = parse_budget(budget)
    plan = plan_search(
        graph, limit, samples.x[:], samples.y, multi_bit=multi_bit, schedule=schedule
    )
    print(plan.describe())
    trials = _search(plan)
    _print_trials(limit, plan.judged_by, plan.ann_score, trials)
    found = choose_of(plan, trials)
    _print_choice(found)
    return finish(plan, found)


def print_selection(found: Selection) -> None:
    """Print what was tried and why one was chosen, as provenance tells it."""
    _print_trials(parse_budget(found.budget), found.judged_by, found.ann_score, found.trials)
    _print_choice(found)


def _print_trials(
    budget: Budget, judged_by: str, ann_score: float, trials: Sequence[Trial]
) -> None:
    """Print a line for every trial, in the order of recipes and steps."""
    ann = f", the ANN's is {percent(ann_score)}" if judged_by == "accuracy" else " with the ANN"
    images = max(trial.images for trial in trials)
    print(f"{judged_by} on {images:,} images kept back{ann}; spikes and SOPs an image:")
    rows = [
        _row(budget, trial, ann_score)
        for trial in sorted(trials, key=lambda trial: (trial.recipe, trial.steps))
    ]
    print_table((*COLUMNS, "why not"), rows, numbers=COLUMNS[1:])


def _print_choice(found: Selection) -> None:
    print(f"chose '{found.chosen.recipe}' at T = {found.chosen.steps}: {found.reason}")


def _row(budget: Budget, trial: Trial, ann_score: float) -> tuple[str, ...]:
    if trial.refused:
        return (trial.recipe, *[""] * len(COLUMNS[1:]), trial.refused)
    return (
        trial.recipe,
        f"{trial.steps} + {trial.more_steps:.3g}" if trial.more_steps else str(trial.steps),
        percent(trial.score),
        f"{100 * trial.standard_error:.2f}",
        f"{points_lost(trial, ann_score):.2f}",
        count(trial.spikes),
        count(trial.synaptic_operations),
        f"{trial.bits:.1f}",
        "" if within(budget, trial, ann_score) else f"beyond {budget}",
    )


def _search(plan: Plan) -> tuple[Trial, ...]:
    most = len(plan.recipes) * len(plan.budget.steps)
    with progress_of("trying recipes", most, _describe, "conversions") as report:
        return search(plan, report)


def _describe(reached: Reached, seconds: float) -> str:
    tried = f"{reached.done}/{reached.total}, {reached.last.recipe} at T = {reached.last.steps}"
    return f"{tried}, {times(reached, seconds)}"
