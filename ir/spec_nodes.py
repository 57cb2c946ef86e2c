"""The `nodes` of a spec, read in topological order: a drawn tensor's shape needs its inputs'."""

import graphlib
from collections.abc import Callable, Collection, Mapping

from thresher.errors import GraphError, SpecError
from thresher.ir.fields import IntRule, TensorRule, rules_of
from thresher.ir.graph import Graph, check_name
from thresher.ir.marks import (
    YamlList,
    YamlMap,
    expect_map,
    listed,
    placed,
    text_of,
)
from thresher.ir.node import Input, Node, Synapses
from thresher.ir.op import OPS, Op, Shape
from thresher.ir.spec_fields import Reference, Settings, parse_value, read_fields
from thresher.ir.spec_tensors import TensorSource
from thresher.ir.spiking import Spiking
from thresher.ir.tensor import Tensor
from thresher.registry import suggest


def read_nodes(
    section: YamlMap, inputs: tuple[Input, ...], source: TensorSource
) -> tuple[Node, ...]:
    """Read the nodes, in the order of the file.

    Raises
    ------
    SpecError
        Where a field is unknown, missing or wrong, or a tensor cannot be had.
    GraphError
        Where a node reads what is not there, or its inputs' shapes do not fit.
    """
    sections = {
        name: expect_map(value, f"node '{name}'") for name, value in section.entries.items()
    }
    for item in inputs:
        if item.name in section.keys:
            raise GraphError(
                f"{section.keys[item.name]}: node '{item.name}' bears the name of an input; give "
                "it another"
            )
    for name, mark in section.keys.items():
        check_name(name, f"{mark}: ")
    known = [*(item.name for item in inputs), *sections]
    sources = {name: _read_from(name, entry, known) for name, entry in sections.items()}
    reader = _NodeReader(section, inputs, source)
    nodes = {
        name: reader.read(name, sections[name], sources[name])
        for name in _order(section, sources)
        if name in sections
    }
    return tuple(nodes[name] for name in sections)


class _NodeReader:
    """Read node by node; what they gave so far tells the shapes of the next one's inputs."""

    def __init__(self, section: YamlMap, inputs: tuple[Input, ...], source: TensorSource) -> None:
        self._keys = section.keys
        self._inputs = inputs
        self._source = source
        self._nodes: list[Node] = []
        self._shapes: dict[str, Shape] = {item.name: item.shape for item in inputs}

    def read(self, name: str, section: YamlMap, sources: tuple[str, ...]) -> Node:
        what = f"node '{name}'"
        op = self._read_op(name, section, sources)
        spiking, delay = section.entries.get("spiking"), section.entries.get("delay")
        node = Node(
            name,
            op,
            sources,
            None
            if spiking is None
            else self._read_spiking(name, expect_map(spiking, f"{what}: spiking")),
            None if delay is None else parse_value(IntRule(0), delay, f"{what}: field 'delay'"),
            self._keys[name],
            self._read_synapses(name, section),
        )
        self._nodes.append(node)
        self._shapes[name] = self._infer_shape(node)
        return node

    def _read_op(self, name: str, section: YamlMap, sources: tuple[str, ...]) -> Op:
        what = f"node '{name}'"
        if "op" not in section.entries:
            raise SpecError(
                f"{section.mark}: {what}: field 'op' is missing; expected one of {', '.join(OPS)}"
            )
        word = section.entries["op"]
        kind = text_of(word, f"{what}: field 'op'")
        with placed(word.mark, what):
            cls = OPS.get(kind)
        fields = [field.name for field, _ in rules_of(cls)]
        section.expect_keys(
            ["op", "from", *fields, "spiking", "delay", "synapses"], f"{what} ({kind})"
        )
        with placed(section.entries["from"].mark, what):
            cls.expect_inputs(len(sources))
        in_shapes = [self._shapes[source] for source in sources]

        def resolve(reference: Reference, settings: Settings) -> Tensor:
            def infer_shape() -> Shape:
                shapes = cls.tensor_shapes(settings, *in_shapes)
                if reference.field not in shapes:
                    raise GraphError(f"the shape of '{reference.field}' does not follow from them")
                return shapes[reference.field]

            return self._resolve(reference, what, infer_shape)

        values = read_fields(cls, section, what, name, resolve)
        with placed(self._keys[name], what):
            return cls(**values)

    def _read_spiking(self, name: str, section: YamlMap) -> Spiking:
        what = f"node '{name}': spiking"
        section.expect_keys([field.name for field, _ in rules_of(Spiking)], what)

        resolve = self._given(
            what, "only weights of ops can be drawn; expected a number or a tensor"
        )
        values = read_fields(Spiking, section, what, f"{name}.spiking", resolve)
        with placed(section.mark, f"node '{name}'"):
            return Spiking(**values)

    def _read_synapses(self, name: str, section: YamlMap) -> Synapses | None:
        what = f"node '{name}': synapses"
        if "synapses" not in section.entries:
            return None
        given = expect_map(section.entries["synapses"], what)
        given.expect_keys([field.name for field, _ in rules_of(Synapses)], what)

        resolve = self._given(what, "synapses are never drawn; expected a tensor")
        return Synapses(**read_fields(Synapses, given, what, f"{name}.synapses", resolve))

    def _given(self, what: str, why: str) -> Callable[[Reference, Settings], Tensor]:
        """Return what finds a tensor that an initialiser cannot stand for."""

        def resolve(reference: Reference, settings: Settings) -> Tensor:
            def infer_shape() -> Shape:
                raise SpecError(
                    f"tensor '{reference.tensor}' has an initialiser, but {why} of a file"
                )

            return self._resolve(reference, what, infer_shape)

        return resolve

    def _resolve(self, reference: Reference, what: str, infer_shape: Callable[[], Shape]) -> Tensor:
        is_optional = isinstance(reference.rule, TensorRule) and reference.rule.optional
        if is_optional and not reference.written and reference.tensor not in self._source:
            raise SpecError(
                f"{reference.mark}: {what}: {self._source.missing(reference.tensor)}; add the "
                f"tensor, or write '{reference.field}: false' where the node has none"
            )
        with placed(reference.mark, what):
            return self._source.get(reference.tensor, infer_shape)

    def _infer_shape(self, node: Node) -> Shape:
        try:
            return node.op.infer_shape(*(self._shapes[source] for source in node.inputs))
        except GraphError:
            Graph("", self._inputs, tuple(self._nodes), (node.name,))  # says it, with the place
            raise


def _read_from(name: str, section: YamlMap, known: Collection[str]) -> tuple[str, ...]:
    what = f"node '{name}': field 'from'"
    value = section.entries.get("from")
    if value is None:
        raise SpecError(
            f"{section.mark}: {what} is missing; expected the name of a node or an input, or a list"
        )
    items = value.items if isinstance(value, YamlList) else (value,)
    sources = tuple(text_of(item, what) for item in items)
    for item, source in zip(items, sources, strict=True):
        if source not in known:
            raise GraphError(
                f"{item.mark}: node '{name}': reads '{source}', which is no node and no input: "
                f"{suggest(source, known)}known are {listed(known)}"
            )
    return sources


def _order(section: YamlMap, sources: Mapping[str, tuple[str, ...]]) -> list[str]:
    try:
        return list(graphlib.TopologicalSorter(sources).static_order())
    except graphlib.CycleError as error:
        cycle: list[str] = error.args[1]
        path = " -> ".join(f"'{name}'" for name in cycle)
        raise GraphError(
            f"{section.keys[cycle[0]]}: the nodes {path} form a cycle; a graph must be acyclic"
        ) from error
