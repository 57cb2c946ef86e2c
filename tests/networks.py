"""Spiking networks written by hand, for tests that know what each neuron must do."""

from collections.abc import Sequence

import numpy as np

from thresher.ir import Graph, Input, Node, Op, Readout, Spiking, Tensor
from thresher.ir.ops import Conv2d, Linear, Relu

Link = tuple[str, Op] | tuple[str, Op, Spiking]


def tensor(name: str, values: object) -> Tensor:
    """Name an array of float32."""
    return Tensor(name, np.asarray(values, np.float32))


def linear(name: str, weight: object, bias: object = None) -> Linear:
    """A linear layer of weight (out, in)."""
    return Linear(
        tensor(f"{name}.weight", weight), None if bias is None else tensor(f"{name}.bias", bias)
    )


def conv(name: str, weight: object, **geometry: object) -> Conv2d:
    """A convolution of weight (out, in/groups, kh, kw)."""
    return Conv2d(tensor(f"{name}.weight", weight), **geometry)


def chain(
    shape: tuple[int, ...],
    *links: Link,
    readout: str = "membrane",
    t_start: int = 0,
    threshold: float | None = None,
    delays: dict[str, int] | None = None,
) -> Graph:
    """Build a graph whose nodes feed one another in order; a link with an annotation fires."""
    nodes, source = [], "image"
    for name, op, *spiking in links:
        annotation = spiking[0] if spiking else None
        delay = (delays or {}).get(name)
        nodes.append(Node(name, op, (source,), spiking=annotation, delay=delay))
        source = name
    inputs = (Input("image", shape, threshold=threshold),)
    return Graph("chain", inputs, tuple(nodes), (source,), readout=Readout(readout, t_start))


def fires(threshold: float = 1.0, **annotation: object) -> tuple[Relu, Spiking]:
    """A population of integrate-and-fire neurons: the end of a link."""
    return Relu(), Spiking(threshold=threshold, **annotation)


def neurons(
    currents: Sequence[float], weight: object, threshold: float = 1.0, **annotation: object
) -> Graph:
    """Neurons under constant currents, the image being nothing, and a readout of `weight`."""
    n = len(currents)
    return chain(
        (1,),
        ("in", linear("in", np.zeros((n, 1)), currents)),
        ("if", *fires(threshold, **annotation)),
        ("out", linear("out", weight)),
    )
