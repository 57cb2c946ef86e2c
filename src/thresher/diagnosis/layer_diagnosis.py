"""What is known of one layer at the end."""

import math
from dataclasses import asdict, dataclass

from thresher.diagnosis.decompose import CAUSES


@dataclass(frozen=True)
class Moments:
    """A deviation over all neurons and images, in units of the ANN's activations."""

    bias: float
    """The mean."""
    absolute: float
    """The mean of its magnitude."""
    rms: float


@dataclass(frozen=True)
class LayerDiagnosis:
    """One population, max pool or readout; shares are of its neurons on all images.

    `error` is theta * spikes / T less the ANN's activation, and the sum of `clipping`,
    `quantisation`, `unevenness` and `propagated` (see `Parts`); `own` is the sum of the first
    three. `mean_activation` is the mean of the ANN's |activation|, `mean_rate` that of the spikes
    of a neuron and step, of both signs.

    own_levels : to how many levels the ANN's own function rounds (qcfs), which so many steps say;
        None where it rounds to none, or neurons say more or fewer than a level a step
    clipped : share of values beyond what the counts can stand for
    saturated : share of neurons at their ceiling of counts
    dead : share of neurons without a spike on any image
    spurious : share of neurons with a count although their mean input is too low for one
    cosine : of all the SNN's values and all the ANN's
    staircase_error, uniform_error : mean |h'(z) - z| of the ANN's z within [0, top], and what it
        is where z is uniform there (`Staircase.uniform_error`)
    area, area_bound : both times the threshold, as Deng and Gu 2021 put it; theta^2 / (4 T)
    output_error : RMS of the logits' error with the SNN's values up to this layer in the ANN
    contribution : RMS of what this layer adds to that error; the last one's error is their sum
    agreement, accuracy : with the ANN's decisions and the labels, of the decisions so made
    """

    name: str
    neuron: str
    neurons: int
    hard_reset: bool
    own_levels: int | None
    before: tuple[str, ...]
    threshold: float | None
    mean_activation: float
    rms_activation: float
    mean_rate: float
    spikes: float
    synaptic_operations: float
    clipped: float
    saturated: float
    dead: float
    spurious: float
    cosine: float
    error: Moments
    clipping: Moments
    quantisation: Moments
    unevenness: Moments
    propagated: Moments
    own: Moments
    staircase_error: float | None
    uniform_error: float | None
    area: float | None
    area_bound: float | None
    output_error: float
    contribution: float
    agreement: float
    accuracy: float | None

    def moments(self, cause: str) -> Moments:
        """Return the moments of "error", "own" or one of the causes."""
        found: Moments = getattr(self, cause)
        return found

    def relative(self, cause: str) -> float:
        """Return the RMS of a cause relative to the mean activation, which may be 0."""
        rms = self.moments(cause).rms
        if not self.mean_activation:
            return math.inf if rms else 0.0
        return rms / self.mean_activation

    @property
    def largest(self) -> str:
        """The cause of the largest RMS."""
        return max(CAUSES, key=lambda cause: self.moments(cause).rms)

    @property
    def largest_own(self) -> str:
        """The cause of the largest RMS among those that the layer itself adds."""
        own = [cause for cause in CAUSES if cause != "propagated"]
        return max(own, key=lambda cause: self.moments(cause).rms)

    def row(self) -> dict[str, object]:
        """Return plain values under flat keys, such as error_bias."""
        flat: dict[str, object] = {}
        for key, value in asdict(self).items():
            if key == "before":
                continue
            if isinstance(value, dict):
                flat |= {f"{key}_{moment}": number for moment, number in value.items()}
            else:
                flat[key] = value
        return flat
