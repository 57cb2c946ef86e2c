"""Parameter: one number of a neuron model that an annotation may set by its name."""

from dataclasses import dataclass

from thresher.ir.fields import FloatRule


@dataclass(frozen=True)
class Parameter:
    """What a parameter of a neuron model is, and what it may be.

    `unit` is empty where it has none; `meaning` completes the sentence "NAME is ...".
    """

    default: float
    unit: str
    meaning: str
    rule: FloatRule = FloatRule()
