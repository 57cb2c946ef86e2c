"""The activation of neurons whose count has no closed form: their model run on even input."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thresher.diagnosis.staircase import Staircase, staircase_of
from thresher.ir.linear_map import Shape
from thresher.ir.spiking import Spiking, spread
from thresher.sim import Population
from thresher.sim.contract import Options
from thresher.sim.neurons import (
    Differential,
    Graded,
    Integrator,
    Time,
    Window,
    ceiling_of,
    model_of,
    neuron_of,
)
from thresher.sim.neurons.model import EVERY

Floats = NDArray[np.float64]

GRAIN = 2.0**-32
"""Thresholds: mean inputs are rounded to it, so that what means a tie adds up to one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class EvenRun(Staircase):
    """h'(z): what a population says after T steps of lockstep under the constant current z.

    It is run neuron by neuron in float64, which takes longer than to simulate it where few spikes
    come; `lowest` and `levels` bound what it can say. In schedule `layered` it is the level of its
    `window`.
    """

    population: Population
    shift: Floats
    window: Window | None

    @property
    def uniform_error(self) -> Floats:
        """NaN: no distance from the line is known without running."""
        return np.full_like(self.theta, np.nan)

    def __call__(self, z: Floats) -> Floats:
        """Return the activation for mean inputs z (N, *shape)."""
        order, grain = self.population.row_major, GRAIN * self.theta
        current = np.rint((z + self.shift) / grain) * grain
        said = np.empty((len(z), self.population.size))
        for image, row in zip(said, current.reshape(said.shape), strict=True):
            image[order] = self._counts(row[order])
        return self.value(said.reshape(z.shape))

    def _counts(self, current: Floats) -> Floats:
        """Return what neurons under constant currents say, in thresholds: engines' order."""
        population, steps = self.population, self.steps
        if self.window is not None:
            v = steps * current + population.v_init
            levels: Floats = self.window.levels(v, population.theta, steps, steps)
            return levels
        time = Time(Options("lockstep", steps), current.dtype)
        neurons = neuron_of(population)(population, current, time)
        counts = np.zeros_like(current)
        for step in range(1, steps + 1):
            neurons.begin_step(step)
            neurons.end_step(step)
            signs = neurons.signs(EVERY, step)
            fired = np.flatnonzero(signs)
            neurons.reset(fired, signs[fired], step)
            counts += worth(signs, step, steps, model_of(population).differential)
        return counts


def even_run_of(
    spiking: Spiking,
    population: Population,
    steps: int,
    dtype: type[np.floating],
    layered: bool,
) -> EvenRun | None:
    """Return the even run of a population; None where its model leaks or has no such currents."""
    model = model_of(population)
    if not issubclass(model, Integrator):
        return None
    shape: Shape = population.shape
    levels = float(model.payload_of(population, steps) * steps)
    if issubclass(model, Differential):
        most = levels * (1 / np.arange(1, steps + 1)).sum()
        levels = float(min(most, ceiling_of(population) * steps))
    falls = issubclass(model, Graded) and model.rule_of(population, steps).least < 0
    stairs = staircase_of(spiking, shape, steps, levels, dtype, -levels if falls else 0)
    alone = replace(
        population,
        theta=population.theta.astype(np.float64),
        v_init=population.v_init.astype(np.float64),
        operation=None,
    )
    shift = spread(spiking.shift, shape)
    window = model.window_of(alone, steps) if layered else None
    return EvenRun(**vars(stairs), population=alone, shift=shift, window=window)


def worth(
    payloads: NDArray[np.integer], step: int | NDArray[np.integer], steps: int, differential: bool
) -> Floats:
    """Return how much payloads of a step add to T times what a neuron says, in thresholds.

    Those of differential neurons count at every step from theirs on, divided by its number.
    """
    share: Floats = steps / np.asarray(step, np.float64) if differential else np.ones(())
    weighed: Floats = payloads * share
    return weighed
