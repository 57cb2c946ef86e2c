"""use-snm-neurons: signed neurons that remember what they have sent."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations, expect_plain
from thresher.ir import Graph, Node, Spiking


@register_pass
@dataclass(frozen=True)
class UseSnmNeurons(Pass):
    """Make every population one of `snm` neurons (Wang et al. 2022).

    Notes
    -----
    They take a spike back where the potential is a whole threshold below 0; those of
    'use-signed-neurons' do so as soon as it is below 0, which makes counts exact.
    """

    name: ClassVar[str] = "use-snm-neurons"

    def apply(self, graph: Graph, context: Context) -> Graph:
        def remembering(node: Node, spiking: Spiking) -> Spiking:
            expect_plain(node, spiking)
            context.note(node.name, "snm", "negative spikes at -theta take back what was fired")
            return replace(spiking, neuron="snm")

        return change_populations(graph, context, remembering)
