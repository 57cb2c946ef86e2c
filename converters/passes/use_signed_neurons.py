"""use-signed-neurons: neurons that take spikes back, so that counts end as the quantised ANN's."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import change_populations
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.inflow import inflow_of
from thresher.ir.ops import MaxPool2d, Qcfs
from thresher.ir.spiking import SIGNED


@register_pass
@dataclass(frozen=True)
class UseSignedNeurons(Pass):
    """Make every population one of `signed_if` (ST-BIF, You et al. 2024).

    When such a network has settled (`simulate --settle`), each neuron's net count is the quantised
    ANN's, clip(floor((total input + v_init) / theta), 0, L) with L = T, whatever the delays and the
    order of the spikes; with v_init = theta / 2 that is rounding.

    Notes
    -----
    Thresholds have to be set before, initial potentials after. A qcfs node keeps its levels L: its
    threshold becomes max * T / L, so that n of L spikes stand for max * n / L over T steps; where L
    is not T the network is made for T steps. Max pools stay, as populations that follow the largest
    count of a window; one that does not read the activations of populations as they are is refused.
    """

    name: ClassVar[str] = "use-signed-neurons"

    def apply(self, graph: Graph, context: Context) -> Graph:
        signed = change_populations(graph, context, lambda node, s: _signed(node, s, context))
        if any(isinstance(node.op, MaxPool2d) for node in signed):
            inflow_of(signed)  # refuses by name a pool that no population can stand for
        return signed


def _signed(node: Node, spiking: Spiking, context: Context) -> Spiking:
    if spiking.reset == "hard":
        raise PassError("hard reset loses charge, and no count is exact; take 'hard-reset' out")
    if spiking.v_init != 0:
        raise PassError("v_init is set already; put 'init-potential' after 'use-signed-neurons'")
    context.note(node.name, "signed", "negative spikes take back what was fired too early")
    if not isinstance(node.op, Qcfs):
        return replace(spiking, neuron=SIGNED)
    if spiking.threshold != node.op.max:
        raise PassError(
            f"its threshold is not its max, {node.op.max:g}, so that its levels would not be met; "
            "set balance-thresholds.own_ceiling to 'use'"
        )
    threshold = node.op.max * context.time_steps / node.op.levels
    return replace(spiking, neuron=SIGNED, threshold=threshold, levels=node.op.levels)
