"""calibrate-layers: correct each layer, in order, for the errors of the spiking ones before it."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.converters.layer_values import LayerValues
from thresher.converters.names import tensor_name
from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import expect_plain_neuron
from thresher.converters.ridge import refit
from thresher.converters.simulator import Layers
from thresher.converters.start_fits import FITS
from thresher.converters.synapses import own_synapses
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking, Tensor
from thresher.ir.fields import ChoiceRule, FloatRule, IntRule, OptionalRule, ruled
from thresher.ir.operation import is_before_neurons
from thresher.ir.ops import Add, Conv2d, Identity, Linear, MaxPool2d
from thresher.ir.spiking import EXPECTATION, spread

Array = NDArray[Any]


@register_pass
@dataclass(frozen=True)
class CalibrateLayers(Pass):
    """Correct layer after layer for what the converted layers before it send.

    In order, every layer is corrected while the network converted so far runs for T steps: first
    its weights, then its neurons. With the ANN's activation a, and theta n(t) for what a neuron
    has sent by step t:

    Parameters
    ----------
    start : str
        bias: shift += mean(a - theta n(T) / T) for each channel (Li et al. 2021, light).
        potential: v_init += mean(T a - theta n(T)) for each neuron (Li et al. 2021, advanced).
        line: v_init and shift += intercept and slope of the line through mean(a t - theta n(t)),
        t = 1..T, for each channel. keep: neither.
    rounds : int
        How often that is done, each time on the neurons as the time before left them.
    weights : str
        ridge: synapses get weights and biases of their own by ridge regression, so that the layer's
        mean current comes as near to the ANN's as the spikes that reach it let it. keep: they have
        the ANN's.
    penalty : float
        Of the ridge regression, in units of the inputs' mean square; the larger, the less the
        weights change.
    images : int
        How many calibration images the weights see, the first ones.
    fitted : int
        How many of these the neurons are fitted on.
    ticks_per_step : int, optional
        Calibrate for the asynchronous schedule with so many ticks a step; for lockstep where
        nothing is said.

    Notes
    -----
    Neither labels nor gradients are needed. What is corrected holds for T steps and the constant
    encoder. A current of which the ANN and the network agree that it is half a threshold below 0,
    or above the threshold, counts as right.
    """

    name: ClassVar[str] = "calibrate-layers"
    needs: ClassVar[frozenset[str]] = frozenset({"calibration", "steps", "simulator"})
    start: str = ruled(ChoiceRule((*FITS, "keep")), "line")
    rounds: int = ruled(IntRule(1), 2)
    weights: str = ruled(ChoiceRule(("ridge", "keep")), "ridge")
    penalty: float = ruled(FloatRule(0.0, exclusive=True), 0.003)
    images: int = ruled(IntRule(2), 256)
    fitted: int = ruled(IntRule(1), 64)
    ticks_per_step: int | None = ruled(OptionalRule(IntRule(1)), None)

    def apply(self, graph: Graph, context: Context) -> Graph:
        values = LayerValues(graph, context.images[: self.images])
        layers = context.spikes.layers(values.images, context.time_steps, self.ticks_per_step)
        for node in context.walk(graph):
            _expect_single_spikes(graph, node)
            values.step(node.name)
            if not node.op.can_spike:
                continue
            spiking = _expect_plain(node)
            if self.weights == "ridge":
                self._refit(values, node, spiking, context)
            if self.start != "keep":
                spiking = self._fit(values, layers, node, spiking, context)
            sent = layers.keep(values.graph, node.name)
            theta = spread(spiking.threshold, graph.shapes[node.name])
            for done in values.send(node.name, theta * sent.counts / context.time_steps):
                layers.drop(done)
        return values.graph

    def _refit(self, values: LayerValues, node: Node, spiking: Spiking, context: Context) -> None:
        """Refit, one after the other, the layers whose sum reaches a population."""
        (source,) = node.inputs
        theta = spread(spiking.threshold, values.graph.shapes[node.name])
        for name in _summands(values.graph, source):
            op = values.graph[name].synaptic_op
            assert isinstance(op, Conv2d | Linear)
            residual = _that_counts(values.exact[source], values.spiking[source], theta)
            if residual.any():
                (before,) = values.graph[name].inputs
                found = refit(op, values.spiking[before], residual, self.penalty)
                own = own_synapses(values.graph, name, *found)
                values.replace(name, upto=source, synapses=own)
                context.note(name, "weights", "refitted to the spikes that reach it")

    def _fit(
        self, values: LayerValues, layers: Layers, node: Node, spiking: Spiking, context: Context
    ) -> Spiking:
        """Fit where a population starts and what is added to its current."""
        shape = values.graph.shapes[node.name]
        theta, v_init, shift = (
            spread(value, shape) for value in (spiking.threshold, spiking.v_init, spiking.shift)
        )
        wanted = values.exact[node.name][: self.fitted]
        for _ in range(self.rounds):
            sent = layers.sent(values.graph, node.name, self.fitted)
            more_start, more_shift = FITS[self.start](wanted, theta, sent)
            v_init, shift = v_init + more_start, shift + more_shift
            spiking = replace(
                spiking,
                v_init=_stored(v_init, tensor_name(values.graph, node.name, "v_init")),
                shift=_stored(shift, tensor_name(values.graph, node.name, "shift")),
            )
            values.replace(node.name, spiking=spiking)
        when = "lockstep" if self.ticks_per_step is None else f"async, R = {self.ticks_per_step}"
        why = f"calibrated ({self.start}) for T = {context.steps}, {when}"
        for field in ("v_init", "shift"):
            if getattr(spiking, field) != 0:
                context.note(node.name, field, why)
        return spiking


def _expect_single_spikes(graph: Graph, node: Node) -> None:
    """Raise PassError for what is no population of neurons that send one spike each."""
    if isinstance(node.op, MaxPool2d) and not is_before_neurons(graph, node):
        raise PassError(
            "is a max pool of spikes; set replace-unsupported.max_pool to 'before' or 'average'"
        )
    if node.spiking is not None and node.spiking.neuron == EXPECTATION:
        raise PassError(
            "is an operator, whose spikes carry numbers, and layers are calibrated on single "
            "spikes; take the recipe 'huang2024-ecmt'"
        )


def _expect_plain(node: Node) -> Spiking:
    if node.spiking is None:
        raise PassError("has no threshold yet; put 'balance-thresholds' before it")
    expect_plain_neuron(node.spiking)
    return node.spiking


def _summands(graph: Graph, source: str) -> list[str]:
    """List the weighted layers whose sum a node is, as far as each serves nothing else."""
    if source == graph.inputs[0].name or len(graph.consumers(source)) > 1:
        return []
    node = graph[source]
    if isinstance(node.op, Conv2d | Linear):
        return [source]
    if isinstance(node.op, Add | Identity):
        return [name for before in node.inputs for name in _summands(graph, before)]
    return []


def _that_counts(exact: Array, spiking: Array, theta: Array) -> Array:
    """Return the ANN's currents less the network's, 0 where both have the neuron say the same."""
    residual = exact - spiking
    residual[(exact < -theta / 2) & (spiking < -theta / 2)] = 0
    residual[(exact > 1.5 * theta) & (spiking > 1.5 * theta)] = 0
    return residual


def _stored(value: Array, name: str) -> Tensor | float:
    """Return a tensor of the channels where their neurons agree, and of all neurons elsewhere."""
    by_channel = value.reshape(len(value), -1)
    if not value.any():
        return 0.0
    same = (by_channel == by_channel[:, :1]).all()
    return Tensor(name, (by_channel[:, 0] if same else value).astype(np.float32))
