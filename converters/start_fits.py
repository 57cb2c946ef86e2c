"""Where neurons start and what is added to their current, fitted to what they sent."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.converters.simulator import Sent

Array = NDArray[Any]
Floats = NDArray[np.float64]
Correction = tuple[Floats, Floats]
"""What to add to v_init and to shift, in shapes that broadcast to the population's."""


def bias(wanted: Array, theta: Array, sent: Sent) -> Correction:
    """Correct the mean of every channel by a current: mean(a - theta n(T) / T).

    Li et al. 2021, light. `wanted` are the ANN's activations (n, *shape), `theta` has the
    population's shape.
    """
    errors = _errors(wanted, theta, sent)
    return _of_channels(np.zeros_like(errors[-1]), theta), _of_channels(
        errors[-1] / len(errors), theta
    )


def potential(wanted: Array, theta: Array, sent: Sent) -> Correction:
    """Correct the mean of every neuron by its start: mean(T a - theta n(T)).

    Li et al. 2021, advanced.
    """
    steps = len(sent.by_step)
    start = (steps * wanted - theta * sent.counts).mean(axis=0, dtype=np.float64)
    return start, np.zeros_like(start)


def line(wanted: Array, theta: Array, sent: Sent) -> Correction:
    """Correct every channel by intercept and slope of the line through mean(a t - theta n(t)).

    The least squares line over t = 1..T. Where T = 1 all of the error is the start's.
    """
    errors = _errors(wanted, theta, sent)
    t = np.arange(1.0, len(errors) + 1)
    around = t - t.mean()
    slope = around @ errors / max(float(around @ around), 1.0)
    intercept = errors.mean(axis=0) - slope * t.mean()
    return _of_channels(intercept, theta), _of_channels(slope, theta)


FITS: dict[str, Callable[[Array, Array, Sent], Correction]] = {
    "bias": bias,
    "potential": potential,
    "line": line,
}


def _errors(wanted: Array, theta: Array, sent: Sent) -> Floats:
    """Return mean(a t - theta n(t)) of every channel over samples and places, (T, C)."""
    steps, channels = sent.by_step.shape[:2]
    total = np.cumsum((theta * sent.by_step).reshape(steps, channels, -1).mean(axis=2), axis=0)
    mean = wanted.mean(axis=0, dtype=np.float64).reshape(channels, -1).mean(axis=1)
    errors: Floats = np.arange(1, steps + 1)[:, None] * mean - total / len(sent.counts)
    return errors


def _of_channels(values: Floats, theta: Array) -> Floats:
    return values.reshape(-1, *(1,) * (theta.ndim - 1))
