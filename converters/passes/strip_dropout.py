"""strip-dropout: take out the nodes that do nothing at inference."""

from dataclasses import dataclass
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.ir import Graph
from thresher.ir.ops import Dropout, Identity


@register_pass
@dataclass(frozen=True)
class StripDropout(Pass):
    """Remove dropout and identity nodes.

    One that carries a delay stays, since it is a synapse of its own; so does an output that reads
    an input.
    """

    name: ClassVar[str] = "strip-dropout"

    def apply(self, graph: Graph, context: Context) -> Graph:
        inputs = {item.name for item in graph.inputs}
        for node in context.walk(graph):
            bare = isinstance(node.op, (Dropout, Identity)) and node.delay is None
            source = graph[node.name].inputs[0] if bare else ""
            if not bare or (node.name in graph.outputs and source in inputs):
                continue
            graph = graph.without(node.name)
            context.note(node.name, "removed", f"{node.op.kind} does nothing at inference")
        return graph
