"""delay-readout: the step from which on the output is read."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.errors import PassError
from thresher.ir import Graph
from thresher.ir.fields import FloatRule, ruled


@register_pass
@dataclass(frozen=True)
class DelayReadout(Pass):
    """Leave the first steps out of the decision, in which spikes are still on their way.

    Bu et al. 2025 (Inference-Scale Complexity in ANN-SNN Conversion) count from when the layers
    have begun to fire. The other steps decide alone: logits = (v(t) - v(t_start)) / (t - t_start).

    Parameters
    ----------
    fraction : float
        The part of the T steps that is left out, below 1: t_start = floor(fraction * T).

    Notes
    -----
    A readout that has a t_start already is refused. `layered` decides once, at its end, and takes
    no t_start.
    """

    name: ClassVar[str] = "delay-readout"
    needs: ClassVar[frozenset[str]] = frozenset({"steps"})
    fraction: float = ruled(FloatRule(0.0, maximum=1.0), 0.25)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fraction == 1:
            raise PassError(f"pass '{self.name}': fraction is 1 and leaves no step; expected less")

    def apply(self, graph: Graph, context: Context) -> Graph:
        if graph.readout.t_start:
            raise PassError(
                f"the readout's t_start is {graph.readout.t_start} already; take it out of the "
                "recipe's readout, or this pass out of its passes"
            )
        # A decimal's own value: 0.29 * 100 is a little less than 29 in binary.
        t_start = int(Fraction(str(self.fraction)) * context.time_steps)
        for output in graph.outputs:
            context.note(
                output, "the readout", f"read after step {t_start} of {context.time_steps}"
            )
        return replace(graph, readout=replace(graph.readout, t_start=t_start))
