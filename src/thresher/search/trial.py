"""Trial: a recipe at a number of steps, judged on images that its calibration did not see."""

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.conversion import convert
from thresher.errors import PassError, SimulationError
from thresher.ir import Graph
from thresher.sim import Result, simulate, suggest_options

Array = NDArray[Any]


@dataclass(frozen=True)
class Trial:
    """What a conversion came to on the held-out images.

    `more_steps` are those that the network takes beyond `steps`: a probe's before them, and until
    nothing is pending after them (a mean, where the run settles). `right` of the `images` have the
    right class, or without labels the ANN's; spikes and synaptic operations are means an image, a
    spike carries `bits`. One that was `refused` has the reason and no figures.
    """

    recipe: str
    steps: int
    images: int = 0
    right: int = 0
    spikes: float = 0.0
    synaptic_operations: float = 0.0
    bits: float = 1.0
    more_steps: float = 0.0
    refused: str = ""

    @property
    def score(self) -> float:
        """The share of the images that are right."""
        return self.right / self.images

    @property
    def standard_error(self) -> float:
        """Of the score: binomial, with one right and one wrong image more than there are.

        So it is not 0 where every image is right (the rule of succession).
        """
        p = (self.right + 1) / (self.images + 2)
        return sqrt(p * (1 - p) / self.images)

    @property
    def all_steps(self) -> float:
        """Steps of a run from its first to its last: what a budget of steps counts."""
        return self.steps + self.more_steps

    @property
    def bits_sent(self) -> float:
        """Spikes by the bits that one may carry; of binary spikes, their number."""
        return self.spikes * self.bits


@dataclass(frozen=True, eq=False)
class Judges:
    """Images kept back from calibration, and the class that each is expected to get."""

    x: Array
    expected: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fitting:
    """Images that recipes are calibrated on, with their labels where there are any."""

    x: Array
    y: NDArray[np.int64] | None


def convert_for(graph: Graph, recipe: str, steps: int, fitting: Fitting) -> Graph:
    """Convert by a recipe, calibrated on the images to fit on."""
    return convert(graph, recipe, calibration=fitting.x, labels=fitting.y, steps=steps)


def try_recipe(
    graph: Graph,
    recipe: str,
    steps: int,
    fitting: Fitting,
    judges: Judges,
    schedule: str = "lockstep",
) -> Trial:
    """Convert and simulate; a recipe that the network or the steps do not suit is refused."""
    try:
        snn = convert_for(graph, recipe, steps, fitting)
        result = simulate_as_meant(snn, judges.x, steps, schedule)
    except (PassError, SimulationError) as error:
        return Trial(recipe, steps, refused=str(error))
    measures = result.metrics()
    settling = (measures["quiescent_steps"]["mean"] or steps) - steps
    return Trial(
        recipe,
        steps,
        images=len(judges.x),
        right=int((result.predictions[:, -1] == judges.expected).sum()),
        spikes=measures["spikes_per_sample"],
        synaptic_operations=measures["synaptic_operations_per_sample"],
        bits=measures["bits_per_spike"],
        more_steps=measures["probe_steps"] + max(0.0, settling),
    )


def simulate_as_meant(snn: Graph, x: Array, steps: int, schedule: str) -> Result:
    """Simulate as the recipe counts on, in a schedule."""
    suggested = suggest_options(snn)
    return simulate(
        snn,
        x,
        steps=steps,
        schedule=schedule,
        ticks_per_step=suggested.ticks_per_step,
        settle=suggested.settle,
        precision=suggested.precision,
    )
