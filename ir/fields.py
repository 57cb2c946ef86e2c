"""Rules of the typed fields of ops, annotations and passes: parse, dump, JSON Schema, wording."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from thresher.ir.tensor import Tensor

Pair = tuple[int, int]
Padding = tuple[tuple[int, int], tuple[int, int]]
Json = dict[str, Any]


class Rule(Protocol):
    """What one field accepts. ``expected`` completes the sentence 'expected ...'."""

    @property
    def expected(self) -> str: ...

    def parse(self, value: object) -> object:
        """Return the field's value, or raise ValueError when the rule forbids it."""
        ...

    def dump(self, value: Any) -> object:
        """Return the shortest plain value that `parse` reads back."""
        ...

    def schema(self) -> Json:
        """Describe the field in JSON Schema."""
        ...


def is_integer(value: object) -> bool:
    """Tell whether a value is a whole number; a bool is not."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


@dataclass(frozen=True)
class IntRule:
    minimum: int
    maximum: float = math.inf

    @property
    def expected(self) -> str:
        if self.maximum < math.inf:
            return f"a whole number from {self.minimum} to {self.maximum}"
        return f"a whole number of at least {self.minimum}"

    def parse(self, value: object) -> int:
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            raise ValueError(self.expected)
        if not self.minimum <= value <= self.maximum:
            raise ValueError(self.expected)
        return int(value)

    def dump(self, value: int) -> object:
        return value

    def schema(self) -> Json:
        schema: Json = {"type": "integer", "minimum": self.minimum}
        return schema if self.maximum == math.inf else {**schema, "maximum": self.maximum}


@dataclass(frozen=True)
class FloatRule:
    minimum: float = -math.inf
    exclusive: bool = False
    maximum: float = math.inf

    @property
    def expected(self) -> str:
        parts = []
        if self.minimum > -math.inf:
            parts.append(f"{'above' if self.exclusive else 'of at least'} {self.minimum:g}")
        if self.maximum < math.inf:
            parts.append(f"of at most {self.maximum:g}")
        return " ".join(["a finite number", " and ".join(parts)]).strip()

    def parse(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise ValueError(self.expected)
        number = float(value)
        too_low = number <= self.minimum if self.exclusive else number < self.minimum
        if not math.isfinite(number) or too_low or number > self.maximum:
            raise ValueError(self.expected)
        return number

    def dump(self, value: float) -> object:
        return float(value)

    def schema(self) -> Json:
        schema: Json = {"type": "number"}
        if self.minimum > -math.inf:
            schema["exclusiveMinimum" if self.exclusive else "minimum"] = self.minimum
        if self.maximum < math.inf:
            schema["maximum"] = self.maximum
        return schema


@dataclass(frozen=True)
class BoolRule:
    expected = "true or false"

    def parse(self, value: object) -> bool:
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(self.expected)
        return bool(value)

    def dump(self, value: bool) -> object:
        return value

    def schema(self) -> Json:
        return {"type": "boolean"}


@dataclass(frozen=True)
class ChoiceRule:
    choices: tuple[str, ...]

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.choices)

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError(self.expected)
        return value

    def dump(self, value: str) -> object:
        return value

    def schema(self) -> Json:
        return {"enum": list(self.choices)}


@dataclass(frozen=True)
class TextRule:
    """A word that is looked up elsewhere, such as a neuron model's name."""

    expected: str

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or not value:
            raise ValueError(self.expected)
        return value

    def dump(self, value: str) -> object:
        return value

    def schema(self) -> Json:
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True)
class PairRule:
    """One number for both axes, or [height, width]."""

    minimum: int

    @property
    def expected(self) -> str:
        return f"a whole number of at least {self.minimum}, or [height, width] of such"

    def parse(self, value: object) -> Pair:
        item = IntRule(self.minimum)
        try:
            if is_integer(value):
                return (item.parse(value), item.parse(value))
            if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
                return (item.parse(value[0]), item.parse(value[1]))
        except ValueError:
            pass
        raise ValueError(self.expected)

    def dump(self, value: Pair) -> object:
        return value[0] if value[0] == value[1] else list(value)

    def schema(self) -> Json:
        number = {"type": "integer", "minimum": self.minimum}
        pair = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
        return {"anyOf": [number, pair]}


@dataclass(frozen=True)
class PaddingRule:
    """One number, [height, width], or [[top, bottom], [left, right]]."""

    expected = (
        "a whole number of at least 0, [height, width] or [[top, bottom], [left, right]] of such"
    )

    def parse(self, value: object) -> Padding:
        axis = PairRule(0)
        try:
            if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
                return (axis.parse(value[0]), axis.parse(value[1]))
            height, width = axis.parse(value)
            return ((height, height), (width, width))
        except ValueError:
            raise ValueError(self.expected) from None

    def dump(self, value: Padding) -> object:
        (top, bottom), (left, right) = value
        if (top, left) != (bottom, right):
            return [[top, bottom], [left, right]]
        return top if top == left else [top, left]

    def schema(self) -> Json:
        number = {"type": "integer", "minimum": 0}
        pair = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
        pairs = {"type": "array", "items": pair, "minItems": 2, "maxItems": 2}
        return {"anyOf": [number, pair, pairs]}


