"""bound-thresholds: thresholds that nothing can pass, from the weights."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.converters.calibrate import input_range
from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import is_firing_readout, with_input_threshold
from thresher.converters.synapses import about_biases, settled
from thresher.errors import PassError
from thresher.ir import Graph, Node, Op, Spiking, Tensor
from thresher.ir.operation import is_before_neurons

Floats = NDArray[np.float64]
Range = tuple[Floats, Floats]


@register_pass
@dataclass(frozen=True)
class BoundThresholds(Pass):
    """Set each layer's threshold to the most that one step can bring it, whatever the image.

    The model-based normalisation of Diehl et al. 2015: threshold_l = max_j sum_i max(w_ij, 0)
    theta_i over the sources i, where a spike of theta_i is all that one brings in a step. They
    divide W_l by s_l = max_j sum_i max(w_ij, 0) and keep thresholds of 1; here the products of
    their scales are the thresholds, theta_l = s_l theta_{l-1}.

    Notes
    -----
    The input's values lie between the least and the largest of the calibration images, or 0; where
    these are 0 and 1 the first scale is the paper's. Biases, which its networks lack, come as a
    current at every step and are part of the sum. An activation's own ceiling bounds it too. A
    layer that nothing can reach takes 1. Deep networks get large thresholds and need many steps.
    """

    name: ClassVar[str] = "bound-thresholds"
    needs: ClassVar[frozenset[str]] = frozenset({"calibration"})

    def apply(self, graph: Graph, context: Context) -> Graph:
        least, largest = input_range(graph, context.images)
        ranges: dict[str, Range] = {
            item.name: (
                np.full((1, *item.shape), min(least, 0.0)),
                np.full((1, *item.shape), max(largest, 0.0)),
            )
            for item in graph.inputs
        }
        bounded: dict[str, Node] = {}
        for node in context.walk(graph):
            fires = is_firing_readout(graph, node)
            sources = [ranges[name] for name in node.inputs if name in ranges]
            if len(sources) < len(node.inputs):
                if node.op.can_spike:
                    raise PassError("what comes before it is not linear; nothing bounds it")
                continue
            if is_before_neurons(graph, node):
                low, high = sources[0]
                ranges[node.name] = (node.op.evaluate(low), node.op.evaluate(high))
            if node.op.is_linear():
                ranges[node.name] = _through(node.op, sources)
            if not (node.op.can_spike or fires):
                continue
            (reached,) = [ranges[node.name]] if node.op.is_linear() else sources
            most = float(reached[1].max())
            why = "the most that one step can bring" + about_biases(graph, node.name)
            threshold, why = settled(node, most, why)
            ranges[node.name] = (np.zeros_like(reached[0]), np.full_like(reached[1], threshold))
            context.note(node.name, "threshold", why)
            bounded[node.name] = replace(node, spiking=Spiking(threshold=threshold))
        return with_input_threshold(graph.replace_all(bounded), context)


def _through(op: Op, sources: list[Range]) -> Range:
    """Lead ranges through a linear op: to W centre + b, and to |W| radius either side of it."""
    centres = [(high + low) / 2 for low, high in sources]
    radii = [(high - low) / 2 for low, high in sources]
    magnitudes = _with_magnitudes(op)
    none = [np.zeros_like(radius) for radius in radii]
    centre = op.evaluate(*centres)
    radius = magnitudes.evaluate(*radii) - magnitudes.evaluate(*none)
    return centre - radius, centre + radius


def _with_magnitudes(op: Op) -> Any:
    """Return the op with the absolute value of every weight."""
    weight = op.tensors.get("weight")
    if weight is None:
        return op
    magnitudes: dict[str, Any] = {"weight": Tensor(weight.name, np.abs(weight.values))}
    return replace(op, **magnitudes)
