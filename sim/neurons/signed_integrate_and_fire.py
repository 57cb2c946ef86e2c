"""The signed integrate-and-fire neuron, whose net count is the quantised ANN's at the end."""

from typing import ClassVar

import numpy as np

from thresher.errors import SimulationError
from thresher.ir.spiking import SIGNED, Spiking
from thresher.sim.network import Ints, Population, Reals
from thresher.sim.neurons.integrate_and_fire import Integrator
from thresher.sim.neurons.model import NEURONS, Bools, Chosen, Signs
from thresher.sim.neurons.time import Time


class SignedIntegrateAndFire(Integrator):
    """Integrate without leak, count the spikes, and take them back with negative ones.

    v(t) = v(t - 1) + input(t), and with the net count n, 0 <= n <= L, which starts at 0:
    v >= theta and n < L:  spike +1, v -= theta, n += 1;
    v < 0 and n > 0:       spike -1, v += theta, n -= 1.

    L is the annotation's `levels`, by default T. A spike -1 delivers -theta * w. Whatever the order
    and the delays of what arrives, once nothing is pending
    n = clip(floor((total input + v_init) / theta), 0, L). The refractory rule covers both signs.
    ST-BIF of You et al. 2024 (SpikeZIP-TF).
    """

    name: ClassVar[str] = SIGNED
    has_kernel: ClassVar[bool] = True
    takes: ClassVar[frozenset[str]] = frozenset({"levels"})
    takes_back: ClassVar[bool] = True

    def __init__(self, population: Population, current: Reals, time: Time) -> None:
        super().__init__(population, current, time)
        self.n = np.zeros(population.size, np.int64)
        self.levels = population.levels or time.steps

    @classmethod
    def check(cls, spiking: Spiking) -> None:
        super().check(spiking)
        if spiking.reset == "hard":
            raise SimulationError(f"neuron '{cls.name}' keeps all charge; expected reset 'soft'")

    def signs_at(self, neurons: Chosen, v: Reals) -> Signs:
        n, theta = self.n[neurons], self.population.theta[neurons]
        up, down = (v >= theta) & (n < self.levels), (v < 0) & (n > 0)
        return up.astype(np.int8) - down.astype(np.int8)

    def opens(self, neurons: Ints) -> Bools:
        n, current = self.n[neurons], self.current[neurons]
        opens: Bools = ((current > 0) & (n < self.levels)) | ((current < 0) & (n > 0))
        return opens

    def reset(self, neurons: Ints, signs: Signs, tick: int) -> None:
        super().reset(neurons, signs, tick)
        self.n[neurons] += signs


NEURONS.register(SignedIntegrateAndFire.name, SignedIntegrateAndFire)
