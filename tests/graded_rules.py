"""The rules of graded neurons as the papers write them, one neuron and one step at a time."""

from math import floor

from thresher.sim import Population


def payload(neuron: str, v: float, n: int, theta: float, most: int, **given: float) -> int:
    """Return what a neuron of potential v and net count n sends; 0 for nothing."""
    cap = int(given.get("cap", 1))
    if neuron == "burst":
        return max(0, min(floor(v / theta), cap))
    if neuron in ("signed_if", "signed_burst"):
        wanted = max(-n, min(floor(v / theta), most - n))
        return max(-cap, min(wanted, cap))
    if neuron == "snm":
        return 1 if v >= theta else -1 if v <= -theta and n > 0 else 0
    if neuron == "imbalanced":
        return 1 if v >= theta else -1 if v <= -theta / given["slope"] else 0
    if neuron == "multi_threshold":
        for power in (2**i for i in reversed(range(int(given["thresholds"])))):
            if v >= 0.75 * power * theta:
                return power
            if v <= -0.75 * power * theta and n >= power:
                return -power
        return 0
    raise ValueError(neuron)


def reset(neuron: str, sent: int, theta: float, **given: float) -> float:
    """Return what the potential loses with a spike."""
    return sent * (theta / given["slope"] if neuron == "imbalanced" and sent < 0 else theta)


def most_of(population: Population, steps: int) -> int:
    """Return the largest net count that a signed neuron may come to."""
    return population.levels or int(population.parameters.get("cap", 1)) * steps


def group_of(members: int, theta: float, v: float) -> tuple[int, float]:
    """Let a group neuron fire (Lv et al. 2024): member k = 1..m at k theta / m, each theta / m.

    Returns how many members fired, and the potential that is left.
    """
    fired = sum(v >= k * theta / members for k in range(1, members + 1))
    return fired, v - fired * theta / members
