"""Network: the populations and projections that an engine runs, as flat arrays.

Engines number a population's neurons in (h, w, c) order, channels last, so that a spike's
synapses onto one position lie side by side; `Population.row_major` translates to the order of
files and traces. Everything here is in the engine's precision, rounded once from float64. Where
that is whole numbers, each neuron counts its potential in units of its own (`Network.scale`).
"""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.ir.linear_map import LinearMap, Shape
from thresher.ir.node import Readout
from thresher.ir.operation import Operation
from thresher.ir.parameters import Parameters
from thresher.sim.rounding import LARGEST_PSP, weight_dtype

Reals = NDArray[Any]
"""Potentials in the engine's precision: float32, float64, int32 or int64."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LONGEST_DELAY = 2**30
"""Ticks: no run is as long."""


def engine_order(shape: Shape) -> Ints:
    """Return the row-major index of each neuron of a population, in the engines' order."""
    index = np.arange(prod(shape))
    return index.reshape(shape[0], -1).T.ravel() if len(shape) > 1 else index


@dataclass(frozen=True, eq=False)
class Population:
    """The neurons of one node; arrays (n,) in the engines' order.

    `neuron` names the model; "input" is a population that an encoder drives, "readout" one that
    integrates and never fires (its theta is infinite, or the largest whole number), "operand" one
    that does so for the population behind it, whose neurons follow an `operation`. `current` is
    bias + shift per step, float64 and not scaled; a sample's analog input is added before the sum
    is rounded. `levels` is the largest net count of a signed model, None standing for T; `tau` the
    time constant of the leak, in steps; `parameters` are all that the model has. A "max_pool"
    counts: its theta is 1.
    """

    name: str
    shape: Shape
    rank: int
    neuron: str
    theta: Reals
    v_init: Reals
    current: Floats
    hard_reset: bool
    v_reset: float
    levels: int | None = None
    tau: float = np.inf
    parameters: Parameters = Parameters()
    operation: Operation | None = None
    """What its neurons follow, on the potentials of the population before it, its operand."""

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def fires(self) -> bool:
        return self.neuron not in ("readout", "operand")

    @property
    def psp(self) -> Floats:
        """What one spike of each neuron brings through a weight of 1: theta, or a parameter."""
        if "psp" in self.parameters:
            return np.full(self.size, self.parameters["psp"])
        return self.theta.astype(np.float64)

    @cached_property
    def row_major(self) -> Ints:
        """The row-major index of each neuron."""
        return engine_order(self.shape)

    def drive(self, total: Reals, steps: int) -> Reals:
        """Return what its operation makes of an operand's potentials after so many steps.

        Both are in the engines' order and in one precision.
        """
        assert self.operation is not None
        gathered = np.empty_like(total)
        gathered[self._operand_order] = total
        return self.operation.follow(gathered, steps).ravel()[self.row_major]

    @cached_property
    def _operand_order(self) -> Ints:
        assert self.operation is not None
        return engine_order(self.operation.operand_shape)


