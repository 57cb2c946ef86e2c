"""Time codes: neurons that say a value by the times of their spikes, and how finely they can."""

FEW_SPIKES = "few_spikes"
TTFS = "ttfs"
TWO_SPIKE = "two_spike"
TIME_CODED = (FEW_SPIKES, TTFS, TWO_SPIKE)
"""Neurons whose spikes mean something only in a window of their own: the schedule `layered`."""


def time_levels(neuron: str, steps: int) -> int:
    """Return into how many parts of its threshold a neuron's window of T steps divides a value.

    2^T for `few_spikes`, T for `ttfs`, T - 1 for `two_spike`, whose two spikes are at most that
    many steps apart.
    """
    if neuron == FEW_SPIKES:
        return 1 << steps
    return steps - 1 if neuron == TWO_SPIKE else steps
