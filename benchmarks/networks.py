"""Networks of a wanted size and activity, with random weights, for the scaling benchmark."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thresher.ir import Graph, Input, Node, Spiking, Tensor, evaluate
from thresher.ir.ops import Conv2d, Flatten, Linear, Relu

SIDE = 16
CLASSES = 10


def random_images(n: int, seed: int = 0) -> NDArray[np.float32]:
    """Draw n images (n, 3, 16, 16), uniform in [0, 1)."""
    return np.random.default_rng(seed).random((n, 3, SIDE, SIDE), np.float32)


def random_network(width: int, depth: int, rate: float, seed: int = 0) -> Graph:
    """Draw a chain of `depth` 3x3 convolutions of `width` channels, and a linear readout.

    A population's threshold is its mean activation on random images, divided by `rate`: where no
    neuron is at its ceiling, it fires so many spikes a neuron and step.
    """
    rng = np.random.default_rng(seed)
    nodes: list[Node] = []
    source, channels = "image", 3
    for layer in range(1, depth + 1):
        weight = rng.normal(0, np.sqrt(2 / (9 * channels)), (width, channels, 3, 3))
        conv = Conv2d(_tensor(f"conv{layer}.weight", weight), padding=((1, 1), (1, 1)))
        nodes += [
            Node(f"conv{layer}", conv, (source,)),
            Node(f"relu{layer}", Relu(), (f"conv{layer}",)),
        ]
        source, channels = f"relu{layer}", width
    fan_in = width * SIDE * SIDE
    weight = rng.normal(0, 1 / np.sqrt(fan_in), (CLASSES, fan_in))
    nodes += [
        Node("flatten", Flatten(), (source,)),
        Node("out", Linear(_tensor("out.weight", weight)), ("flatten",)),
    ]
    inputs = (Input("image", (3, SIDE, SIDE)),)
    return _fire(Graph(f"random{width}x{depth}", inputs, tuple(nodes), ("out",)), rate)


def _fire(graph: Graph, rate: float) -> Graph:
    """Let the ReLUs be populations of integrate-and-fire neurons at about this rate."""
    means: dict[str, float] = {}
    evaluate(graph, random_images(16, seed=1), hook=lambda name, y: means.update({name: y.mean()}))
    nodes = [
        replace(node, spiking=Spiking(threshold=float(means[node.name]) / rate))
        if isinstance(node.op, Relu)
        else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=tuple(nodes))


def _tensor(name: str, values: NDArray[np.floating]) -> Tensor:
    return Tensor(name, values.astype(np.float32))
