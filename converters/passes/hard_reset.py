"""hard-reset: a spike sets the membrane potential to a fixed value."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations, expect_no_pool_before
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import FloatRule, ruled


@register_pass
@dataclass(frozen=True)
class HardReset(Pass):
    """Set the potential to v_reset at every spike; what lay above the threshold is lost.

    Parameters
    ----------
    v_reset : float
        The potential after a spike, in units of the ANN's activations.
    """

    name: ClassVar[str] = "hard-reset"
    v_reset: float = ruled(FloatRule(), 0.0)

    def apply(self, graph: Graph, context: Context) -> Graph:
        def hard(node: Node, spiking: Spiking) -> Spiking:
            if spiking.neuron not in ("if", "lif"):
                raise PassError(
                    f"its neuron is '{spiking.neuron}', which has a reset of its own; take "
                    "'hard-reset' out of the recipe"
                )
            expect_no_pool_before(graph, node, "of which hard reset would lose a part")
            return replace(spiking, reset="hard", v_reset=self.v_reset)

        return change_populations(graph, context, hard)
