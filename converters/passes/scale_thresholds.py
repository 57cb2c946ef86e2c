"""scale-thresholds: thresholds below those that were measured, so that neurons fire more often."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.names import tensor_name
from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations, scaled
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import ChoiceRule, FloatRule, ruled


@register_pass
@dataclass(frozen=True)
class ScaleThresholds(Pass):
    """Multiply every threshold by a factor that is chosen by hand (Han et al. 2020, RMP-SNN).

    Parameters
    ----------
    factor : float
        Above 0, at most 1.
    of : str
        activations: each threshold times the factor. spikes: thresholds as the paper counts them,
        whose spikes bring 1 and not theta, so that each is relative to the layer before: the factor
        holds for all layers so far, and one at depth d takes factor ** d (1 for the first; paths
        that meet count by the longest).

    Notes
    -----
    Initial potentials and shifts are set after it.
    """

    name: ClassVar[str] = "scale-thresholds"
    factor: float = ruled(FloatRule(0.0, exclusive=True, maximum=1.0), 0.9)
    of: str = ruled(ChoiceRule(("activations", "spikes")), "activations")

    def apply(self, graph: Graph, context: Context) -> Graph:
        depths = _depths(graph)

        def scale(node: Node, spiking: Spiking) -> Spiking:
            if spiking.v_init != 0 or spiking.shift != 0:
                raise PassError(
                    "it starts from a part of its threshold already; put this pass before "
                    "'init-potential' and 'shift'"
                )
            factor = self.factor ** (depths[node.name] if self.of == "spikes" else 1)
            context.note(node.name, "threshold", f"times {factor:.4g}, by hand")
            name = tensor_name(graph, node.name, "threshold")
            return replace(spiking, threshold=scaled(spiking.threshold, factor, name))

        return change_populations(graph, context, scale)


def _depths(graph: Graph) -> dict[str, int]:
    """Count, up to each node and with it, the populations of the longest path from the input."""
    depths = {item.name: 0 for item in graph.inputs}
    for node in graph:
        before = max(depths[name] for name in node.inputs)
        depths[node.name] = before + (node.spiking is not None)
    return depths
