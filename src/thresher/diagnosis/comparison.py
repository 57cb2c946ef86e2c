"""One block of images through the ANN, the quantised ANN and the SNN, node by node."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thresher.diagnosis.decompose import Parts, line_of, of_carrier, of_population
from thresher.diagnosis.spikes import BlockSpikes
from thresher.diagnosis.subject import Layer
from thresher.diagnosis.walk import Array, driven, evaluated, nodes_between, transmitted, walk
from thresher.ir import Graph, Node
from thresher.ir.inflow import deciding_node
from thresher.ir.threads import map_in_threads

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LayerValues:
    """A layer's values on a block, (N, *shape) each: activations, net counts, and their parts."""

    activation: Floats
    value: Floats
    counts: Floats
    parts: Parts
    stairs: "StairValues | None"
    """None where the layer has no staircase."""


@dataclass(frozen=True, eq=False)
class StairValues:
    """What a layer's staircase makes of mean inputs, and what it would without its steps."""

    line: Floats
    """Of the ANN's mean inputs, without the ceiling and the levels of its function."""
    quantised: Floats
    """Of the ANN's mean inputs."""
    even: Floats
    """Of the SNN's mean inputs."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """What decides, and the decisions: logits (N, classes), decisions (N,)."""

    logits: Floats
    decisions: Ints


class BlockComparison:
    """Compare the ANN with the SNN's spikes on preprocessed images x (N, *shape), in float64.

    Parameters
    ----------
    readout_after : int
        The step after which the readout's membrane counts.
    """

    def __init__(
        self,
        graph: Graph,
        layers: Sequence[Layer],
        x: Floats,
        spikes: BlockSpikes,
        steps: int,
        readout_after: int,
    ) -> None:
        self._graph, self._spikes, self._steps = graph, spikes, steps
        self._layers = {layer.name: layer for layer in layers}
        self._image: dict[str, Array] = {graph.inputs[0].name: x}
        self._counts = {layer.name: spikes.net(layer.name) for layer in layers if layer.fires}
        self._decider = deciding_node(graph)
        self._after = readout_after

    def ann(self) -> Outputs:
        """Return what the ANN says."""
        return self._ann_from(self._image)

    def quantised(self) -> Outputs:
        """Return what the staircases say, each fed by those before it: the quantised ANN."""
        nodes = nodes_between(self._graph, self._image, self._decider)
        *_, (_, _, logits) = walk(nodes, self._image, self._on_staircase)
        return Outputs(logits, _argmax(logits))

    def layers(self) -> Iterator[tuple[Layer, LayerValues]]:
        """Yield every layer and its values, in the order of the graph."""
        nodes = list(self._graph)
        walks = (walk(nodes, self._image, rule) for rule in (evaluated, self._spiking))
        for (node, into, activation), (_, snn_into, value) in zip(*walks, strict=True):
            if node.name not in self._layers:
                continue
            layer = self._layers[node.name]
            received = driven(node, into)
            snn_received = driven(node, snn_into, transmitted)
            counts = self._counts.get(node.name, np.zeros_like(value))
            stairs = None
            if layer.staircase is None:
                activation = received
                parts = of_carrier(activation, snn_received, value)
            else:
                quantised, even = layer.staircase(received), layer.staircase(snn_received)
                parts = of_population(node.op, layer.staircase, received, quantised, even, value)
                stairs = StairValues(line_of(node.op, received), quantised, even)
            yield layer, LayerValues(activation, value, counts, parts, stairs)

    def outputs(self, values: Mapping[str, Floats]) -> Iterator[tuple[Layer, Outputs]]:
        """Yield, layer by layer, what the ANN makes of the SNN's values up to there.

        `values` are those that `layers` yielded.
        """
        names = list(self._layers)

        def after(n: int) -> Outputs:
            return self._ann_from(self._image | {name: values[name] for name in names[:n]})

        found = map_in_threads(after, range(1, len(names) + 1))
        yield from zip(self._layers.values(), found, strict=True)

    def _ann_from(self, given: Mapping[str, Array]) -> Outputs:
        """Evaluate what is left of the ANN, from the values of some of its nodes."""
        output = self._graph.outputs[0]
        logits = value = given.get(self._decider, np.zeros(0))
        for node, into, value in walk(nodes_between(self._graph, given, output), given, evaluated):
            if node.name == self._decider:
                logits = value if self._layers[node.name].fires else driven(node, into)
        return Outputs(logits, _argmax(value))

    def _spiking(self, node: Node, into: Sequence[Array]) -> Array:
        layer = self._layers.get(node.name)
        if layer is None:
            return transmitted(node, into)
        if layer.fires:
            return layer.unit * self._counts[node.name] / self._steps
        return self._readout(node, layer, into)

    def _on_staircase(self, node: Node, into: Sequence[Array]) -> Array:
        layer = self._layers.get(node.name)
        if layer is None:
            return transmitted(node, into)
        received = driven(node, into, transmitted)
        return received if layer.staircase is None else layer.staircase(received)

    def _readout(self, node: Node, layer: Layer, into: Sequence[Array]) -> Array:
        """Return the membrane's logits: what arrived in its window, a step."""
        if not self._after and not any(layer.delays.values()):
            return driven(node, into, transmitted)
        steps, given = self._steps - self._after, dict(self._image)
        for name, delay in layer.delays.items():
            counts = self._spikes.arrived(name, delay, self._after)
            given[name] = self._layers[name].unit * counts / steps
        nodes = nodes_between(self._graph, given, node.name)
        *_, (_, arrived, _) = walk(nodes, given, transmitted)
        return driven(node, arrived, transmitted)


def _argmax(values: Array) -> Ints:
    classes: Ints = values.reshape(len(values), -1).argmax(axis=1)
    return classes
