"""The conversion error of one layer as the sum of its causes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thresher.diagnosis.staircase import Staircase
from thresher.ir import Op
from thresher.ir.ops.activation import Activation

Floats = NDArray[np.float64]

CAUSES = ("clipping", "quantisation", "unevenness", "propagated")


@dataclass(frozen=True, eq=False)
class Parts:
    """What the value of a layer's neurons is off by, cause by cause: arrays (N, *shape).

    With the ANN's activation a = f(z), the SNN's mean input z', the staircase h' and the count n:

    clipping       clip(z, bottom, top) - f(z)     a ceiling or floor that the ANN does not have
                                                   (of a leaky ReLU f(z) is clipped)
    quantisation   h'(z) - clip(z, bottom, top)    finitely many steps, at the ANN's own input
    propagated     h'(z') - h'(z)                  the error of the input, through the staircase
    unevenness     theta n / T - h'(z')            spikes that came unevenly, or too late to count

    They telescope: their sum is the error theta n / T - a. Of an operator z and z' stand for its
    function of the mean inputs; it rounds what that gives, so that `quantisation` is the rounding.
    """

    clipping: Floats
    quantisation: Floats
    unevenness: Floats
    propagated: Floats

    @property
    def own(self) -> Floats:
        """What the layer itself adds."""
        return self.clipping + self.quantisation + self.unevenness


def of_population(
    op: Op, staircase: Staircase, z: Floats, quantised: Floats, even: Floats, value: Floats
) -> Parts:
    """Decompose the error of a population whose counts stand for `value`.

    z is the ANN's mean input, `quantised` what the staircase gives of it, h'(z), and `even` what it
    gives of the SNN's, h'(z').
    An activation with a ceiling of its own clips at the lower of both without error, and what it
    quantises itself (qcfs) is no error either.
    """
    activation = op.evaluate(z) if op.can_spike else z
    line = line_of(op, z)
    ceiling = op.ceiling if isinstance(op, Activation) else None
    free = line if ceiling is None else np.clip(line, 0.0, ceiling)
    clipping = np.clip(line, staircase.bottom, staircase.top) - free
    return Parts(clipping, quantised - activation - clipping, value - even, even - quantised)


def of_carrier(activation: Floats, carried: Floats, value: Floats) -> Parts:
    """Decompose the error of what has no staircase: a readout, a max pool of counts.

    `carried` is what the node makes of the SNN's mean inputs.
    """
    none = np.zeros_like(activation)
    return Parts(none, none, value - carried, carried - activation)


def line_of(op: Op, z: Floats) -> Floats:
    """Return what the ANN's function gives of mean inputs without its ceiling and its levels."""
    if isinstance(op, Activation) and op.ceiling is None:
        return op.evaluate(z)
    return z
