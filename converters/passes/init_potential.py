"""init-potential: the membrane potential that populations start from."""

from dataclasses import dataclass
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import set_start
from thresher.ir import Graph
from thresher.ir.fields import FloatRule, ruled


@register_pass
@dataclass(frozen=True)
class InitPotential(Pass):
    """Start every population that fires at a fraction of its threshold (Bu et al. 2022).

    Parameters
    ----------
    fraction : float
        v_init / threshold; at 1/2 the expected conversion error is 0.

    Notes
    -----
    A population that has a v_init or a shift already is refused.
    """

    name: ClassVar[str] = "init-potential"
    fraction: float = ruled(FloatRule(0.0, maximum=1.0), 0.5)

    def apply(self, graph: Graph, context: Context) -> Graph:
        why = f"{self.fraction:g} of the threshold"
        return set_start(graph, context, "v_init", self.fraction, why)