@dataclass(frozen=True, eq=False)
class RunSynapses:
    """Synapses with shared weights (conv, dense), as runs of neighbouring targets.

    Source neuron j uses row `rows[j]` (-1: it reaches nothing) = position * n_channels + channel.
    Entry e of the position's `indptr` range is one run: it adds `weights[channel, tap[e]]` to the
    `run_length` targets from `start[e] + group * run_length` on, where group is the channel's.
    A position's runs ascend in `start`; where the targets of two follow each other, so do their
    taps (a stride of 1), and with them the weights that one spike needs.
    """

    rows: NDArray[np.int32]
    indptr: NDArray[np.int32]
    start: NDArray[np.int32]
    tap: NDArray[np.int32]
    weights: Reals
    """(channels, taps, run length)"""
    groups: int

    def of(self, neuron: int) -> tuple[Ints, Reals]:
        """Return the targets of one source neuron, ascending, and the weights onto them."""
        row = int(self.rows[neuron])
        n_channels, _, length = self.weights.shape
        if row < 0:
            return np.zeros(0, np.int64), self.weights[:0, 0, 0]
        position, channel = divmod(row, n_channels)
        runs = slice(self.indptr[position], self.indptr[position + 1])
        group = channel // (n_channels // self.groups)
        targets = self.start[runs, None].astype(np.int64) + group * length + np.arange(length)
        return targets.ravel(), self.weights[channel, self.tap[runs]].ravel()

    def by_output(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Turn the runs round, where there is one group: what reaches each output position.

        Returns (indptr over outputs, input position, tap), positions ascending.
        """
        length = self.weights.shape[2]
        outputs = int(self.start.max(initial=0)) // length + 1
        position = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        order = np.lexsort((position, self.start))
        counts = np.bincount(self.start // length, minlength=outputs)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        return indptr.astype(np.int32), position[order].astype(np.int32), self.tap[order]

    def entry_order(self, neurons: Ints) -> Ints:
        """Return the order in which lockstep delivers these neurons' spikes: by position."""
        return np.argsort(self.rows[neurons] // len(self.weights), kind="stable")

    def reach(self) -> NDArray[np.int32]:
        """Count the targets of a spike that enters at each position."""
        targets: Ints = np.diff(self.indptr) * self.weights.shape[2]
        return targets.astype(np.int32)

    def fan_out(self) -> Ints:
        """Count the targets of each source neuron."""
        reach = self.reach()[self.rows // len(self.weights)]
        return np.where(self.rows >= 0, reach, 0).astype(np.int64)


@dataclass(frozen=True, eq=False)
class SparseSynapses:
    """Synapses listed one by one (identity, sparse): CSR by source neuron, targets ascending."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weights: Reals

    def entry_order(self, neurons: Ints) -> Ints:
        """Return the order in which lockstep delivers these neurons' spikes: their own."""
        return np.arange(len(neurons))

    def of(self, neuron: int) -> tuple[Ints, Reals]:
        """Return the targets of one source neuron, ascending, and the weights onto them."""
        entries = slice(self.indptr[neuron], self.indptr[neuron + 1])
        return self.indices[entries].astype(np.int64), self.weights[entries]

    def fan_out(self) -> Ints:
        """Count the targets of each source neuron."""
        return np.diff(self.indptr).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Projection:
    """All synapses from one population to another; a spike arrives `delay` ticks after it left.

    Weights are post-synaptic potentials: the source's theta is in them. `kind` is "conv",
    "dense", "sparse" or "identity"; or "window", onto a max pool, whose synapses say which windows
    a source lies in, and weigh 1. Of a `differential` one a spike sent in step t also brings its
    weight / t at every step after the one in which it arrives.
    """

    source: int
    target: int
    kind: str
    synapses: RunSynapses | SparseSynapses
    delay: int
    differential: bool = False


@dataclass(frozen=True, eq=False)
class Network:
    """Populations in rank order, the readout last, and one projection per connected pair.

    `analog` maps the preprocessed image to the constant current of the populations that it feeds.
    `dtype` is that of theta, v_init, currents and membranes: float32, float64, int32 or int64.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    analog: tuple[tuple[int, LinearMap], ...]
    readout: Readout
    dtype: np.dtype[Any]
    dense_macs: int
    input_macs: int
    scale: Floats
    """Units of the membrane that stand for 1, for all neurons; 1 where the precision is real."""
    operator_macs: int = 0
    """Multiply-accumulates of the matrix products that operators compute of their operands."""
    most_current: Ints | None = None
    """The largest |current| per step with which no membrane can overflow, for all neurons."""

    @property
    def is_whole(self) -> bool:
        """Whether everything is whole numbers (`int` precision)."""
        return self.dtype.kind == "i"

    @property
    def weight_dtype(self) -> np.dtype[Any]:
        """The precision of post-synaptic potentials."""
        return weight_dtype(self.dtype)

    @cached_property
    def offsets(self) -> Ints:
        """Where each population's neurons begin in arrays over all neurons; one more at the end."""
        return np.concatenate([[0], np.cumsum([p.size for p in self.populations])])

    def span(self, rank: int) -> slice:
        """Return where a population's neurons stand in arrays over all neurons."""
        return slice(self.offsets[rank], self.offsets[rank + 1])

    def in_activations(self, potentials: Reals, neurons: Ints) -> Reals:
        """Return potentials (..., neurons) of these neurons in units of the ANN's activations."""
        return potentials / self.scale[neurons] if self.is_whole else potentials

    @property
    def spiking(self) -> tuple[Population, ...]:
        """The populations that fire, in rank order."""
        return tuple(p for p in self.populations if p.fires)

    @property
    def operator_values(self) -> int:
        """Count the values that operations compute of their operands, once."""
        return sum(p.size for p in self.populations if p.operation is not None)

    @property
    def nbytes(self) -> int:
        """Bytes of synapses and neurons."""
        arrays = [a for p in self.projections for a in vars(p.synapses).values()]
        arrays += [a for p in self.populations for a in (p.theta, p.v_init, p.current)]
        return sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))

    def check(self) -> None:
        """Raise ValueError where an invariant that the kernels rely on does not hold."""
        for rank, population in enumerate(self.populations):
            _expect(population.rank == rank, f"'{population.name}' is not at its rank")
            _check_operand(population, self)
            for values in (population.theta, population.v_init, population.current):
                _expect(values.shape == (population.size,), f"'{population.name}' has a wrong size")
            _expect(bool((population.theta > 0).all()), f"'{population.name}' has theta <= 0")
            for values in (population.theta, population.v_init):
                precise = values.dtype == self.dtype
                _expect(precise, f"'{population.name}' is of another precision")
        _expect(self.scale.shape == (self.offsets[-1],), "the scale has a wrong size")
        pairs = [(p.source, p.target) for p in self.projections]
        _expect(len(set(pairs)) == len(pairs), "two projections join one pair")
        for projection in self.projections:
            _check_projection(projection, self)


def _check_operand(population: Population, network: Network) -> None:
    operation = population.operation
    if operation is None:
        return
    operand = network.populations[population.rank - 1]
    fits = operand.neuron == "operand" and operand.shape == operation.operand_shape
    _expect(population.rank > 0 and fits, f"'{population.name}' has no operand before it")


def _check_projection(projection: Projection, network: Network) -> None:
    source, target = (
        network.populations[projection.source],
        network.populations[projection.target],
    )
    where = f"projection '{source.name}' -> '{target.name}'"
    back = projection.source >= projection.target
    _expect(projection.delay >= int(back), f"{where}: delay {projection.delay} goes back in time")
    too_long = f"{where}: delay {projection.delay:,} is longer than {LONGEST_DELAY:,} ticks"
    _expect(projection.delay <= LONGEST_DELAY, too_long)
    _expect(source.fires, f"{where}: the readout sends no spikes")
    synapses = projection.synapses
    precision = synapses.weights.dtype == network.weight_dtype
    _expect(precision, f"{where}: weights are of another precision")
    _expect(bool(np.isfinite(synapses.weights).all()), f"{where}: weights overflow the precision")
    lowest = synapses.weights.min(initial=0)
    _expect(not network.is_whole or lowest >= -LARGEST_PSP, f"{where}: a weight has no negative")
    if isinstance(synapses, SparseSynapses):
        _expect(len(synapses.indptr) == source.size + 1, f"{where}: indptr has a wrong length")
        _expect_within(synapses.indices, target.size, where)
        return
    channels, taps, length = synapses.weights.shape
    _expect(len(synapses.rows) == source.size, f"{where}: rows has a wrong length")
    _expect_within(synapses.rows + 1, (len(synapses.indptr) - 1) * channels + 1, where)
    _expect_within(synapses.start, target.size - length * synapses.groups + 1, where)
    _expect_within(synapses.tap, taps, where)


def _expect_within(indices: NDArray[np.integer], end: int, where: str) -> None:
    _expect(not indices.size or (indices.min() >= 0 and indices.max() < end), f"{where}: bad index")


def _expect(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
