"""Every error that Thresher raises on purpose; all are ThresherError."""


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


class MissingExtraError(ThresherError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed: "
            f"pip install 'thresher[{extra}]'"
        )
