"""Payload: what one spike of a population may carry, so that nobody compares it with one bit."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2

from thresher.sim.network import Network
from thresher.sim.neurons import MaxPool, model_of


@dataclass(frozen=True)
class Payload:
    """`levels` values that a neuron may send at once, nothing included; none beyond `largest`.

    A binary neuron has 2 levels and a signed one 3; a spike of either takes one addition or
    subtraction a synapse. From a `largest` of 2 on it takes a multiplication too.
    """

    levels: int
    largest: int

    @property
    def bits(self) -> float:
        """The binary logarithm of the levels."""
        return log2(self.levels)


BINARY = Payload(2, 1)


def payloads_of(network: Network, steps: int) -> dict[str, Payload]:
    """Return what the spikes of each spiking population carry in a run of T steps."""
    return {p.name: payload_of(network, p.rank, steps) for p in network.spiking}


def payload_of(network: Network, rank: int, steps: int) -> Payload:
    """Return what a spike of one population carries; a max pool passes on what it follows."""
    population = network.populations[rank]
    if population.neuron != MaxPool.name:
        model = model_of(population)
        return Payload(model.levels_of(population, steps), model.payload_of(population, steps))
    followed = {p.source for p in network.projections if p.target == rank}
    payloads = [payload_of(network, source, steps) for source in followed]
    largest = max((payload.largest for payload in payloads), default=1)
    takes_back = any(payload.levels > payload.largest + 1 for payload in payloads)
    return Payload((2 if takes_back else 1) * largest + 1, largest)


def richest(payloads: Mapping[str, Payload]) -> Payload:
    """Return the most that spikes of any population carry: of levels, and of size."""
    every = [BINARY, *payloads.values()]
    return Payload(max(p.levels for p in every), max(p.largest for p in every))
