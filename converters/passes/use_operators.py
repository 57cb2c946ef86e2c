"""use-operators: neurons for functions that no integrate-and-fire neuron has."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.calibrate import maxima
from thresher.converters.names import tensor_name
from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import (
    LARGEST_PAYLOAD,
    follows_function,
    scaled,
    settled_threshold,
)
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import ChoiceRule, FloatRule, IntRule, ruled
from thresher.ir.inflow import deciding_node
from thresher.ir.parameters import Parameters
from thresher.ir.spiking import EXPECTATION


@register_pass
@dataclass(frozen=True)
class UseOperators(Pass):
    """Let operators stand for sigmoid, SiLU, GELU, softmax, norms, products and max pools.

    Their neurons, `expectation`, follow the function of the mean input so far (expectation
    compensation, Huang et al. 2024), once a step, by spikes of both signs that carry a number.

    Parameters
    ----------
    cap : int
        The largest payload of a spike.
    headroom : float
        What cap thresholds are in units of the largest magnitude of the function's values over the
        calibration images: the more, the faster neurons make up for what the first steps got
        wrong, and the coarser the steps in which they say a value.
    granularity : str
        One threshold for a layer, or one for each channel, the first axis.

    Notes
    -----
    Potentials start at half a threshold, so that values are rounded to nearest. Passes that choose
    neurons or set potentials leave operators alone. At the output there is no room for one unless
    the readout fires: the function is not what a membrane adds up.
    """

    name: ClassVar[str] = "use-operators"
    needs: ClassVar[frozenset[str]] = frozenset({"calibration"})
    cap: int = ruled(IntRule(1, LARGEST_PAYLOAD), 15)
    headroom: float = ruled(FloatRule(0.0, exclusive=True), 1.0)
    granularity: str = ruled(ChoiceRule(("layer", "channel")), "layer")

    def apply(self, graph: Graph, context: Context) -> Graph:
        operators = [node for node in context.walk(graph) if _has_no_neuron(graph, node)]
        highest = maxima(graph, {node.name for node in operators}, context.images)
        changed: dict[str, Node] = {}
        for node in operators:
            top = highest[node.name]
            if self.granularity == "layer":
                top = top.max(keepdims=True)
            name = tensor_name(graph, node.name, "threshold")
            threshold = settled_threshold(name, top * (self.headroom / self.cap))
            start = scaled(threshold, 0.5, tensor_name(graph, node.name, "v_init"))
            parameters = Parameters({"cap": float(self.cap), "signed": 1.0})
            spiking = Spiking(threshold, EXPECTATION, start, parameters=parameters)
            changed[node.name] = replace(node, spiking=spiking)
            context.note(node.name, "operator", self._why(len(context.images)))
        return graph.replace_all(changed)

    def _why(self, images: int) -> str:
        return (
            f"{self.cap} thresholds are {self.headroom:g} x the largest magnitude per "
            f"{self.granularity} over {images} images"
        )


def _has_no_neuron(graph: Graph, node: Node) -> bool:
    """Tell whether an operator is to stand for a node; refuse one at the output."""
    if not follows_function(graph, node):
        return False
    if node.name in graph.outputs and deciding_node(graph) != node.name:
        return False
    if node.name in graph.outputs and graph.readout.kind == "membrane":
        raise PassError(
            f"is a {node.op.kind} and decides, and no membrane adds up its function; "
            "expected a linear layer at the output, or a readout of spikes"
        )
    return True
