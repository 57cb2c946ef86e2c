"""use-imbalanced-neurons: neurons with a larger negative threshold, for leaky ReLUs."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.ops import LeakyRelu
from thresher.ir.parameters import Parameters
from thresher.ir.spiking import IMBALANCED


@register_pass
@dataclass(frozen=True)
class UseImbalancedNeurons(Pass):
    """Make the population of every leaky ReLU one of `imbalanced` neurons (Kim et al. 2020).

    Notes
    -----
    Thresholds have to be set before; other activations keep their neurons. The pass
    'replace-unsupported' leaves leaky ReLUs in place where its leaky_relu is 'keep'. A potential
    that starts from half the threshold rounds values above 0, and lowers those below.
    """

    name: ClassVar[str] = "use-imbalanced-neurons"

    def apply(self, graph: Graph, context: Context) -> Graph:
        def imbalanced(node: Node, spiking: Spiking) -> Spiking:
            if not isinstance(node.op, LeakyRelu):
                return spiking
            if spiking.reset == "hard":
                raise PassError("hard reset loses charge; take 'hard-reset' out")
            slope = node.op.slope
            context.note(node.name, "imbalanced", f"fires negative spikes at -theta/{slope:g}")
            return replace(spiking, neuron=IMBALANCED, parameters=Parameters({"slope": slope}))

        return change_populations(graph, context, imbalanced)
