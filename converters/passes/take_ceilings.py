"""take-ceilings: thresholds that were trained with the network."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import with_input_threshold
from thresher.converters.synapses import ceiling_of
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import ChoiceRule, ruled

TRAINED_BY = {"clipped_relu": "threshold_relu", "qcfs": "qcfs", "slip_relu": "slip_relu"}
"""What `thresher train --activation` calls the activations."""
NAMED = 3
"""How many nodes of the wrong kind are named."""


@register_pass
@dataclass(frozen=True)
class TakeCeilings(Pass):
    """Set the threshold of every activation to the ceiling that it was trained with.

    Parameters
    ----------
    op : str
        What every activation has to be: qcfs (Bu et al. 2022), slip_relu (Jiang et al. 2023), or
        clipped_relu (Ho and Chang 2021; Ding et al. 2021).

    Notes
    -----
    No images are needed. Where there are some, they give the threshold of the input, which spiking
    encoders ask for.
    """

    name: ClassVar[str] = "take-ceilings"
    op: str = ruled(ChoiceRule(tuple(TRAINED_BY)), "clipped_relu")

    def apply(self, graph: Graph, context: Context) -> Graph:
        taken: dict[str, Node] = {}
        for node in context.walk(graph):
            ceiling = ceiling_of(node)
            if node.op.kind == self.op and ceiling is not None:
                context.note(node.name, "threshold", "the ceiling that it was trained with")
                taken[node.name] = replace(node, spiking=Spiking(threshold=ceiling))
        others = [n for n in graph if n.op.can_spike and n.name not in taken]
        if others or not taken:
            found = ", ".join(f"'{node.name}' ({node.op.kind})" for node in others[:NAMED])
            found += f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
            raise PassError(
                f"the method is for networks trained with {self.op} activations, whose ceilings "
                f"become the thresholds, and not for {found or 'one without activations'}; train "
                f"with 'thresher train --activation {TRAINED_BY[self.op]}', or take a recipe that "
                "calibrates, such as 'default'"
            )
        graph = graph.replace_all(taken)
        return graph if context.calibration is None else with_input_threshold(graph, context)
