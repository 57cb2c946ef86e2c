"""Graphs written by hand for the tests of the converters."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from thresher.ir import Graph, Input, Node, Op, Readout, Spiking, Tensor
from thresher.ir.ops import BatchNorm, ClippedRelu, Linear, Qcfs, Relu, SlipRelu


def tensor(name: str, values: object) -> Tensor:
    """Name an array of float32."""
    return Tensor(name, np.asarray(values, np.float32))


def chain(
    shape: tuple[int, ...], *links: tuple[str, Op], readout: str = "membrane", name: str = "chain"
) -> Graph:
    """Build a graph whose nodes feed one another in order; the last is the output."""
    sources = ["image", *(link[0] for link in links)]
    nodes = tuple(
        Node(link, op, (source,)) for source, (link, op) in zip(sources, links, strict=False)
    )
    return Graph(name, (Input("image", shape),), nodes, (sources[-1],), readout=Readout(readout))


def trained_for(recipe: str) -> Op:
    """The activation that a recipe asks for: a ReLU, or one trained in its own way."""
    trained = {
        "bu2022-qcfs": Qcfs(levels=16, max=4.0),
        "ding2021-rnl": ClippedRelu(max=4.0),
        "ho2021-tcl": ClippedRelu(max=4.0),
        "jiang2023-sliprelu": SlipRelu(levels=16, max=4.0),
    }
    return trained.get(recipe, Relu())


def with_nodes(graph: Graph, nodes: Iterable[Node], *outputs: str) -> Graph:
    """Add nodes, and replace the outputs."""
    return replace(graph, nodes=(*graph.nodes, *nodes), outputs=outputs)


def identity_linear(name: str, n: int) -> Linear:
    """A linear layer that passes n values on unchanged."""
    return Linear(weight=tensor(f"{name}.weight", np.eye(n)))


def relu_net(n: int, readout: str = "membrane") -> Graph:
    """fc1 and fc2 pass n values on, a relu between them: the relu sees max(x, 0)."""
    return chain(
        (n,),
        ("fc1", identity_linear("fc1", n)),
        ("relu1", Relu()),
        ("fc2", identity_linear("fc2", n)),
        readout=readout,
    )


def spiking_net(spiking: Spiking, n: int = 2) -> Graph:
    """`relu_net` with its relu annotated."""
    return relu_net(n).replace("relu1", spiking=spiking)


def batch_norm(name: str, channels: int, *, affine: bool = True, seed: int = 0) -> BatchNorm:
    """A batch norm with random statistics."""
    rng = np.random.default_rng(seed)
    return BatchNorm(
        running_mean=tensor(f"{name}.running_mean", rng.normal(size=channels)),
        running_var=tensor(f"{name}.running_var", rng.uniform(0.1, 3.0, channels)),
        weight=tensor(f"{name}.weight", rng.normal(size=channels)) if affine else None,
        bias=tensor(f"{name}.bias", rng.normal(size=channels)) if affine else None,
        eps=1e-2,
    )
