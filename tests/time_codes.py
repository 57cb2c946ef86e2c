"""What a spike of a time-coded neuron stands for by its step, and graphs of such neurons."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from signed_strategies import SignedBuilder
from strategies import Builder, Shape

from thresher.ir import Graph, Spiking, Tensor
from thresher.ir.spiking import spread

CODES = ("few_spikes", "ttfs", "two_spike")
STANDS_FOR: dict[str, Callable[[NDArray[np.int64], int], NDArray[np.float64]]] = {
    "if": lambda j, steps: np.ones(len(j)),
    "few_spikes": lambda j, steps: steps * 0.5**j,
    "ttfs": lambda j, steps: steps - (j - 1.0),
    "two_spike": lambda j, steps: steps * (steps - j) / (steps - 1),
}
"""Of theta: T times what the spike at step j of the window says, before its sign."""
EXACT_STEPS = (5, 3, 2, 9)
"""T for which T - 1 is a power of two, so that no level of `two_spike` rounds."""


class TimeBuilder(SignedBuilder):
    """Draws neurons of one time code, and max pools between them."""

    code = ""

    def annotation(self, name: str, shape: Shape) -> Spiking:
        spiking = super().annotation(name, shape)
        return replace(spiking, neuron=self.code, levels=None, parameters={})


class MixedBuilder(Builder):
    """Draws a code for each population; spike counts are one."""

    def annotation(self, name: str, shape: Shape) -> Spiking:
        neuron = self.draw(st.sampled_from(["if", *CODES]))
        return replace(super().annotation(name, shape), neuron=neuron)


BUILDERS: dict[str, type[Builder]] = {
    "mixed": MixedBuilder,
    **{code: type("Coded", (TimeBuilder,), {"code": code}) for code in CODES},
}


def starting_half_a_level_up(graph: Graph, steps: int) -> Graph:
    """Give every population v_init of half a level, and no shift."""
    levels = {"few_spikes": 2**steps, "ttfs": steps, "two_spike": steps - 1}
    changed = {}
    for node in graph:
        if node.spiking is not None:
            theta = spread(node.spiking.threshold, graph.shapes[node.name])
            half = theta * steps / levels[node.spiking.neuron] / 2
            spiking = replace(node.spiking, v_init=Tensor(f"{node.name}.half", half), shift=0.0)
            changed[node.name] = replace(node, spiking=spiking)
    return graph.replace_all(changed)
