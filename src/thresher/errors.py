"""Every error that Thresher raises on purpose; all are ThresherError."""

from collections.abc import Sequence
from typing import NamedTuple


class ThresherError(Exception):
    """Say what was wrong, where, what was expected and what to do, in one paragraph."""


class SpecError(ThresherError):
    """A spec, recipe or tensor file cannot be read as what it claims to be."""


class GraphError(ThresherError):
    """A graph or one of its nodes is not valid."""


class DataError(ThresherError):
    """Images, labels or calibration data do not fit what they are used for."""


class PassError(ThresherError):
    """A conversion pass, or the recipe that runs it, cannot do what it was asked."""


class SimulationError(ThresherError):
    """A simulation cannot start with these options, or failed while it ran."""


class TrainingError(ThresherError):
    """A training run cannot start with these settings, or failed while it ran."""


class DivergenceError(TrainingError):
    """The loss of a training run is no finite number any more."""


MOST_LISTED = 200
"""Refusals that a message holds."""


class Refusal(NamedTuple):
    """A part of a model that cannot be taken over: where it stands, what it is, and why not."""

    place: str
    operation: str
    why: str

    def __str__(self) -> str:
        return f"{self.place} ({self.operation}): {self.why}"


class UnsupportedError(ThresherError):
    """Parts of a model are beyond what a graph can say; `refusals` lists them all."""

    def __init__(self, what: str, refusals: Sequence[Refusal]) -> None:
        listed = "; ".join(map(str, refusals[:MOST_LISTED]))
        if len(refusals) > MOST_LISTED:
            listed += f"; and {len(refusals) - MOST_LISTED} more"
        super().__init__(f"{what} cannot be imported, {len(refusals)} refused: {listed}")
        self.what = what
        self.refusals = tuple(refusals)


class MissingExtraError(ThresherError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed: "
            f"pip install 'thresher[{extra}]'"
        )
