"""use-burst-neurons: neurons that fire several times at once, by one spike that says how often."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import (
    LARGEST_PAYLOAD,
    change_populations,
    divided,
    expect_payload,
    expect_plain,
)
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import IntRule, ruled
from thresher.ir.parameters import Parameters


@register_pass
@dataclass(frozen=True)
class UseBurstNeurons(Pass):
    """Make every population one of `burst` neurons (Li and Zeng 2022; Lv et al. 2024).

    Parameters
    ----------
    cap : int
        How often a threshold may be fired at once.
    members : int
        Neurons that share one membrane: the threshold becomes theta / m, and a spike may carry
        m times the cap. With cap 1 that is the Group Neuron of m members.

    Notes
    -----
    Thresholds have to be set before, initial potentials after. A cap above 1 lets a neuron pass
    the ceiling of a clipped_relu or qcfs, and catch up on what came late.
    """

    name: ClassVar[str] = "use-burst-neurons"
    cap: int = ruled(IntRule(1, LARGEST_PAYLOAD), 5)
    members: int = ruled(IntRule(1, LARGEST_PAYLOAD), 1)

    def apply(self, graph: Graph, context: Context) -> Graph:
        payload = self.cap * self.members
        expect_payload(payload)

        def burst(node: Node, spiking: Spiking) -> Spiking:
            expect_plain(node, spiking)
            context.note(node.name, "burst", f"a spike carries up to {payload} thresholds")
            if self.members > 1:
                spiking = divided(graph, node, spiking, self.members)
            return replace(spiking, neuron="burst", parameters=Parameters({"cap": float(payload)}))

        return change_populations(graph, context, burst)
