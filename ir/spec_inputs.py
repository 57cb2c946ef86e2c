"""The `inputs` of a spec: shapes, preprocessing and thresholds."""

from dataclasses import replace
from typing import Any

from thresher.errors import SpecError
from thresher.ir.fields import NumbersRule, Rule, rules_of
from thresher.ir.marks import YamlMap, YamlValue, expect_map, placed
from thresher.ir.node import Input, Preprocess
from thresher.ir.op import Shape
from thresher.ir.spec_fields import parse_value
from thresher.ir.tensors import expect_size


def preprocess_rules(n_channels: int | None = None) -> dict[str, Rule]:
    """Return the rules of the fields of `preprocess`, for an input of so many channels."""
    return {
        field.name: replace(rule, n=n_channels) if isinstance(rule, NumbersRule) else rule
        for field, rule in rules_of(Preprocess)
    }


def read_inputs(section: YamlMap) -> tuple[Input, ...]:
    if not section.entries:
        raise SpecError(f"{section.mark}: 'inputs' is empty; expected at least one input")
    return tuple(_read_input(name, section) for name in section.entries)


def _read_input(name: str, inputs: YamlMap) -> Input:
    what = f"input '{name}'"
    section = expect_map(inputs.entries[name], what)
    section.expect_keys(("shape", "preprocess", "threshold"), what)
    if "shape" not in section.entries:
        raise SpecError(f"{section.mark}: {what}: field 'shape' is missing; expected [C, H, W]")
    rules = {field.name: rule for field, rule in rules_of(Input)}
    shape = _parse(rules["shape"], section, "shape", what)
    with placed(section.entries["shape"].mark, what):
        expect_size("shape", shape)
    preprocess = section.entries.get("preprocess")
    stated = None if preprocess is None else _read_preprocess(preprocess, shape, what)
    threshold = _parse(rules["threshold"], section, "threshold", what)
    with placed(inputs.keys[name]):
        return Input(name, shape, stated, threshold, inputs.keys[name])


def _read_preprocess(value: YamlValue, shape: Shape, what: str) -> Preprocess:
    what = f"{what}: preprocess"
    section = expect_map(value, what)
    rules = preprocess_rules(shape[0] if shape else 1)
    section.expect_keys(rules, what)
    fields = {key: _parse(rule, section, key, what) for key, rule in rules.items()}
    return Preprocess(**{key: item for key, item in fields.items() if item is not None})


def _parse(rule: Rule, section: YamlMap, key: str, what: str) -> Any:
    """Parse a field; None where it is absent."""
    value = section.entries.get(key)
    return None if value is None else parse_value(rule, value, f"{what}: field '{key}'")
