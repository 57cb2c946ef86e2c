"""The integrate-and-fire neuron."""

from typing import ClassVar

from thresher.sim.network import Population
from thresher.sim.neurons.model import NEURONS, Ints, Reals


class IntegrateAndFire:
    """Integrate without leak; fire at the threshold.

    v(t) = v(t - 1) + input(t);  spike when v >= theta, then
    soft reset: v -= theta;      hard reset: v = v_reset.

    With soft reset, theta * spikes = total input + v_init - v at every time (charge balance).
    Rueckauer et al. 2017; Deng and Gu 2021.
    """

    name: ClassVar[str] = "if"
    has_kernel: ClassVar[bool] = True

    def reset(self, population: Population, u: Reals, fired: Ints, ramp: Reals | float) -> None:
        if population.hard_reset:
            u[fired] = u.dtype.type(population.v_reset) - ramp
        else:
            u[fired] -= population.theta[fired]


NEURONS.register(IntegrateAndFire.name, IntegrateAndFire())
