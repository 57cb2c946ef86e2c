"""Rounding: from float64 to an engine's precision, once; whole numbers to the nearest even."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import SimulationError

Floats = NDArray[np.float64]

LARGEST_PSP = 2**15 - 1
"""Units that one spike may bring in `int` precision: what an int16 holds, of either sign."""
LARGEST_UNITS = 2**53
"""Units that a membrane may hold in `int` precision: a float64 holds them exactly."""


def weight_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the precision of the potentials that spikes bring to membranes of a precision."""
    return np.dtype(np.int16) if dtype.kind == "i" else dtype


def rounded(values: Floats, dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """Round values to a precision; what no float holds becomes infinite.

    Raises
    ------
    SimulationError
        Where a whole number is too large for its dtype; `what` says whose it is.
    """
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(values, dtype)
    whole = np.rint(values)
    most, found = min(LARGEST_UNITS, np.iinfo(dtype).max), np.abs(whole).max(initial=0)
    if not found <= most:
        raise SimulationError(
            f"{what} is {found:,.0f} units of precision 'int'; at most {most:,} fit. The scale is "
            "too large for the network as it is now: run the pass 'quantize' last, with fewer bits"
        )
    return np.ascontiguousarray(whole, dtype)
