"""Random graphs with operators, and networks of one of them."""

from collections.abc import Sequence
from math import prod

import numpy as np
from hypothesis import strategies as st
from networks import linear
from numpy.typing import NDArray
from strategies import Builder, Shape

from thresher.ir import OPS, Graph, Input, Node, Op, Spiking
from thresher.ir.ops import (
    Flatten,
    MaxPool2d,
    Mul,
    Pointwise,
    Relu,
    Reshape,
    Slice,
    Softmax,
)

POINTWISE = [kind for kind in OPS if issubclass(OPS.get(kind), Pointwise)]
OPERATORS = [kind for kind in OPS if OPS.get(kind).can_operate]


def example(kind: str) -> Op:
    """Return the example of an op without its shapes."""
    return OPS.get(kind).example()[0]


class OperatorBuilder(Builder):
    """Draws operators among the populations, and max pools before others."""

    def spike(self, source: str, annotation: Spiking | None = None) -> None:
        shape = self.shapes[source]
        pools = len(shape) == 3 and min(shape[1:]) > 1
        kind = self.draw(st.sampled_from(["operator", "pool", "plain"]))
        if kind == "pool" and pools:
            source = self.add(MaxPool2d(2, self.number(1, 2)), source)
        if kind != "operator":
            super().spike(source, self.rule(self.shapes[source]))
            return
        op = self.draw(st.sampled_from([Mul(), Softmax(axis=0), *map(example, POINTWISE)]))
        ports = [source]
        if isinstance(op, Mul):
            # A source that both ports read may reach them only with one delay.
            alike = [name for name, other in self.shapes.items() if other == shape]
            alike = [source] if self.delays else alike
            ports.append(self.draw(st.sampled_from(alike)))
        name = self.add(op, *ports)
        self.populations.append(name)
        self.annotate(name, self.expecting(name, self.shapes[name]))

    def annotate(self, name: str, spiking: Spiking) -> None:
        last = self.nodes.pop()
        assert last.name == name
        self.nodes.append(Node(name, last.op, last.inputs, spiking))

    def rule(self, shape: Shape) -> Spiking:
        """Draw a rule of spikes that goes behind a max pool."""
        plain = self.annotation(f"n{len(self.nodes)}", shape)
        neuron = self.draw(st.sampled_from(["if", "if", "burst", "signed_if"]))
        parameters = {"cap": float(self.number(1, 4))} if neuron == "burst" else {}
        fields = ("threshold", "v_init", "shift", "scale")
        kept = {field: getattr(plain, field) for field in fields}
        return Spiking(neuron=neuron, parameters=parameters, **kept)

    def expecting(self, name: str, shape: Shape) -> Spiking:
        cap, signed = self.draw(st.sampled_from([1.0, 2.0, 7.0])), float(self.flag())
        return Spiking(
            threshold=self.value(f"{name}.threshold", shape, 1, 6),
            v_init=self.value(f"{name}.v_init", shape, -2, 8),
            neuron="expectation",
            parameters={"cap": cap, "signed": signed},
        )


def operator(op: Op, shapes: Sequence[Shape], spiking: Spiking, readout: str = "membrane") -> Graph:
    """Return a network whose image holds what reaches an op's ports, one after the other."""
    sizes = [prod(shape) for shape in shapes]
    first = np.cumsum([0, *sizes])
    nodes: list[Node] = []
    for port, shape in enumerate(shapes):
        part = Slice((int(first[port]),), (int(first[port + 1]),), (1,))
        nodes += [
            Node(f"part{port}", part, ("image",)),
            Node(f"port{port}", Reshape(shape), (f"part{port}",)),
        ]
    n = prod(op.infer_shape(*shapes))
    ports = tuple(f"port{port}" for port in range(len(shapes)))
    nodes += [
        Node("op", op, ports, spiking),
        Node("flat", Flatten(), ("op",)),
        Node("out", linear("out", np.eye(n)), ("flat",)),
    ]
    return Graph("operator", (Input("image", (int(first[-1]),)),), tuple(nodes), ("out",))


def pooled(spiking: Spiking) -> Graph:
    """Return a network of one max pool of 2 x 2 before its neurons, over the image."""
    nodes = (
        Node("pool", MaxPool2d(2), ("image",)),
        Node("relu", Relu(), ("pool",), spiking),
        Node("flat", Flatten(), ("relu",)),
        Node("out", linear("out", np.eye(8)), ("flat",)),
    )
    return Graph("pooled", (Input("image", (2, 4, 4)),), nodes, ("out",))


def sent_by_step(trace: object, node: str, steps: int, shape: Shape) -> NDArray[np.float64]:
    """Add up what each neuron of the first sample has sent by each step: (steps, *shape)."""
    mine = (trace.population == trace.populations.index(node)) & (trace.sample == 0)
    at = (trace.tick[mine] - 1) // trace.ticks_per_step
    counts = np.zeros((steps, prod(shape)))
    np.add.at(counts, (at, trace.neuron[mine]), trace.sign[mine])
    return counts.cumsum(axis=0).reshape(steps, *shape)
