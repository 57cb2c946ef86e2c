"""delay-readout: the step from which on the output is read."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.errors import PassError
from thresher.ir import Graph, evaluate
from thresher.ir.fields import ChoiceRule, FloatRule, IntRule, ruled
from thresher.ir.inflow import deciding_node

Array = NDArray[Any]


@register_pass
@dataclass(frozen=True)
class DelayReadout(Pass):
    """Leave the first steps out of the decision, in which spikes are still on their way.

    Bu et al. 2025 (Inference-Scale Complexity in ANN-SNN Conversion) count from when the layers
    have begun to fire. The other steps decide alone: logits = (v(t) - v(t_start)) / (t - t_start).

    Parameters
    ----------
    start : str
        fraction: a part of the steps. fitted: the t_start, up to half of the steps, with which the
        logits come nearest to the ANN's over calibration images run in lockstep: by the mean square
        of the difference, what all classes share left out. Of equals the earliest.
    fraction : float
        The part of the T steps that is left out, below 1: t_start = floor(fraction * T).
    images : int
        How many calibration images it is fitted to, the first ones.

    Notes
    -----
    A readout that has a t_start already is refused. `layered` decides once, at its end, and takes
    no t_start.
    """

    name: ClassVar[str] = "delay-readout"
    needs: ClassVar[frozenset[str]] = frozenset({"steps"})
    start: str = ruled(ChoiceRule(("fraction", "fitted")), "fraction")
    fraction: float = ruled(FloatRule(0.0, maximum=1.0), 0.25)
    images: int = ruled(IntRule(2), 256)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fraction == 1:
            raise PassError(f"pass '{self.name}': fraction is 1 and leaves no step; expected less")

    def needed(self) -> frozenset[str]:
        fitted = {"calibration", "simulator"} if self.start == "fitted" else set()
        return self.needs | fitted

    def apply(self, graph: Graph, context: Context) -> Graph:
        if graph.readout.t_start:
            raise PassError(
                f"the readout's t_start is {graph.readout.t_start} already; take it out of the "
                "recipe's readout, or this pass out of its passes"
            )
        steps, why = context.time_steps, ""
        if self.start == "fitted":
            images = context.images[: self.images]
            t_start = _fit(graph, images, context)
            why = f", nearest to the ANN's logits over {len(images)} images"
        else:
            # A decimal's own value: 0.29 * 100 is a little less than 29 in binary.
            t_start = int(Fraction(str(self.fraction)) * steps)
        for output in graph.outputs if t_start else ():
            context.note(output, "the readout", f"read after step {t_start} of {steps}{why}")
        return replace(graph, readout=replace(graph.readout, t_start=t_start))


def _fit(graph: Graph, images: Array, context: Context) -> int:
    steps, target = context.time_steps, deciding_node(graph)
    exact = _apart(evaluate(graph.upto(target), images))
    given = context.spikes.values(graph, images, steps, target)
    upto = np.cumsum(given, axis=1, dtype=np.float64)
    errors = []
    for t_start in range(steps // 2 + 1):
        before = upto[:, t_start - 1] if t_start else 0.0
        logits = (upto[:, -1] - before) / (steps - t_start)
        errors.append(float(((_apart(logits) - exact) ** 2).sum()))
    return int(np.argmin(errors))


def _apart(logits: Array) -> Array:
    """Take off what all outputs of an image share, where there are several."""
    flat = logits.reshape(len(logits), -1)
    return flat - flat.mean(axis=1, keepdims=True) if flat.shape[1] > 1 else flat