@dataclass(frozen=True)
class IntsRule:
    """A list of whole numbers, one per axis; None stands for an axis that says nothing."""

    minimum: int | None = None
    length: int | None = None
    nullable: bool = False

    @property
    def expected(self) -> str:
        size = f"{self.length} " if self.length is not None else ""
        floor = f" of at least {self.minimum}" if self.minimum is not None else ""
        return f"a list of {size}whole numbers{floor}" + (" or null" if self.nullable else "")

    def _item(self, value: object) -> int | None:
        if value is None and self.nullable:
            return None
        if not is_integer(value):
            raise ValueError(self.expected)
        number = int(value)  # type: ignore[call-overload]
        if self.minimum is not None and number < self.minimum:
            raise ValueError(self.expected)
        return number  # type: ignore[no-any-return]

    def parse(self, value: object) -> tuple[int | None, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError(self.expected)
        if self.length is not None and len(value) != self.length:
            raise ValueError(self.expected)
        return tuple(self._item(item) for item in value)

    def dump(self, value: Sequence[int | None]) -> object:
        return list(value)

    def schema(self) -> Json:
        item: Json = {"type": ["integer", "null"] if self.nullable else "integer"}
        if self.minimum is not None:
            item["minimum"] = self.minimum
        schema: Json = {"type": "array", "items": item}
        if self.length is not None:
            schema["minItems"] = schema["maxItems"] = self.length
        return schema


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


@dataclass(frozen=True)
class OptionalRule:
    """What another rule accepts, or None where nothing is said."""

    rule: Rule

    @property
    def expected(self) -> str:
        return self.rule.expected

    def parse(self, value: object) -> object:
        return None if value is None else self.rule.parse(value)

    def dump(self, value: Any) -> object:
        return None if value is None else self.rule.dump(value)

    def schema(self) -> Json:
        return self.rule.schema()


@dataclass(frozen=True)
class TensorRule:
    """A tensor; in a file, its name. ``optional`` ones may be absent, written `false`."""

    optional: bool = False

    @property
    def expected(self) -> str:
        return "a tensor's name" + (", or false for none" if self.optional else "")

    def parse(self, value: object) -> Tensor | None:
        if isinstance(value, Tensor) or (value is None and self.optional):
            return value
        raise ValueError(self.expected)

    def dump(self, value: Tensor | None) -> object:
        return False if value is None else value.name

    def schema(self) -> Json:
        return (
            {"anyOf": [{"type": "string"}, {"const": False}]}
            if self.optional
            else {"type": "string"}
        )


@dataclass(frozen=True)
class NumberOrTensorRule:
    """One number for all neurons, or a tensor: per channel, or one value a neuron."""

    number: FloatRule

    @property
    def expected(self) -> str:
        return f"{self.number.expected}, or a tensor's name"

    def parse(self, value: object) -> float | Tensor:
        if not isinstance(value, Tensor):
            return self.number.parse(value)
        if value.values.dtype.kind not in "iuf":
            raise ValueError(self.number.expected)
        if value.values.size:
            self.number.parse(value.values.min())
            self.number.parse(value.values.max())
        return value

    def dump(self, value: float | Tensor) -> object:
        return value.name if isinstance(value, Tensor) else self.number.dump(value)

    def schema(self) -> Json:
        return {"anyOf": [self.number.schema(), {"type": "string"}]}


def ruled(rule: Rule, default: Any = dataclasses.MISSING) -> Any:
    """Declare a dataclass field that obeys `rule`."""
    return dataclasses.field(default=default, metadata={"rule": rule})


def rules_of(owner: Any) -> Iterator[tuple["dataclasses.Field[Any]", Rule]]:
    """Yield the (field, rule) pairs of a dataclass or of one of its values, in order."""
    for field in dataclasses.fields(owner):
        if "rule" in field.metadata:
            yield field, field.metadata["rule"]


def is_required(field: "dataclasses.Field[Any]") -> bool:
    """Tell whether a field has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def check_fields(value: Any, what: str, error: type[Exception]) -> None:
    """Parse every ruled field of a frozen dataclass in place; name the one that breaks its rule."""
    for field, rule in rules_of(value):
        found = getattr(value, field.name)
        try:
            object.__setattr__(value, field.name, rule.parse(found))
        except ValueError as problem:
            shown = found.name if isinstance(found, Tensor) else repr(found)
            raise error(f"{what}: field '{field.name}' is {shown}; expected {problem}") from None


def dump_fields(value: Any) -> dict[str, object]:
    """List the ruled fields that differ from their defaults, as plain values, in order."""
    plain: dict[str, object] = {}
    for field, rule in rules_of(value):
        found = getattr(value, field.name)
        if is_required(field) or found != rule.parse(field.default):
            plain[field.name] = rule.dump(found)
    return plain
