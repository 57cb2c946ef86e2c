"""GraphBuilder: the nodes of an imported model as they are read, and all that was refused."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError, Refusal, UnsupportedError
from thresher.ir import Graph, Input, Node, Op, Tensor
from thresher.ir.op import Shape
from thresher.ir.ops import Convolution, Identity, Linear, PositionwiseLinear, Scale
from thresher.ir.tensors import FLOATS, expect_finite, expect_size

Array = NDArray[Any]

LARGEST_VALUE = 2**27
"""Numbers that a node may give for one sample."""
MOST_NODES = 20_000
MOST_REFUSED = 1_000
"""Parts that are refused before the rest is not looked at any more."""


class Value(NamedTuple):
    """What an input or a node gives; the shape is without the batch axis."""

    name: str
    shape: Shape


@dataclass(frozen=True)
class _Held:
    """A tensor of the graph and the array that it was made from."""

    source: Array
    tensor: Tensor


class GraphBuilder:
    """Collect the nodes of a model, infer shapes, and keep what is refused until the end.

    Parameters
    ----------
    name : str
        The graph's.
    what : str
        The model, as messages call it: a file's path, a module's class.
    """

    def __init__(self, name: str, what: str) -> None:
        self.name = name
        self.what = what
        self.refusals: list[Refusal] = []
        self._inputs: list[Input] = []
        self._nodes: list[Node] = []
        self._by_name: dict[str, Node] = {}
        self._names: set[str] = set()
        self._tensors: dict[str, _Held] = {}

    def input(self, name: str, shape: Shape) -> Value:
        """Add an input of the graph."""
        expect_values(name, shape)
        self._inputs.append(Input(self._fresh(name), shape))
        return Value(self._inputs[-1].name, shape)

    def add(self, name: str, op: Op, *inputs: Value) -> Value:
        """Add a node, called `name` or, where that is taken, `name_1` and so on.

        Raises
        ------
        GraphError
            Where the op does not take inputs of these shapes, or gives too many numbers.
        """
        if len(self._nodes) >= MOST_NODES:
            raise GraphError(f"is one of more than {MOST_NODES:,} nodes; expected at most so many")
        shape = op.infer_shape(*(value.shape for value in inputs))
        expect_values(name, shape)
        node = Node(self._fresh(name), op, tuple(value.name for value in inputs))
        self._nodes.append(node)
        self._by_name[node.name] = node
        return Value(node.name, shape)

    def node(self, value: Value) -> Node | None:
        """Return the node that gives a value; None for an input."""
        return self._by_name.get(value.name)

    def tensor(self, name: str, values: Array) -> Tensor:
        """Return the tensor of that name, float16, float32 or float64; equal arrays give one.

        Raises
        ------
        SpecError
            Where the values are not finite.
        """
        name = _clean(name)
        stem, number = name, 0
        while name in self._tensors and not _equal(self._tensors[name].source, values):
            number += 1
            name = f"{stem}_{number}"
        if name not in self._tensors:
            expect_size(name, values.shape)
            kept = values.dtype in map(np.dtype, FLOATS)
            floats = np.ascontiguousarray(values, values.dtype if kept else np.float32)
            expect_finite(name, floats)
            self._tensors[name] = _Held(values, Tensor(name, floats.reshape(values.shape)))
        return self._tensors[name].tensor

    def refuse(self, place: str, operation: str, why: object) -> None:
        """Note a part that cannot be taken over.

        Raises
        ------
        UnsupportedError
            Where there are more than anyone would read.
        """
        self.refusals.append(Refusal(place, operation, str(why)))
        if len(self.refusals) >= MOST_REFUSED:
            raise UnsupportedError(self.what, self.refusals)

    def finish(self, outputs: Sequence[Value]) -> Graph:
        """Return the graph of all that the outputs need.

        Raises
        ------
        UnsupportedError
            Where anything was refused.
        """
        if self.refusals:
            raise UnsupportedError(self.what, self.refusals)
        sources = {item.name for item in self._inputs}
        ends = [
            self.add("output", Identity(), value) if value.name in sources else value
            for value in outputs
        ]
        given = [value.name for value in ends]
        nodes, names = _with_biases(_that_lead_to(given, self._nodes), given)
        return Graph(self.name, tuple(self._inputs), tuple(nodes), tuple(dict.fromkeys(names)))

    def _fresh(self, name: str) -> str:
        stem = _clean(name)
        free, number = stem, 0
        while free in self._names:
            number += 1
            free = f"{stem}_{number}"
        self._names.add(free)
        return free


def _equal(one: Array, other: Array) -> bool:
    return one is other or (one.dtype == other.dtype and np.array_equal(one, other))


def expect_values(name: str, shape: Shape) -> None:
    """Raise GraphError where a shape has an empty axis or more numbers than a node may give."""
    if min(shape, default=1) < 1 or prod(shape) > LARGEST_VALUE:
        raise GraphError(
            f"'{name}' would be {list(shape)}; expected sizes of at least 1 and at most "
            f"{LARGEST_VALUE:,} numbers"
        )


def _clean(name: str) -> str:
    """Return a name without what files and tables could not carry."""
    composed = unicodedata.normalize("NFC", name)
    kept = (c if c.isprintable() and not c.isspace() else "_" for c in composed)
    return "".join(kept).strip("/") or "node"


def _that_lead_to(outputs: Sequence[str], nodes: Sequence[Node]) -> list[Node]:
    needed = set(outputs)
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return [node for node in nodes if node.name in needed]


def _with_biases(nodes: Sequence[Node], outputs: Sequence[str]) -> tuple[list[Node], list[str]]:
    """Make offsets that follow a linear layer without bias its bias."""
    readers = Counter([name for node in nodes for name in node.inputs] + list(outputs))
    kept: dict[str, Node] = {}
    now: dict[str, str] = {}
    for node in nodes:
        source = now.get(node.inputs[0], node.inputs[0])
        layer = kept.get(source)
        bias = None if layer is None or readers[source] > 1 else _offset(node, layer)
        if layer is not None and bias is not None:
            changes: dict[str, Any] = {"bias": bias}
            kept[source] = replace(layer, op=replace(layer.op, **changes))
            now[node.name] = source
            readers[source] = readers[node.name]
            continue
        inputs = tuple(now.get(name, name) for name in node.inputs)
        kept[node.name] = replace(node, inputs=inputs)
    return list(kept.values()), [now.get(name, name) for name in outputs]


def _offset(node: Node, layer: Node) -> Tensor | None:
    """Return what a node adds to every output of a linear layer without bias, as a bias (out,)."""
    op = node.op
    if not isinstance(op, Scale) or op.bias is None or not (op.weight.values == 1).all():
        return None
    if isinstance(layer.op, (Convolution, Linear)) and layer.op.bias is None:
        return op.bias if len(op.bias.shape) == 1 else None
    if isinstance(layer.op, PositionwiseLinear) and layer.op.bias is None:
        values, out = op.bias.values, layer.op.out_features
        by_place = values.reshape(-1, out if values.ndim > 1 else 1)
        if (by_place == by_place[0]).all():
            return Tensor(op.bias.name, np.broadcast_to(by_place[0], (out,)).copy())
    return None
