"""The `inputs` of a spec: shapes, preprocessing and thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thresher.errors import SpecError
from thresher.ir.fields import FloatRule, IntsRule, Json, Rule
from thresher.ir.graph import Input, Preprocess
from thresher.ir.marks import YamlMap, YamlValue, expect_map, placed
from thresher.ir.op import Shape
from thresher.ir.spec_fields import parse_value
from thresher.ir.tensors import expect_size

POSITIVE = FloatRule(0.0, exclusive=True)
SHAPE = IntsRule(minimum=1)


@dataclass(frozen=True)
class NumbersRule:
    """One number for all channels, or a list with one for each; `n` None allows any count."""

    number: FloatRule
    n: int | None = None

    @property
    def expected(self) -> str:
        count = "one a channel" if self.n is None else f"1 or {self.n}"
        return f"{self.number.expected}, or a list of such, {count}"

    def parse(self, value: object) -> tuple[float, ...]:
        items = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if self.n is not None and len(items) not in (1, self.n):
            raise ValueError(self.expected)
        try:
            return tuple(self.number.parse(item) for item in items)
        except ValueError:
            raise ValueError(self.expected) from None

    def dump(self, value: Sequence[float]) -> object:
        return [self.number.dump(item) for item in value]

    def schema(self) -> Json:
        number = self.number.schema()
        return {"anyOf": [number, {"type": "array", "items": number, "minItems": 1}]}


def preprocess_rules(n_channels: int | None = None) -> dict[str, Rule]:
    """Return the rules of the fields of `preprocess`."""
    return {
        "divide": POSITIVE,
        "mean": NumbersRule(FloatRule(), n_channels),
        "std": NumbersRule(POSITIVE, n_channels),
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
    shape = _parse(SHAPE, section, "shape", what)
    with placed(section.entries["shape"].mark, what):
        expect_size("shape", shape)
    preprocess = section.entries.get("preprocess")
    return Input(
        name,
        shape,
        None if preprocess is None else _read_preprocess(preprocess, shape, what),
        _parse(POSITIVE, section, "threshold", what),
        inputs.keys[name],
    )


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
