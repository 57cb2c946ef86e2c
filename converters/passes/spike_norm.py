"""spike-norm: thresholds from the spikes of the layers before, one layer after another."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import (
    expect_no_pool_before,
    follows_function,
    is_firing_readout,
    with_input_threshold,
)
from thresher.converters.simulator import Array, Layers
from thresher.converters.synapses import about_biases, settled
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import ChoiceRule, ruled
from thresher.ir.operation import pool_before
from thresher.ir.ops import Identity

BLOCK = 2**22
"""Values that a run of all layers before gives at once, over images and steps: 16 MB."""


@register_pass
@dataclass(frozen=True)
class SpikeNorm(Pass):
    """Set each layer's threshold to the most that a step brought it when the layers before ran.

    Spike-Norm (Sengupta et al. 2019): in rank order, the layers that have their thresholds run T
    steps on the calibration images, and threshold_l is the maximum over steps, neurons and images
    of the summed input, sum_i w_ij theta_i s_i(t). What meets in an add is summed on one membrane.

    Parameters
    ----------
    reset : str
        What a spike does to the potential: sets it to 0 (hard; Sengupta et al.), or takes the
        threshold off (soft; RMP, Han et al. 2020).

    Notes
    -----
    The image is a constant current. Biases, which the paper's networks lack, come at every step and
    are part of the sum. An activation's own ceiling is the threshold where it is less; a layer that
    no step brought anything positive takes 1. A spike that makes up for others brings more than the
    mean input, so thresholds are larger than activations and rates are low: take many steps, or
    'scale-thresholds'. A layer that no spike reaches in T steps is measured by its biases alone.
    Behind operators and max pools of spikes, the layers before run anew for every layer.
    """

    name: ClassVar[str] = "spike-norm"
    needs: ClassVar[frozenset[str]] = frozenset({"calibration", "steps", "simulator"})
    reset: str = ruled(ChoiceRule(("hard", "soft")), "hard")

    def apply(self, graph: Graph, context: Context) -> Graph:
        images, steps = context.images, context.time_steps
        layers = context.spikes.layers(images, steps, None)
        last = _last_readers(graph)
        for node in context.walk(graph):
            if not _fires(graph, node):
                continue
            if self.reset == "hard":
                expect_no_pool_before(graph, node, "of which hard reset would lose a part")
            most = max(float(part.max()) for part in _inflow(graph, node, context, layers))
            why = f"the most in one of {steps} steps on {len(images)} images"
            why += about_biases(graph, node.name)
            threshold, why = settled(node, most, why)
            context.note(node.name, "threshold", why)
            spiking = Spiking(threshold=threshold, reset=self.reset)
            graph = graph.replace(node.name, spiking=spiking)
            if node.name in last:
                layers.keep(graph, node.name)
            for done in [name for name, end in last.items() if end == node.name]:
                layers.drop(done)
        return with_input_threshold(graph, context)


def _inflow(graph: Graph, node: Node, context: Context, layers: Layers) -> Iterator[Array]:
    """Yield what every step brings a population, (..., steps, *shape), some images at a time."""
    summed, name = _summed(graph, node)
    if _sums_alone(graph, node):
        yield from layers.inflow(summed, name)
        return
    images, steps = context.images, context.time_steps
    at_once = max(1, BLOCK // (steps * prod(summed.shapes[name])))
    for start in range(0, len(images), at_once):
        yield context.spikes.values(summed, images[start : start + at_once], steps, name)


def _sums_alone(graph: Graph, node: Node) -> bool:
    """Tell whether all that fires before a node are neurons that add up, which can be kept."""
    return not any(follows_function(graph, before) for before in graph.upto(node.name))


def _last_readers(graph: Graph) -> dict[str, str]:
    """Map every population to the last one that is run on what it sent, if there is one."""
    last: dict[str, str] = {}
    for node in graph:
        if _fires(graph, node) and _sums_alone(graph, node):
            last |= dict.fromkeys(_sources(graph, node), node.name)
    return last


def _sources(graph: Graph, node: Node) -> set[str]:
    """Find the populations whose spikes reach a node."""
    found: set[str] = set()
    for before in (graph[name] for name in node.inputs if name in graph):
        found |= {before.name} if _fires(graph, before) else _sources(graph, before)
    return found


def _fires(graph: Graph, node: Node) -> bool:
    return node.op.can_spike or is_firing_readout(graph, node)


def _summed(graph: Graph, node: Node) -> tuple[Graph, str]:
    """Return the node that gives what reaches a population, and a graph in which it is linear."""
    pool = pool_before(graph, node)
    if pool is not None:
        (name,) = pool.inputs
        if name not in graph:
            raise PassError("its max pool reads the image; expected a layer before it")
        return graph, name
    if node.op.can_spike:
        summed = replace(node, op=Identity(), spiking=None)
        return graph.replace_all({node.name: summed}), node.name
    return graph, node.name
