"""Choose among trials: the best within a budget, and the cheapest of those as good as it."""

from collections.abc import Sequence

from thresher.errors import PassError
from thresher.search.budget import Budget
from thresher.search.selection import Selection, in_schedule
from thresher.search.trial import Trial


def within(budget: Budget, trial: Trial, ann_score: float) -> bool:
    """Tell whether a trial that was not refused keeps to the budget."""
    spent = {
        "steps": trial.all_steps,
        "spikes": trial.spikes,
        "loss": points_lost(trial, ann_score),
    }
    return spent[budget.kind] <= budget.limit


def points_lost(trial: Trial, ann_score: float) -> float:
    """Return the points below the ANN, rounded to what the images can tell (1e-9)."""
    return round(100 * (ann_score - trial.score), 9)


def choose(
    budget: Budget,
    judged_by: str,
    ann_score: float,
    trials: Sequence[Trial],
    schedule: str = "lockstep",
) -> Selection:
    """Choose the trial of the most right images within the budget; of a loss, the fewest steps.

    Trials within one standard error of the best count as equal to it, and the fewest bits sent
    (of binary spikes: the fewest spikes) win. Under a loss only trials of the fewest steps at which
    any keeps to it count, and of these the fewest bits sent.

    Raises
    ------
    PassError
        Where no trial keeps to the budget; the message names the one that came nearest.
    """
    done = [trial for trial in trials if not trial.refused]
    fitting = [trial for trial in done if within(budget, trial, ann_score)]
    if not fitting:
        raise PassError(_none(budget, judged_by, ann_score, done, schedule))
    if budget.kind == "loss":
        steps = min(trial.all_steps for trial in fitting)
        equal = [trial for trial in fitting if trial.all_steps == steps]
        chosen = min(equal, key=_cost)
        reason = (
            f"the fewest steps in which a recipe{in_schedule(schedule)} loses at most "
            f"{budget.limit:g} points of the ANN's {_percent(ann_score)} are {steps:.4g}; "
            f"{_of(equal, 'recipes that do')}"
        )
    else:
        best = max(fitting, key=lambda trial: (trial.right, *(-cost for cost in _cost(trial)[:2])))
        least = best.score - best.standard_error
        equal = [trial for trial in fitting if trial.score >= least]
        chosen = min(equal, key=_cost)
        reason = (
            f"the best within {budget}{in_schedule(schedule)} is {_name(best)}, "
            f"{_percent(best.score)} {judged_by}, with "
            f"a standard error of {100 * best.standard_error:.1f} points on {best.images} images; "
            f"{_of(equal, 'trials within one standard error of it, which count as equal,')}"
        )
    return Selection(str(budget), judged_by, ann_score, reason, chosen, tuple(trials), schedule)


def _cost(trial: Trial) -> tuple[float, float, str]:
    return trial.bits_sent, trial.all_steps, trial.recipe


def _of(equal: Sequence[Trial], what: str) -> str:
    chosen = min(equal, key=_cost)
    if len(equal) == 1:
        return f"{_name(chosen)} is the only one"
    sent = "spikes" if all(trial.bits == 1 for trial in equal) else "bits"
    return f"of {len(equal)} {what} {_name(chosen)} sends the fewest {sent}"


def _none(
    budget: Budget, judged_by: str, ann_score: float, done: Sequence[Trial], schedule: str
) -> str:
    if not done:
        return f"no recipe was left to try within {budget}; the table says why each was refused"
    if budget.kind == "spikes":
        nearest = min(done, key=lambda trial: trial.spikes)
        came = f"sends {nearest.spikes:,.0f} spikes an image"
    elif budget.kind == "steps":
        nearest = min(done, key=lambda trial: trial.all_steps)
        came = f"takes {nearest.all_steps:.4g} steps in all"
    else:
        nearest = max(done, key=lambda trial: (trial.right, -trial.all_steps))
        came = f"loses {points_lost(nearest, ann_score):.1f} points of {judged_by}"
    return (
        f"no recipe keeps to {budget}{in_schedule(schedule)}: the nearest, {_name(nearest)}, "
        f"{came}; allow more, or train the network for few steps ('thresher train')"
    )


def _name(trial: Trial) -> str:
    return f"'{trial.recipe}' at T = {trial.steps}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
