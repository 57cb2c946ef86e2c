"""use-time-code: neurons that say a value by when they fire, not by how often."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.names import tensor_name
from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import (
    change_populations,
    expect_no_pool_before,
    scaled,
)
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import ChoiceRule, ruled
from thresher.ir.inflow import inflow_of
from thresher.ir.ops import MaxPool2d
from thresher.ir.time_codes import FEW_SPIKES, TTFS, TWO_SPIKE, time_levels

NEURONS = {"few-spikes": FEW_SPIKES, "ttfs": TTFS, "two-spike": TWO_SPIKE}
SAYS = {
    "few-spikes": "the bits of its value, one a step",
    "ttfs": "one spike, the earlier the larger",
    "two-spike": "the time between two spikes",
}


@register_pass
@dataclass(frozen=True)
class UseTimeCode(Pass):
    """Make every population say its value by when it fires (`simulate --schedule layered`).

    Parameters
    ----------
    code : str
        few-spikes: T bits, at most T spikes (Stoeckl and Maass 2021). ttfs: one spike (Stanojevic
        et al. 2023). two-spike: the time between two (Han and Roy 2020).
    rounding : str
        floor: the largest level that is not above the value, as the spikes' times have it. nearest:
        populations start half a level up, which halves the error; it is made for T steps.

    Notes
    -----
    Thresholds have to be set before: they are the largest value that can be said, but for
    few-spikes, which says threshold (1 - 2^-T). Max pools stay where 'replace-unsupported' keeps
    them, as populations that say the largest value of a window; one that does not read the
    activations of populations as they are is refused.
    """

    name: ClassVar[str] = "use-time-code"
    code: str = ruled(ChoiceRule(tuple(NEURONS)), "few-spikes")
    rounding: str = ruled(ChoiceRule(("floor", "nearest")), "floor")

    def needed(self) -> frozenset[str]:
        return frozenset({"steps"} if self.rounding == "nearest" else ())

    def apply(self, graph: Graph, context: Context) -> Graph:
        def code(node: Node, spiking: Spiking) -> Spiking:
            expect_no_pool_before(graph, node, "and no neuron of these says a value by time")
            starts = node.name not in graph.outputs or graph.readout.kind == "spikes"
            name = tensor_name(graph, node.name, "v_init")
            return self._coded(node, spiking, context, name if starts else None)

        coded = change_populations(graph, context, code)
        if any(isinstance(node.op, MaxPool2d) for node in coded):
            inflow_of(coded)  # refuses by name a pool that no population can stand for
        return coded

    def _coded(self, node: Node, spiking: Spiking, context: Context, v_init: str | None) -> Spiking:
        """Return the annotation; `v_init` names its start's tensor, None where it starts at 0."""
        if spiking.reset == "hard":
            raise PassError("its neurons have no reset; take 'hard-reset' out of the recipe")
        if spiking.v_init != 0 or spiking.shift != 0:
            raise PassError(
                "v_init or shift is set already, for spike counts; take 'init-potential' and "
                "'shift' out of the recipe: use-time-code.rounding=nearest does what they do"
            )
        neuron = NEURONS[self.code]
        context.note(node.name, self.code, SAYS[self.code])
        coded = replace(spiking, neuron=neuron)
        if self.rounding == "floor" or v_init is None:
            return coded
        levels = time_levels(neuron, context.time_steps)
        if not levels:
            raise PassError("the time between two spikes needs --steps 2 or more")
        context.note(node.name, "v_init", f"half of one of {levels} levels")
        half = context.time_steps / (2 * levels)
        return replace(coded, v_init=scaled(spiking.threshold, half, v_init))
