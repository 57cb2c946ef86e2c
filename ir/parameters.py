"""Parameters: numbers by name, which only the neuron model that they are for can judge."""

from collections.abc import Iterator, Mapping

from thresher.ir.fields import FloatRule, Json

_NUMBER = FloatRule()


class Parameters(Mapping[str, float]):
    """An immutable mapping of names to numbers, in the order of the names, and hashable."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Mapping[str, float] | None = None) -> None:
        self._numbers = dict(sorted((numbers or {}).items()))

    def __getitem__(self, name: str) -> float:
        return self._numbers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __hash__(self) -> int:
        return hash(tuple(self._numbers.items()))

    def __repr__(self) -> str:
        return f"Parameters({self._numbers})"


class ParametersRule:
    """A mapping of names to finite numbers."""

    expected = "a mapping of names to finite numbers, such as {a: 0.02}"

    def parse(self, value: object) -> Parameters:
        if not isinstance(value, Mapping):
            raise ValueError(self.expected)
        return Parameters(dict(self._item(name, number) for name, number in value.items()))

    def _item(self, name: object, number: object) -> tuple[str, float]:
        if not isinstance(name, str) or not name:
            raise ValueError(f"{self.expected}; {name!r} is no name")
        try:
            return name, _NUMBER.parse(number)
        except ValueError:
            raise ValueError(f"{self.expected}; '{name}' is {number!r}") from None

    def dump(self, value: Parameters) -> object:
        return {name: _NUMBER.dump(number) for name, number in value.items()}

    def schema(self) -> Json:
        return {
            "type": "object",
            "propertyNames": {"minLength": 1},
            "additionalProperties": _NUMBER.schema(),
        }
