"""Bounds: how far the membranes of a whole-number network can go in a run, and room for them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thresher.errors import SimulationError
from thresher.sim.network import Floats, Network, Population, Projection
from thresher.sim.neurons import Graded, MaxPool, model_of
from thresher.sim.rounding import LARGEST_UNITS
from thresher.sim.synapses import transmit

LARGEST_RAMP = 2**62
"""What current * tick may be: an int64 holds it."""
SPARE = 4
"""Times the largest pixel of the calibration that any image may bring where the membranes are
int32; a larger one is refused by name."""


@dataclass(frozen=True)
class Extent:
    """How long a run may be: steps with input, ticks in all, and ticks between two spikes."""

    steps: int
    ticks: int
    refractory: int = 0

    @property
    def most_spikes(self) -> int:
        """The spikes that one neuron can fire."""
        return -(-self.ticks // (self.refractory + 1))


def fit_membranes(network: Network, extent: Extent, largest_input: float) -> Network:
    """Take the narrowest membranes that cannot overflow in a run: int32, or int64.

    At any time of any schedule a membrane, or the part of it that does not ramp, is at most
    2 (|v_init| + T |current| + sum of |PSP| * most spikes) + theta + |v_reset|: what can come in,
    twice since spikes may have taken it off before it is called back; of graded neurons theta
    counts as often as a spike may take it. The current of each sample is compared with what this
    leaves (`Network.most_current`).

    Parameters
    ----------
    largest_input : float
        The largest |pixel| to expect; images up to `SPARE` times as large are within the bound.

    Raises
    ------
    SimulationError
        Where not even int64 is safe.
    """
    fixed = [_fixed(network, population, extent) for population in network.populations]
    expected = np.concatenate([p.current for p in network.populations])
    expected = np.abs(expected) + _analog(network, SPARE * largest_input)
    needed = np.concatenate(fixed) + 2 * extent.steps * (expected * network.scale + 1)
    if needed.max() > LARGEST_UNITS:
        name = network.populations[_population_at(network, int(needed.argmax()))].name
        raise SimulationError(
            f"node '{name}' may reach {needed.max():,.0f} units of precision 'int' in "
            f"{extent.steps} steps, and at most {LARGEST_UNITS:,} are exact; take fewer bits "
            "(--set quantize.bits=N) or fewer steps"
        )
    narrow = needed.max() < np.iinfo(np.int32).max
    dtype = np.dtype(np.int32 if narrow else np.int64)
    room = (np.iinfo(np.int32).max - 1 if narrow else LARGEST_UNITS) - np.concatenate(fixed)
    most = np.minimum(room // (2 * extent.steps), LARGEST_RAMP // max(extent.ticks, 1))
    return replace(
        network,
        populations=tuple(_narrowed(p, dtype) for p in network.populations),
        dtype=dtype,
        most_current=most.astype(np.int64),
    )


def _fixed(network: Network, population: Population, extent: Extent) -> Floats:
    """Return what bounds a population's membranes, but for the constant current."""
    received = np.zeros(population.size)
    for projection in network.projections:
        if projection.target == population.rank:
            received += _received(network, projection, extent)
    bound = 2 * (np.abs(population.v_init) + received) + abs(population.v_reset)
    return bound + _compared(population, extent) if population.fires else bound


def _compared(population: Population, extent: Extent) -> Floats:
    """Return the largest number with which a comparison or a reset reckons, but potentials."""
    model, theta = model_of(population), population.theta.astype(np.float64)
    if not issubclass(model, Graded):
        return theta
    down = model.rule_of(population, extent.steps).down.astype(np.float64)
    return model.payload_of(population, extent.steps) * np.maximum(theta, down)


def _received(network: Network, projection: Projection, extent: Extent) -> Floats:
    """Return the largest sum that a projection can bring each target, whatever the signs."""
    source = network.populations[projection.source]
    target = network.populations[projection.target]
    # A weight is at least -LARGEST_PSP, so that its magnitude is an int16 too.
    synapses = replace(projection.synapses, weights=np.abs(projection.synapses.weights))
    most = float(_most(network, source, extent))
    return transmit(synapses, np.full(source.size, most), target.size)


def _most(network: Network, source: Population, extent: Extent) -> int:
    """Return the largest sum of payloads, net of those taken back, that a source can send."""
    if source.neuron == "input":
        return extent.ticks
    if source.neuron == MaxPool.name:
        followed = {p.source for p in network.projections if p.target == source.rank}
        return max(_most(network, network.populations[rank], extent) for rank in followed)
    model = model_of(source)
    if not issubclass(model, Graded):
        return extent.most_spikes
    rule = model.rule_of(source, extent.steps)
    return min(rule.most, rule.cap * extent.most_spikes)


def _analog(network: Network, largest_input: float) -> Floats:
    """Return the largest current that images of such pixels bring, for all neurons."""
    current = np.zeros(network.offsets[-1])
    for rank, linear in network.analog:
        population = network.populations[rank]
        image = np.full((1, *linear.in_shape), largest_input)
        reached = linear.magnitudes().weigh(image)[0].ravel()[population.row_major]
        current[network.offsets[rank] : network.offsets[rank + 1]] += reached
    return current


def _population_at(network: Network, neuron: int) -> int:
    return int(np.searchsorted(network.offsets, neuron, "right")) - 1


def _narrowed(population: Population, dtype: np.dtype[Any]) -> Population:
    largest = np.iinfo(dtype).max  # a readout's theta, which nothing reaches
    theta = np.minimum(population.theta, largest).astype(dtype)
    return replace(population, theta=theta, v_init=population.v_init.astype(dtype))
