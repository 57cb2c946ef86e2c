"""The signed burst neuron: fires and takes back as much at once as its potential asks for."""

from typing import ClassVar

import numpy as np

from thresher.ir.spiking import SIGNED_BURST
from thresher.sim.network import Population
from thresher.sim.neurons.burst import CAP
from thresher.sim.neurons.graded import Graded, Rounding, Rule
from thresher.sim.neurons.model import NEURONS
from thresher.sim.neurons.parameter import Parameter


class SignedBurst(Graded):
    """Integrate without leak, count what was sent, and send the difference to what it should be.

    With the net count n, 0 <= n <= L, which starts at 0, and the parameter `cap`, G:
    v >= theta and n < L:  spike of payload p = min(floor(v / theta), G, L - n), v -= p theta;
    v < 0 and n > 0:       spike of payload -p, p = min(ceil(-v / theta), G, n), v += p theta;
    n += payload.

    L is the annotation's `levels`, by default G T. With G = 1 it is `signed_if`, whose exactness
    once nothing is pending it shares. Where G >= L a comparison leaves n at
    clip(floor((total input so far + v_init) / theta), 0, L): in lockstep without delays every count
    is the quantised ANN's of the input so far, at every step, without settling.

    With G = 2^b - 1 one membrane does what Zhang et al. 2026 (H-MT) do with thresholds
    theta, 2 theta, ..., 2^(b - 1) theta, fired greedily in binary, and a store of what is to be
    taken back.
    """

    name: ClassVar[str] = SIGNED_BURST
    takes: ClassVar[frozenset[str]] = frozenset({"levels"})
    parameters: ClassVar[dict[str, Parameter]] = {"cap": CAP}
    counted: ClassVar[bool] = True

    @classmethod
    def rule_of(cls, population: Population, steps: int) -> Rule:
        theta, cap = population.theta, int(population.parameters["cap"])
        most = population.levels or cap * steps
        return Rule(Rounding.DOWNWARDS, cap, theta, np.zeros_like(theta), theta, 0, most)


NEURONS.register(SignedBurst.name, SignedBurst)
