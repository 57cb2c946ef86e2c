"""use-multi-threshold-neurons: neurons that fire the power of two which is nearest."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations, divided, expect_plain
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import IntRule, ruled
from thresher.ir.parameters import Parameters


@register_pass
@dataclass(frozen=True)
class UseMultiThresholdNeurons(Pass):
    """Make every population one of `multi_threshold` neurons (Huang et al. 2025).

    Parameters
    ----------
    thresholds : int
        How many thresholds there are: theta, theta / 2, ... The smallest becomes the annotation's.

    Notes
    -----
    Thresholds have to be set before. The neuron rounds to the nearest, so that potentials start
    at 0; neither 'init-potential' nor 'shift' belongs into the recipe.
    """

    name: ClassVar[str] = "use-multi-threshold-neurons"
    thresholds: int = ruled(IntRule(1, 7), 4)

    def apply(self, graph: Graph, context: Context) -> Graph:
        parts = 2 ** (self.thresholds - 1)

        def several(node: Node, spiking: Spiking) -> Spiking:
            expect_plain(node, spiking)
            context.note(
                node.name, "multi-threshold", f"thresholds from theta down to theta/{parts}"
            )
            return replace(
                divided(graph, node, spiking, parts),
                neuron="multi_threshold",
                parameters=Parameters({"thresholds": float(self.thresholds)}),
            )

        return change_populations(graph, context, several)
