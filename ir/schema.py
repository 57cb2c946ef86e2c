"""JSON Schema of the spec file, from the registered ops and the rules of their fields."""

import inspect

from thresher.ir.fields import IntRule, Json, TensorRule, is_required, rules_of
from thresher.ir.graph import SETTLE_LIMIT
from thresher.ir.initialise import INITIALISERS
from thresher.ir.node import Input, Probe, Readout, Synapses
from thresher.ir.op import OPS, Op
from thresher.ir.spec import KEYS, REQUIRED
from thresher.ir.spec_inputs import preprocess_rules
from thresher.ir.spec_writer import FORMAT
from thresher.ir.spiking import Spiking

NAME: Json = {"type": ["string", "number", "boolean"]}
"""A name: YAML may read it as a number or a truth value, but the loader takes its text."""
NAMES: Json = {"type": "array", "items": NAME}


def schema() -> Json:
    """Return the JSON Schema (draft 2020-12) that spec files obey.

    It knows the form of a spec, not what follows from several fields, such as shapes.
    """
    properties: dict[str, Json] = {
        "thresher": {"description": "Version of the format.", "const": FORMAT},
        "name": {"description": "The network's name; the file's, where it is left out.", **NAME},
        "tensors": {
            "description": "Where the weights are: files beside the spec, or initialisers.",
            "anyOf": [_ref("tensors"), {"type": "array", "items": _ref("tensors")}],
        },
        "inputs": {
            "description": "The inputs, by name.",
            "type": "object",
            "minProperties": 1,
            "additionalProperties": _ref("input"),
        },
        "nodes": {
            "description": "The nodes, by name.",
            "type": "object",
            "additionalProperties": _ref("node"),
        },
        "outputs": {
            "description": "The nodes whose values are the outputs.",
            "minItems": 1,
            **NAMES,
        },
        "labels": {"description": "The classes' names.", **NAMES},
        "readout": _record(Readout),
        "settle_limit": {
            "description": "Steps that a simulation may take to settle once the input has ended.",
            **SETTLE_LIMIT.schema(),
        },
        "probe": _record(Probe),
        "conversion": {"description": "How a converted network came about.", "type": "object"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Thresher spec",
        "description": "A network, its neurons and where its weights are.",
        "type": "object",
        "required": list(REQUIRED),
        "additionalProperties": False,
        "properties": {key: properties[key] for key in KEYS},
        "$defs": {
            "tensors": _tensors(),
            "input": _input(),
            "node": _node(),
            "spiking": _record(Spiking),
            **{f"op_{kind}": _op(OPS.get(kind)) for kind in OPS},
        },
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _tensors() -> Json:
    kinds = [_record(INITIALISERS.get(kind), {"init": {"const": kind}}) for kind in INITIALISERS]
    return {"anyOf": [NAME, {"type": "object", "additionalProperties": {"anyOf": kinds}}]}


def _input() -> Json:
    rules = {field.name: rule for field, rule in rules_of(Input)}
    preprocess = {
        "description": "(x / divide - mean) / std",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: rule.schema() for name, rule in preprocess_rules().items()},
    }
    return {
        "type": "object",
        "required": ["shape"],
        "additionalProperties": False,
        "properties": {
            "shape": {"description": "Without the batch axis.", **rules["shape"].schema()},
            "preprocess": preprocess,
            "threshold": {
                "description": "What one spike of a spiking encoder stands for.",
                **rules["threshold"].schema(),
            },
        },
    }


def _node() -> Json:
    """Pick the schema by the op, so that an editor's complaint is about that op's fields."""
    branches = [
        {"if": {"properties": {"op": {"const": kind}}}, "then": _ref(f"op_{kind}")} for kind in OPS
    ]
    return {
        "type": "object",
        "required": ["op", "from"],
        "properties": {"op": {"enum": OPS.names()}},
        "allOf": branches,
    }


def _op(op: type[Op]) -> Json:
    return _record(
        op,
        {
            "op": {"const": op.kind},
            "from": {
                "description": "The node or input that it reads; a list where it reads several.",
                "anyOf": [NAME, NAMES],
            },
        },
        {
            "spiking": _ref("spiking"),
            "synapses": _record(Synapses),
            "delay": {
                "description": "Ticks (lockstep: steps) that spikes take through this node.",
                **IntRule(0).schema(),
            },
        },
    )


def _record(
    owner: type, before: dict[str, Json] | None = None, after: dict[str, Json] | None = None
) -> Json:
    """Describe a dataclass with ruled fields; keys of `before` are required, of `after` not."""
    properties = dict(before or {})
    required = list(properties)
    for field, rule in rules_of(owner):
        properties[field.name] = {"description": f"Expected {rule.expected}.", **rule.schema()}
        if isinstance(rule, TensorRule):
            continue
        if is_required(field):
            required.append(field.name)
        else:
            properties[field.name]["default"] = rule.dump(rule.parse(field.default))
    kind = getattr(owner, "kind", owner.__name__.lower())
    return {
        "title": kind,
        "description": inspect.getdoc(owner) or kind,
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": {**properties, **(after or {})},
    }
