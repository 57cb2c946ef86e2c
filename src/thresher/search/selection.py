"""Selection: which trial was chosen, and why; written into the graph's provenance."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from thresher.errors import PassError
from thresher.ir import Graph
from thresher.search.trial import Trial

KEY = "selection"


@dataclass(frozen=True)
class Selection:
    """The chosen trial among all, the budget, by what they were judged, and the reason in words.

    `judged_by` is "accuracy" or "agreement" with the ANN, `ann_score` the ANN's on these images;
    trials were simulated in `schedule`.
    """

    budget: str
    judged_by: str
    ann_score: float
    reason: str
    chosen: Trial
    trials: tuple[Trial, ...]
    schedule: str = "lockstep"

    def provenance(self) -> dict[str, Any]:
        """Return the selection as plain values."""
        plain = asdict(self)
        plain["trials"] = list(plain["trials"])
        return {KEY: plain}


def in_schedule(schedule: str) -> str:
    """Say of another schedule than lockstep that it is meant."""
    return "" if schedule == "lockstep" else f" in {schedule}"


def selection(graph: Graph) -> Selection | None:
    """Read from a converted graph's provenance how its recipe was chosen; None where it was named.

    Raises
    ------
    PassError
        Where the provenance was edited.
    """
    if KEY not in graph.meta:
        return None
    try:
        return _read(graph.meta[KEY])
    except (TypeError, ValueError, KeyError) as error:
        raise PassError(
            f"graph '{graph.name}': the provenance's '{KEY}' is none that a search has written "
            f"({error}); convert the ANN spec again"
        ) from error


def _read(plain: Mapping[str, Any]) -> Selection:
    fields = dict(plain)
    chosen, trials = _trial(fields.pop("chosen")), fields.pop("trials")
    if not isinstance(trials, Sequence):
        raise TypeError("'trials' is no list")
    fields["ann_score"] = float(fields["ann_score"])
    return Selection(**fields, chosen=chosen, trials=tuple(_trial(trial) for trial in trials))


def _trial(plain: Mapping[str, Any]) -> Trial:
    default = asdict(Trial("", 0))
    fields = {key: type(default[key])(value) for key, value in dict(plain).items()}
    return Trial(**fields)
