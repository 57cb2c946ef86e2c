"""A graph as the text of a spec file: defaults left out, one node a line."""

import math
import re
import sys
from collections.abc import Mapping
from typing import Any

import yaml

from thresher.errors import SpecError
from thresher.ir.fields import TensorRule, dump_fields, rules_of
from thresher.ir.graph import Graph
from thresher.ir.marks import BOOLEAN, FLOAT
from thresher.ir.node import Input, Node, Preprocess, Readout
from thresher.ir.yaml_reader import DEEPEST, LARGEST_TEXT

FORMAT = 1
"""Version of the spec file's format."""


class _Dumper(yaml.SafeDumper):
    """Quote text that any YAML reader, or `marks`, could take for something else."""


for _kind, _pattern in (("bool", BOOLEAN), ("float", FLOAT)):
    _whole = re.compile(rf"(?:{_pattern.pattern})$")
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _whole, None)


def spec_text(graph: Graph, tensors: str | None) -> bytes:
    """Write the spec; `tensors` is the file beside it. The same graph gives the same bytes.

    Raises
    ------
    SpecError
        Where it could not be read back.
    """
    sections: dict[str, yaml.Node] = {
        "thresher": _node(FORMAT),
        "name": _node(graph.name),
    }
    if tensors is not None:
        sections["tensors"] = _node(tensors)
    sections["inputs"] = _block({item.name: _node(_input(item)) for item in graph.inputs})
    sections["nodes"] = _block({node.name: _node(_entry(node)) for node in graph.nodes})
    sections["outputs"] = _node(list(graph.outputs))
    if graph.labels:
        sections["labels"] = _node(list(graph.labels))
    if graph.readout != Readout():
        sections["readout"] = _node(dump_fields(graph.readout))
    if graph.settle_limit is not None:
        sections["settle_limit"] = _node(graph.settle_limit)
    if graph.probe is not None:
        sections["probe"] = _node(dump_fields(graph.probe))
    if graph.meta:
        _expect_plain(graph.meta, "meta", 1)
        sections["conversion"] = _open(graph.meta)
    text: str = yaml.serialize(
        _block(sections), Dumper=_Dumper, allow_unicode=True, width=sys.maxsize
    )
    content = text.encode()
    if len(content) > LARGEST_TEXT:
        raise SpecError(
            f"graph '{graph.name}' takes {len(content):,} bytes of YAML; at most {LARGEST_TEXT:,} "
            "can be read back"
        )
    return content


def _input(item: Input) -> dict[str, object]:
    entry: dict[str, object] = {"shape": list(item.shape)}
    if item.preprocess is not None:
        entry["preprocess"] = _preprocess(item.preprocess)
    if item.threshold is not None:
        entry["threshold"] = float(item.threshold)
    return entry


def _preprocess(preprocess: Preprocess) -> dict[str, object]:
    default = Preprocess()
    entry: dict[str, object] = {}
    if preprocess.divide != default.divide:
        entry["divide"] = float(preprocess.divide)
    for name in ("mean", "std"):
        values = getattr(preprocess, name)
        if values != getattr(default, name):
            entry[name] = [float(value) for value in values]
    return entry


def _entry(node: Node) -> dict[str, object]:
    sources = node.inputs[0] if len(node.inputs) == 1 else list(node.inputs)
    entry: dict[str, object] = {"op": node.op.kind, "from": sources}
    names = {
        field.name: rule.dump(getattr(node.op, field.name))
        for field, rule in rules_of(node.op)
        if isinstance(rule, TensorRule)
    }
    entry.update((key, item) for key, item in dump_fields(node.op).items() if key not in names)
    entry.update((key, item) for key, item in names.items() if item != f"{node.name}.{key}")
    if node.spiking is not None:
        entry["spiking"] = {"neuron": node.spiking.neuron, **dump_fields(node.spiking)}
    if node.synapses is not None:
        entry["synapses"] = dump_fields(node.synapses)
    if node.delay is not None:
        entry["delay"] = node.delay
    return entry


def _block(entries: Mapping[str, yaml.Node]) -> yaml.Node:
    """A mapping with one entry a line."""
    pairs = [(_node(key), value) for key, value in entries.items()]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)


def _open(value: object) -> yaml.Node:
    """A value of which only lists of scalars stand in one line."""
    if isinstance(value, Mapping) and value:
        return _block({key: _open(item) for key, item in value.items()})
    if isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        items = [_open(item) for item in value]
        return yaml.SequenceNode("tag:yaml.org,2002:seq", items, flow_style=False)
    return _node(value)


def _node(value: object) -> yaml.Node:
    """A value in one line."""
    if isinstance(value, Mapping):
        pairs = [(_node(key), _node(item)) for key, item in value.items()]
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=True)
    if isinstance(value, list):
        items = [_node(item) for item in value]
        return yaml.SequenceNode("tag:yaml.org,2002:seq", items, flow_style=True)
    kind, text = _scalar(value)
    # PyYAML folds unusual line breaks outside double quotes into others
    style = None if text.isprintable() else '"'
    return yaml.ScalarNode(f"tag:yaml.org,2002:{kind}", text, style=style)


def _scalar(value: object) -> tuple[str, str]:
    if value is None:
        return "null", "null"
    if isinstance(value, bool):
        return "bool", "true" if value else "false"
    if isinstance(value, int):
        return "int", str(value)
    if isinstance(value, float):
        return "float", _float(value)
    return "str", str(value)


def _float(value: float) -> str:
    """The shortest text that reads as this float, in every version of YAML."""
    if not math.isfinite(value):
        return repr(value).replace("inf", ".inf").replace("nan", ".nan")
    mantissa, e, exponent = repr(value).partition("e")
    return (mantissa if "." in mantissa else mantissa + ".0") + e + exponent


def _expect_plain(value: Any, path: str, depth: int) -> None:
    """Raise SpecError for what YAML, as `marks` reads it, would not give back."""
    is_scalar = value is None or type(value) in (bool, int, float, str)
    if depth > DEEPEST or not (is_scalar or isinstance(value, (Mapping, list))):
        raise SpecError(
            f"{path} is of type {type(value).__name__}; expected text, numbers, true, false, null, "
            f"and lists and mappings of such, at most {DEEPEST} deep"
        )
    if type(value) is int and abs(value) >= 10**100:
        raise SpecError(f"{path} has more than 100 digits; expected text in its place")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if type(key) is not str:
                raise SpecError(f"{path} has the key {key!r}; expected text as keys")
            _expect_plain(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _expect_plain(item, f"{path}[{position}]", depth + 1)
