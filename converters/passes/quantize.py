"""quantize: say in which units each population counts in int precision."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.converters.names import tensor_name
from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking, Tensor
from thresher.ir.fields import ChoiceRule, IntRule, ruled
from thresher.ir.inflow import Inflow, deciding_node, inflow_of
from thresher.ir.linear_map import LinearMap
from thresher.ir.operation import operation_of
from thresher.ir.spiking import DIFFERENTIAL, Value, spread
from thresher.ir.weighted_map import ConvMap, DenseMap

Floats = NDArray[np.float64]

NEGLIGIBLE = 1e-6
"""Weights that are at most this part of the threshold are as good as none."""


@register_pass
@dataclass(frozen=True)
class Quantize(Pass):
    """Give every population, and the readout, the scale of precision `int`.

    `scale` units stand for 1, such that the largest |post-synaptic potential| that reaches the
    population is 2^(bits - 1) - 1 units: weights are signed whole numbers of so many bits. They are
    rounded when the network is compiled for `int`, to the nearest even, as thresholds, currents
    and initial potentials are, which have as many bits as they need. The graph keeps its weights.

    Parameters
    ----------
    bits : int
        Bits of a weight, with its sign.
    granularity : str
        One scale for a layer, or one for each channel (a linear layer's outputs are channels). The
        readout has one in any case, since its classes are compared.

    Notes
    -----
    Thresholds have to be set before. The analog input counts as if every pixel were as large as
    the input's threshold, or 1 where there is none. Where nothing weighted arrives, the threshold
    takes the place of the largest weight. A population with a v_reset other than 0 has one scale.
    """

    name: ClassVar[str] = "quantize"
    bits: int = ruled(IntRule(2, 16), 8)
    granularity: str = ruled(ChoiceRule(("layer", "channel")), "layer")

    def apply(self, graph: Graph, context: Context) -> Graph:
        target = deciding_node(graph)
        for node in context.walk(graph):
            if node.op.can_spike and node.spiking is None and node.name != target:
                raise PassError("it has no threshold yet; put 'balance-thresholds' before it")
            if operation_of(graph, node) is not None:
                raise PassError(
                    "its neurons follow a function of their mean input, which has fractions; "
                    "precision 'int' has none: take 'quantize' out"
                )
            if node.spiking is not None and node.spiking.neuron == DIFFERENTIAL:
                raise PassError(
                    "a spike of its neurons goes on bringing a part of what it carries, which "
                    "precision 'int' does not have: take 'quantize' out"
                )
        inflow = inflow_of(graph, input_threshold=graph.inputs[0].threshold or 1.0)

        def scaled(node: Node, spiking: Spiking) -> Spiking:
            theta = spread(spiking.threshold, graph.shapes[node.name])
            theta = theta.reshape(len(theta), -1).max(axis=1)
            largest = _largest(inflow[node.name], len(theta))
            by_channel = self.granularity == "channel" and not spiking.v_reset
            if not by_channel:
                theta, largest = theta.max(keepdims=True), largest.max(keepdims=True)
            whose = "channel" if by_channel else "layer"
            context.note(node.name, "scale", f"weights of {self.bits} bits per {whose}")
            largest = np.where(largest > NEGLIGIBLE * theta, largest, theta)
            return replace(spiking, scale=self._scale(graph, node.name, largest))

        graph = change_populations(graph, context, scaled)
        largest = _largest(inflow[target], graph.shapes[target][0]).max()
        context.note(target, "readout's scale", f"weights of {self.bits} bits")
        return replace(graph, readout=replace(graph.readout, scale=self._most / (largest or 1.0)))

    @property
    def _most(self) -> int:
        return int(2 ** (self.bits - 1) - 1)

    def _scale(self, graph: Graph, name: str, largest: Floats) -> Value:
        scale = self._most / largest
        if np.ptp(scale) == 0:
            return float(scale[0])
        return Tensor(tensor_name(graph, name, "scale"), scale)


def _largest(flow: Inflow, channels: int) -> Floats:
    """Return the largest |weight| that reaches each channel (channels,), 0 where none does."""
    found = [_largest_of(linear).reshape(channels, -1).max(axis=1) for linear in flow.maps.values()]
    largest: Floats = np.max([np.zeros(channels), *found], axis=0)
    return largest


def _largest_of(linear: LinearMap) -> Floats:
    """Return the largest |weight| of each target, or of each channel where they share them."""
    shared = linear.with_unit_factor() if isinstance(linear, (ConvMap, DenseMap)) else None
    if shared is not None:
        largest: Floats = np.abs(shared.weight).reshape(len(shared.weight), -1).max(axis=1)
        return largest
    sparse = linear.to_sparse()
    largest = np.zeros(sparse.out_shape).ravel()
    np.maximum.at(largest, sparse.indices, np.abs(sparse.values))
    return largest
