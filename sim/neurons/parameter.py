"""Parameter: one number of a neuron model that an annotation may set by its name."""

from dataclasses import dataclass

from thresher.ir.fields import FloatRule


class WholeRule(FloatRule):
    """A whole number, which a specification may write with or without a decimal point."""

    @property
    def expected(self) -> str:
        return f"a whole number from {self.minimum:g} to {self.maximum:g}"

    def parse(self, value: object) -> float:
        number = super().parse(value)
        if not number.is_integer():
            raise ValueError(self.expected)
        return number


@dataclass(frozen=True)
class Parameter:
    """What a parameter of a neuron model is, and what it may be.

    `unit` is empty where it has none; `meaning` completes the sentence "NAME is ...".
    """

    default: float
    unit: str
    meaning: str
    rule: FloatRule = FloatRule()


POSITIVE = FloatRule(0.0, exclusive=True)
PSP = Parameter(1.0, "mV", "what one spike brings through a weight of 1", POSITIVE)
"""For models whose threshold is a potential of their own, not what a spike stands for."""
MILLISECONDS = Parameter(1.0, "ms", "the length of a step", POSITIVE)
"""For models with constants in milliseconds."""
