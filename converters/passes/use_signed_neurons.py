"""use-signed-neurons: neurons that take spikes back, so that counts end as the quantised ANN's."""

from dataclasses import dataclass, replace
from typing import ClassVar

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import (
    LARGEST_PAYLOAD,
    change_populations,
    divided,
    expect_no_pool_before,
    expect_payload,
    expect_plain,
)
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import IntRule, ruled
from thresher.ir.inflow import inflow_of
from thresher.ir.ops import MaxPool2d, Qcfs
from thresher.ir.parameters import Parameters
from thresher.ir.spiking import SIGNED, SIGNED_BURST


@register_pass
@dataclass(frozen=True)
class UseSignedNeurons(Pass):
    """Make every population one of `signed_if` (ST-BIF, You et al. 2024) or `signed_burst`.

    When such a network has settled (`simulate --settle`), each neuron's net count is the quantised
    ANN's, clip(floor((total input + v_init) / theta), 0, L) with L = T, whatever the delays and the
    order of the spikes; with v_init = theta / 2 that is rounding.

    Parameters
    ----------
    cap : int
        The largest payload of a spike; from 2 on neurons are `signed_burst`. Where it is L or more
        a run in lockstep without delays has the counts at once, and need not settle.
    members : int
        Into how many parts a threshold is divided, all of which one spike may carry: theta / m,
        cap m, L = m T. 2^b - 1 is the greedy binary firing of b thresholds (Zhang et al. 2026).

    Notes
    -----
    Thresholds have to be set before, initial potentials after. A qcfs node keeps its levels L: its
    threshold becomes max * T / L, so that n of L spikes stand for max * n / L over T steps; where L
    is not T the network is made for T steps; members do not divide it. Max pools stay, as
    populations that follow the largest count of a window; one that does not read the activations of
    populations as they are is refused.
    """

    name: ClassVar[str] = "use-signed-neurons"
    cap: int = ruled(IntRule(1, LARGEST_PAYLOAD), 1)
    members: int = ruled(IntRule(1, LARGEST_PAYLOAD), 1)

    def apply(self, graph: Graph, context: Context) -> Graph:
        expect_payload(self.cap * self.members)
        signed = change_populations(graph, context, lambda n, s: self._signed(graph, n, s, context))
        if any(isinstance(node.op, MaxPool2d) for node in signed):
            inflow_of(signed)  # refuses by name a pool that no population can stand for
        return signed

    def _signed(self, graph: Graph, node: Node, spiking: Spiking, context: Context) -> Spiking:
        expect_plain(node, spiking)
        expect_no_pool_before(graph, node, "which does not settle")
        context.note(node.name, "signed", "negative spikes take back what was fired too early")
        qcfs = node.op if isinstance(node.op, Qcfs) else None
        if qcfs is not None:
            spiking = _with_levels(qcfs, spiking, context)
        cap = self.cap * self.members
        if cap == 1:
            return replace(spiking, neuron=SIGNED)
        if qcfs is None and self.members > 1:
            spiking = divided(graph, node, spiking, self.members)
        if qcfs is None and self.cap > 1:
            spiking = replace(spiking, levels=self.members * context.time_steps)
        return replace(spiking, neuron=SIGNED_BURST, parameters=Parameters({"cap": float(cap)}))


def _with_levels(qcfs: Qcfs, spiking: Spiking, context: Context) -> Spiking:
    """Let n of a qcfs node's L spikes stand for max * n / L over T steps."""
    if spiking.threshold != qcfs.max:
        raise PassError(
            f"its threshold is not its max, {qcfs.max:g}, so that its levels would not be met; "
            "set balance-thresholds.own_ceiling to 'use'"
        )
    threshold = qcfs.max * context.time_steps / qcfs.levels
    return replace(spiking, threshold=threshold, levels=qcfs.levels)
