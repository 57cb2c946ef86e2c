"""use-differential-neurons: neurons whose spikes say how the value that they say changes."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations, divided, expect_plain
from thresher.converters.synapses import ceiling_of
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking, Tensor
from thresher.ir.fields import IntRule, ruled
from thresher.ir.parameters import Parameters
from thresher.ir.spiking import DIFFERENTIAL


@register_pass
@dataclass(frozen=True)
class UseDifferentialNeurons(Pass):
    """Make every population one of `differential` neurons (Huang et al. 2025).

    Parameters
    ----------
    thresholds : int
        How many thresholds there are: theta, theta / 2, ... The smallest becomes the annotation's.

    Notes
    -----
    Thresholds have to be set before. The neuron rounds to the nearest, so that potentials start
    at 0; neither 'init-potential' nor 'shift' belongs into the recipe. The `max` of a clipped_relu
    or qcfs becomes the ceiling of what is said, which is one number a layer, as its threshold has
    to be. What neurons say is no count: readout 'spikes' and max pools cannot read it, unless they
    are operators ('use-operators'), which follow what is said.
    """

    name: ClassVar[str] = "use-differential-neurons"
    thresholds: int = ruled(IntRule(1, 7), 4)

    def apply(self, graph: Graph, context: Context) -> Graph:
        parts = 2 ** (self.thresholds - 1)
        if graph.readout.kind == "spikes":
            raise PassError(
                "readout 'spikes' counts what says how a value changes; take 'membrane'"
            )

        for node in context.walk(graph):
            pools = node.op.to_windows(*graph.in_shapes(node.name)) is not None
            if pools and node.spiking is None:
                raise PassError(
                    "is a max pool, which follows counts; set replace-unsupported.max_pool to "
                    "'average'"
                )

        def differing(node: Node, spiking: Spiking) -> Spiking:
            expect_plain(node, spiking)
            context.note(
                node.name,
                "differential",
                f"changes are said by thresholds from theta down to theta/{parts}",
            )
            smaller = divided(graph, node, spiking, parts)
            parameters = {"thresholds": float(self.thresholds), "ceiling": _ceiling(node, smaller)}
            return replace(smaller, neuron=DIFFERENTIAL, parameters=Parameters(parameters))

        return change_populations(graph, context, differing)


def _ceiling(node: Node, spiking: Spiking) -> float:
    """Return an activation's ceiling in thresholds; 0 where it has none."""
    ceiling = ceiling_of(node)
    if ceiling is None:
        return 0.0
    if isinstance(spiking.threshold, Tensor):
        raise PassError(
            f"its ceiling is {ceiling:g}, and its thresholds differ; expected one for the layer "
            "(--set balance-thresholds.own_ceiling=use)"
        )
    return ceiling / spiking.threshold
