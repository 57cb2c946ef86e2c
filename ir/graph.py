"""Graph: structure, order and validity; no file, no arithmetic."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Any

import networkx as nx
from numpy.typing import NDArray

from thresher.errors import GraphError
from thresher.ir.fields import IntRule, OptionalRule, check_fields, ruled
from thresher.ir.node import Input, Mark, Node, Probe, Readout
from thresher.ir.op import Shape
from thresher.ir.tensor import Tensor

SETTLE_LIMIT = IntRule(1)


@dataclass(frozen=True)
class Graph:
    """An ANN and the SNN that it was converted to, in one immutable value.

    A graph that exists is valid: names are unique, edges lead somewhere, there is no cycle, shapes
    fit, delays lie on linear nodes, and labels, if any, are as many as the output's values.
    `settle_limit` is how many steps a simulation may take to settle once the input has ended;
    `probe` what it runs before the steps that count;
    `meta` holds provenance (plain values, as YAML can write them).

    Raises
    ------
    GraphError
        Where one of these does not hold; the message names the node and its place in the file.
    """

    name: str
    inputs: tuple[Input, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    labels: tuple[str, ...] = ()
    readout: Readout = Readout()
    meta: Mapping[str, Any] = field(default_factory=dict)
    settle_limit: int | None = ruled(OptionalRule(SETTLE_LIMIT), None)
    probe: Probe | None = None

    def __post_init__(self) -> None:
        check_fields(self, f"graph '{self.name}'", GraphError)
        self._check_names()
        self.order  # noqa: B018 - a cycle is found here
        self.shapes  # noqa: B018 - shapes are inferred here
        self.tensors  # noqa: B018 - names of tensors are compared here
        self._check_annotations()
        self._check_labels()

    def __getitem__(self, name: str) -> Node:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Node]:
        """Yield the nodes in topological order; of those that are ready, the first written."""
        return (self._by_name[name] for name in self.order)

    @cached_property
    def structure(self) -> "nx.MultiDiGraph[str]":
        """The edges, each keyed by the input port that it leads to."""
        structure: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        structure.add_nodes_from(self._position)
        for node in self.nodes:
            for port, source in enumerate(node.inputs):
                structure.add_edge(source, node.name, key=port)
        nx.freeze(structure)
        return structure

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The nodes' names in topological order, ties broken by the order in the file."""
        try:
            order = nx.lexicographical_topological_sort(
                self.structure, key=self._position.__getitem__
            )
            return tuple(name for name in order if name in self._by_name)
        except nx.NetworkXUnfeasible:
            cycle = [edge[0] for edge in nx.find_cycle(self.structure)]
            path = " -> ".join(f"'{name}'" for name in [*cycle, cycle[0]])
            raise GraphError(
                f"{self._place(cycle[0])}the nodes {path} form a cycle; a graph must be acyclic"
            ) from None

    @cached_property
    def shapes(self) -> Mapping[str, Shape]:
        """The shape of every input and node, without the batch axis."""
        shapes: dict[str, Shape] = {item.name: item.shape for item in self.inputs}
        for node in self:
            try:
                shapes[node.name] = node.op.infer_shape(*(shapes[name] for name in node.inputs))
            except GraphError as error:
                came = ", ".join(f"'{name}' gives {list(shapes[name])}" for name in node.inputs)
                raise GraphError(
                    f"{self._place(node.name)}node '{node.name}' ({node.op.kind}): {error} ({came})"
                ) from error
        return shapes

    @cached_property
    def tensors(self) -> Mapping[str, NDArray[Any]]:
        """Every tensor by its name, in order of use."""
        found: dict[str, Tensor] = {}
        for node in self:
            for tensor in node.tensors:
                if found.setdefault(tensor.name, tensor) != tensor:
                    raise GraphError(
                        f"{self._place(node.name)}node '{node.name}': two different tensors are "
                        f"called '{tensor.name}'; give one of them another name"
                    )
        return {name: tensor.values for name, tensor in found.items()}

    def in_shapes(self, name: str) -> tuple[Shape, ...]:
        """Return the shapes of a node's inputs, by port."""
        return tuple(self.shapes[source] for source in self[name].inputs)

    def consumers(self, name: str) -> tuple[str, ...]:
        """Return the nodes that read a node or an input, in order, each once."""
        return self._readers[name]

    def replace(self, name: str, **changes: Any) -> "Graph":
        """Return a graph in which one node's fields are changed; the others are shared."""
        return self.replace_all({name: replace(self[name], **changes)})

    def replace_all(self, nodes: Mapping[str, Node]) -> "Graph":
        """Return a graph in which the nodes of these names are replaced, in their places."""
        for name in nodes:
            if name not in self:
                raise GraphError(
                    f"there is no node '{name}' to replace; nodes are {_listed(self._by_name)}"
                )
        return replace(self, nodes=tuple(nodes.get(node.name, node) for node in self.nodes))

    def without(self, name: str) -> "Graph":
        """Return a graph without a node of one input; what read it reads its input."""
        node = self[name]
        if len(node.inputs) != 1:
            raise GraphError(f"node '{name}' has {len(node.inputs)} inputs and cannot be bridged")
        (source,) = node.inputs

        def bridged(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(source if item == name else item for item in names)

        nodes = (replace(n, inputs=bridged(n.inputs)) for n in self.nodes if n.name != name)
        return replace(self, nodes=tuple(nodes), outputs=bridged(self.outputs))

    def upto(self, name: str) -> "Graph":
        """Return the part of the graph that a node needs, with that node as the output."""
        kept = {name, *nx.ancestors(self.structure, name)}
        nodes = tuple(node for node in self.nodes if node.name in kept)
        return replace(self, nodes=nodes, outputs=(name,), labels=())

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def _position(self) -> dict[str, int]:
        return {item.name: position for position, item in enumerate(self._items)}

    @cached_property
    def _readers(self) -> dict[str, tuple[str, ...]]:
        readers: dict[str, list[str]] = {item.name: [] for item in self._items}
        for node in self:
            for source in dict.fromkeys(node.inputs):
                readers[source].append(node.name)
        return {source: tuple(names) for source, names in readers.items()}

    @property
    def _items(self) -> tuple[Input | Node, ...]:
        return (*self.inputs, *self.nodes)

    @cached_property
    def _marks(self) -> dict[str, Mark | None]:
        return {item.name: item.mark for item in self._items}

    def _place(self, name: str) -> str:
        """Return 'file:line: ' of a node or an input, or nothing where it came from no file."""
        mark = self._marks[name]
        return f"{mark}: " if mark is not None else ""

    def _check_names(self) -> None:
        if not self.inputs:
            raise GraphError("the graph has no input; expected at least one")
        seen: set[str] = set()
        for item in self._items:
            check_name(item.name, self._place(item.name))
            if item.name in seen:
                raise GraphError(f"{self._place(item.name)}two nodes are called '{item.name}'")
            seen.add(item.name)
        for node in self.nodes:
            self._check_inputs(node)
        if not self.outputs:
            raise GraphError("the graph has no output; expected the name of at least one node")
        for name in self.outputs:
            if name not in self._by_name:
                raise GraphError(
                    f"output '{name}' is not a node; nodes are {_listed(self._by_name)}"
                )

    def _check_inputs(self, node: Node) -> None:
        where = f"{self._place(node.name)}node '{node.name}'"
        for source in node.inputs:
            if source not in self._position:
                raise GraphError(
                    f"{where}: reads '{source}', which is no node and no input; known are "
                    f"{_listed(self._position)}"
                )
        try:
            node.op.expect_inputs(len(node.inputs))
        except GraphError as error:
            raise GraphError(f"{where}: {error}") from error

    def _check_synapses(self, node: Node, where: str) -> None:
        weight, given = node.op.tensors.get("weight"), node.synapses
        if weight is None or not node.op.is_linear():
            raise GraphError(
                f"{where}: synapses stand on op '{node.op.kind}', which has no weights that become "
                "synapses; take them out"
            )
        if given is not None and given.weight.shape != weight.shape:
            raise GraphError(
                f"{where}: the synapses' weight is {list(given.weight.shape)}; expected "
                f"{list(weight.shape)}, as the op's"
            )
        try:
            node.synaptic_op.infer_shape(*self.in_shapes(node.name))
        except GraphError as error:
            raise GraphError(f"{where}: synapses: {error}") from error

    def _check_annotations(self) -> None:
        for node in self.nodes:
            where = f"{self._place(node.name)}node '{node.name}'"
            if node.delay is not None and not node.op.is_linear():
                raise GraphError(
                    f"{where}: a delay stands on op '{node.op.kind}'; expected it on a linear node "
                    "between two populations, whose projection it delays"
                )
            if node.synapses is not None:
                self._check_synapses(node, where)
            if node.spiking is None:
                continue
            try:
                node.spiking.check_shape(self.shapes[node.name])
            except GraphError as error:
                raise GraphError(f"{where}: {error}") from error

    def _check_labels(self) -> None:
        if not self.labels or len(self.outputs) != 1:
            return
        (output,) = self.outputs
        classes = prod(self.shapes[output])
        if len(self.labels) != classes:
            raise GraphError(
                f"{self._place(output)}there are {len(self.labels)} labels, but output '{output}' "
                f"gives {classes} values; expected one label a value"
            )


def check_name(name: str, place: str = "") -> None:
    """Raise GraphError for a name that files and tables could not carry unharmed."""
    good = bool(name) and name.isprintable() and not any(c.isspace() for c in name)
    if not good or not unicodedata.is_normalized("NFC", name):
        raise GraphError(
            f"{place}{name!r} cannot be a name; expected printable characters without spaces, "
            "in Unicode's composed form (NFC)"
        )


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(f"'{name}'" for name in shown[:12]) + (", ..." if len(shown) > 12 else "")
