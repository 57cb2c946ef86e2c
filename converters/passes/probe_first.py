"""probe-first: run some steps first, to see which neurons would be off by a spike."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations, expect_plain_neuron
from thresher.errors import PassError
from thresher.ir import Graph, Node, Probe, Spiking
from thresher.ir.fields import ChoiceRule, IntRule, ruled
from thresher.ir.operation import operation_of


@register_pass
@dataclass(frozen=True)
class ProbeFirst(Pass):
    """Let every simulation probe each sample before the steps that count (Hao et al. 2023).

    Parameters
    ----------
    method : str
        srp: neurons that the probe leaves without charge stay silent (AAAI 2023). cos: neurons that
        the probe shows to fire once too often or too seldom start lower or higher, population by
        population, each with a probe of its own (ICLR 2023).
    steps : int
        Steps of a probe. They count in spikes, synaptic operations and latency.

    Notes
    -----
    Lockstep with constant input and neurons `if` with soft reset only. Both are made for networks
    trained with QCFS.
    """

    name: ClassVar[str] = "probe-first"
    method: str = ruled(ChoiceRule(("srp", "cos")), "srp")
    steps: int = ruled(IntRule(1), 4)

    def apply(self, graph: Graph, context: Context) -> Graph:
        for node in context.walk(graph):
            if node.op.to_windows(*graph.in_shapes(node.name)) is not None:
                raise PassError(
                    "is a max pool, and probes are of neurons 'if' alone; set "
                    "replace-unsupported.max_pool to 'average'"
                )
            if operation_of(graph, node) is not None:
                raise PassError(
                    "is an operator, and probes are of neurons 'if' alone; take 'probe-first' out "
                    "of the recipe"
                )

        def noted(node: Node, spiking: Spiking) -> Spiking:
            expect_plain_neuron(spiking)
            context.note(node.name, "probed", f"{self.method}, {self.steps} steps")
            return spiking

        probe = Probe(self.method, self.steps)
        return replace(change_populations(graph, context, noted), probe=probe)
