"""soft-reset: a spike takes the threshold off the membrane potential."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations
from thresher.ir import Graph


@register_pass
@dataclass(frozen=True)
class SoftReset(Pass):
    """Take the threshold off the potential at every spike, so that no charge is lost."""

    name: ClassVar[str] = "soft-reset"

    def apply(self, graph: Graph, context: Context) -> Graph:
        return change_populations(
            graph, context, lambda node, spiking: replace(spiking, reset="soft", v_reset=0.0)
        )
