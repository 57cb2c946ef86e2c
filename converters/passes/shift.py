"""shift: the half step that turns flooring into rounding, as a current or as a potential."""

from dataclasses import dataclass
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import set_start
from thresher.ir import Graph
from thresher.ir.fields import ChoiceRule, ruled


@register_pass
@dataclass(frozen=True)
class Shift(Pass):
    """Shift every population that fires by half a step (Deng and Gu 2021).

    Parameters
    ----------
    mode : str
        current: threshold / (2 T) is added at every step, the paper's form, made for T steps.
        potential: v_init = threshold / 2, which gives the same count at step T and holds at every
        step before and after.

    Notes
    -----
    A population that has a v_init or a shift already is refused.
    """

    name: ClassVar[str] = "shift"
    mode: str = ruled(ChoiceRule(("current", "potential")), "current")

    def needed(self) -> frozenset[str]:
        return frozenset({"steps"}) if self.mode == "current" else frozenset()

    def apply(self, graph: Graph, context: Context) -> Graph:
        if self.mode == "potential":
            return set_start(graph, context, "v_init", 0.5, "threshold / 2")
        why = f"threshold / (2 T), T = {context.time_steps}"
        return set_start(graph, context, "shift", 0.5 / context.time_steps, why)
