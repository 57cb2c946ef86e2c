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


POSITIVE = FloatRule(0.0, exclusive=True)
PSP = Parameter(1.0, "mV", "what one spike brings through a weight of 1", POSITIVE)
"""For models whose threshold is a potential of their own, not what a spike stands for."""
MILLISECONDS = Parameter(1.0, "ms", "the length of a step", POSITIVE)
"""For models with constants in milliseconds."""
