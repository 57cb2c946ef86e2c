"""TimeCoded: neurons that say a value by when they fire, once their whole input is in."""

from typing import ClassVar

from thresher.errors import SimulationError
from thresher.ir.spiking import Spiking
from thresher.sim.neurons.model import Model
from thresher.sim.neurons.window import Window


class TimeCoded(Model):
    """Fire in the T steps after those in which the input came; a spike brings what its step says.

    So a layer has to wait for all of that before it: schedule `layered` alone. A population at
    depth d fires in steps dT + 1 .. (d + 1) T. Charge balance holds as for `if`: theta times the
    sum of sign * charge is the total input + v_init - v.
    """

    window: ClassVar[Window]

    @classmethod
    def check(cls, spiking: Spiking) -> None:
        super().check(spiking)
        if spiking.reset == "hard":
            raise SimulationError(
                f"neuron '{cls.name}' fires once its whole input is in, and has no reset; expected "
                "reset 'soft', which is the default"
            )
