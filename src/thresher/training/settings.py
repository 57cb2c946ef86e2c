"""What a training run is set to, and how far it came."""

from dataclasses import asdict, dataclass

from thresher.errors import TrainingError
from thresher.ir.fields import (
    BoolRule,
    ChoiceRule,
    FloatRule,
    IntRule,
    OptionalRule,
    check_fields,
    ruled,
)

ACTIVATIONS = ("threshold_relu", "qcfs", "slip_relu", "relu")
LEVELS = 4
"""Levels where neither the settings nor the node say them (Bu et al. 2022, QCFS for CIFAR)."""
SLOPE = 0.5
"""Slope of a SlipReLU where neither says it (the code of Jiang et al. 2023)."""


@dataclass(frozen=True)
class TrainingSettings:
    """Say how a network is trained; the same settings, data and device give the same weights.

    Parameters
    ----------
    activation : str
        What every ReLU, threshold ReLU, QCFS and SlipReLU becomes: a threshold ReLU with a learnt
        ceiling (after Deng and Gu 2021, who fix it), a QCFS with a learnt ceiling (Bu et al. 2022),
        a weighted mean of both (SlipReLU, Jiang et al. 2023), or a plain ReLU.
    epochs : int
    learning_rate : float
        At the start; it falls to 0 along half a cosine over the run.
    batch : int
        Images of a step, at most; an epoch's batches differ in size by one at most.
    weight_decay : float
        On all that is learnt, ceilings too, as in the code of Bu et al. (2022).
    label_smoothing : float
        The share of the target that is spread evenly over all classes.
    levels : int, optional
        Of a QCFS or SlipReLU; by default those that a node has, or `LEVELS`.
    slope : float, optional
        The weight of the threshold ReLU in a SlipReLU; by default a node's own, or `SLOPE`.
    replace_max_pool : bool
        Put an average pool in the place of every max pool, which no neuron stands for.
    percent : float
        Where a node has no ceiling, its first is this percentile of its nonzero values.
    crop : int, optional
        Shift images by up to so many pixels each way, with zeros (black) beyond the edge; by
        default `CROP` for images of three channels, 0 for others.
    flip : bool, optional
        Mirror every second image, on average, left to right; by default those of three channels.
    seed : int

    Raises
    ------
    TrainingError
        Where a value is not what its field takes.
    """

    activation: str = ruled(ChoiceRule(ACTIVATIONS), "threshold_relu")
    epochs: int = ruled(IntRule(1), 10)
    learning_rate: float = ruled(FloatRule(0.0, exclusive=True), 0.05)
    batch: int = ruled(IntRule(2), 128)
    weight_decay: float = ruled(FloatRule(0.0), 5e-4)
    label_smoothing: float = ruled(FloatRule(0.0, maximum=1.0), 0.0)
    levels: int | None = ruled(OptionalRule(IntRule(1)), None)
    slope: float | None = ruled(OptionalRule(FloatRule(0.0, maximum=1.0)), None)
    replace_max_pool: bool = ruled(BoolRule(), False)
    percent: float = ruled(FloatRule(0.0, exclusive=True, maximum=100.0), 99.9)
    crop: int | None = ruled(OptionalRule(IntRule(0)), None)
    flip: bool | None = ruled(OptionalRule(BoolRule()), None)
    seed: int = ruled(IntRule(0), 0)

    def __post_init__(self) -> None:
        check_fields(self, "training", TrainingError)
        self._expect_part("levels", ("qcfs", "slip_relu"))
        self._expect_part("slope", ("slip_relu",))

    def _expect_part(self, field: str, activations: tuple[str, ...]) -> None:
        value = getattr(self, field)
        if value is not None and self.activation not in activations:
            named = " or ".join(f"'{activation}'" for activation in activations)
            raise TrainingError(
                f"training: field '{field}' is {value}, but activation '{self.activation}' has no "
                f"{field}; expected activation {named}, or no {field}"
            )

    def plain(self) -> dict[str, object]:
        """List every field by name, as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; the loss and the accuracies are means over its images.

    `loss` and `accuracy` are those of the images as trained on, moved and mirrored, while the
    weights changed; `validation_accuracy` is that of the evaluated network at the end.
    """

    number: int
    loss: float
    accuracy: float
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class TrainingProgress:
    """How far a run is: images since it began or went on, and the epoch's figures so far."""

    done: int
    total: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float
