"""balance-thresholds: give every population its firing threshold, from calibration data."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.converters.calibrate import (
    Histogram,
    histograms,
    iterated,
    least_square_error,
    least_square_error_of_one,
    maxima,
    percentile,
)
from thresher.converters.names import tensor_name
from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.populations import (
    is_firing_readout,
    settled_threshold,
    with_input_threshold,
)
from thresher.converters.synapses import about_biases, ceiling_of, largest_weight
from thresher.ir import Graph, Node, Spiking
from thresher.ir.fields import ChoiceRule, FloatRule, IntRule, ruled
from thresher.ir.spiking import Value

Floats = NDArray[np.float64]

STATISTICS = ("max", "max_or_weight", "percentile", "iterated", "mmse", "mmse_spike")
DEAD = 1e-6
"""A channel whose maximum is no more than this part of its layer's has no threshold of its own."""


@register_pass
@dataclass(frozen=True)
class BalanceThresholds(Pass):
    """Set the threshold of every activation node from its values over the calibration set.

    Parameters
    ----------
    statistic : str
        max: the maximum, so that nothing clips. max_or_weight: the largest weight that leads to
        the layer where that is larger, so that no single spike passes the threshold (Diehl et al.
        2015). percentile: all but a few values lie below (Rueckauer et al. 2017). iterated: what
        lies above it at first pulls a threshold up from 0, threshold += 2 mean((z - threshold)^+)
        (Bu et al. 2025); it ends at the maximum, but how soon depends on how much lies there.
        mmse: the least mean square error of the spiking staircase with v_init = threshold/2 at
        these steps (Li et al. 2021). mmse_spike: the least mean square error of one spike of a
        neuron with several thresholds, this one, its half, ... (threshold iteration, Huang et al.
        2025, over the values as they are in place of normal ones).
    granularity : str
        One threshold for a layer, or one for each channel (a linear layer's outputs are channels).
    percent : float
        The percentile.
    over : str
        Whether the percentile counts all values or the nonzero ones.
    own_ceiling : str
        Whether to use the `max` of a clipped_relu or qcfs in place of the statistic.
    factor : float
        What measured thresholds are multiplied by: below 1, more values clip and those that do not
        are told apart more finely.
    iterations : int
        How often `iterated` moves the thresholds, each time by all images.
    thresholds : int
        How many `mmse_spike` counts on.

    Notes
    -----
    With `readout: spikes` the output node becomes a population with its maximum as threshold. The
    input's threshold, for spiking encoders, becomes the largest absolute preprocessed value. A
    channel without values takes the largest threshold of its layer; a layer without any takes 1.
    `iterated` takes the values of the ANN as it is, where Bu et al. clip those of the layers before
    at thresholds that are still on their way, and move by a batch of images.
    """

    name: ClassVar[str] = "balance-thresholds"
    needs: ClassVar[frozenset[str]] = frozenset({"calibration"})
    statistic: str = ruled(ChoiceRule(STATISTICS), "max")
    granularity: str = ruled(ChoiceRule(("layer", "channel")), "layer")
    percent: float = ruled(FloatRule(0.0, exclusive=True, maximum=100.0), 99.9)
    over: str = ruled(ChoiceRule(("all", "nonzero")), "nonzero")
    own_ceiling: str = ruled(ChoiceRule(("use", "ignore")), "use")
    factor: float = ruled(FloatRule(0.0, exclusive=True, maximum=1.0), 1.0)
    iterations: int = ruled(IntRule(1), 4000)
    thresholds: int = ruled(IntRule(1, 7), 4)

    def needed(self) -> frozenset[str]:
        return self.needs | {"steps"} if self.statistic == "mmse" else self.needs

    def apply(self, graph: Graph, context: Context) -> Graph:
        ceilings = {node.name: self._ceiling(node) for node in graph if node.op.can_spike}
        measured = {name for name, ceiling in ceilings.items() if ceiling is None}
        firing = {node.name for node in graph if is_firing_readout(graph, node)}
        readouts = firing - set(ceilings)
        highest = maxima(graph, measured | readouts, context.images)
        fitted = self._fit(graph, {name: highest[name] for name in sorted(measured)}, context)
        fitted |= {
            name: self._or_weight(graph, name, highest[name].max(keepdims=True))
            for name in readouts
        }
        balanced: dict[str, Node] = {}
        for node in context.walk(graph):
            if node.name not in ceilings and node.name not in readouts:
                continue
            threshold: Value | None = ceilings.get(node.name)
            why = "its own ceiling"
            if threshold is None:
                threshold = settled_threshold(
                    tensor_name(graph, node.name, "threshold"), fitted[node.name]
                )
                why = self._why(context, fitted[node.name], node.name in readouts)
                if self.statistic == "max_or_weight":
                    why += about_biases(graph, node.name)
            context.note(node.name, "threshold", why)
            balanced[node.name] = replace(node, spiking=Spiking(threshold=threshold))
        return with_input_threshold(graph.replace_all(balanced), context)

    def _ceiling(self, node: Node) -> float | None:
        return None if self.own_ceiling == "ignore" else ceiling_of(node)

    def _fit(self, graph: Graph, highest: dict[str, Floats], context: Context) -> dict[str, Floats]:
        """Return each node's threshold, or its channels'; 0 where there is nothing to go by."""
        tops = {name: self._tops(graph, name, top) for name, top in highest.items()}
        if self.statistic in ("max", "max_or_weight"):
            return {name: self.factor * top for name, top in tops.items()}
        counted = histograms(graph, tops, context.images)
        return {
            name: self.factor * self._statistic(item, context) for name, item in counted.items()
        }

    def _tops(self, graph: Graph, name: str, highest: Floats) -> Floats:
        tops = highest.max(keepdims=True) if self.granularity == "layer" else highest
        alive: Floats = np.where(tops > DEAD * highest.max(), tops, 0.0)
        return self._or_weight(graph, name, alive)

    def _or_weight(self, graph: Graph, name: str, tops: Floats) -> Floats:
        if self.statistic != "max_or_weight":
            return tops
        return np.maximum(tops, largest_weight(graph, name))

    def _statistic(self, histogram: Histogram, context: Context) -> Floats:
        if self.statistic == "mmse":
            return least_square_error(histogram, context.time_steps)
        if self.statistic == "mmse_spike":
            return least_square_error_of_one(histogram, self.thresholds)
        if self.statistic == "iterated":
            return iterated(histogram, self.iterations)
        found = percentile(histogram, self.percent, self.over)
        # So few values are positive that the percentile is 0, which is no threshold.
        settled: Floats = np.where(found > 0, found, histogram.top)
        return settled

    def _why(self, context: Context, fitted: Floats, readout: bool) -> str:
        if not fitted.max() > 0:
            return "1, as no value is positive over the calibration set"
        if readout:
            largest = "output or weight" if self.statistic == "max_or_weight" else "output"
            return f"the largest {largest} over {len(context.images)} images, as the readout fires"
        what = {
            "max": "maximum",
            "max_or_weight": "maximum, or the largest weight if larger,",
            "percentile": f"{self.percent:g}th percentile of {self.over} values",
            "iterated": f"what {self.iterations} iterations reach",
            "mmse": f"least square error at T = {context.steps}",
            "mmse_spike": f"least square error of one spike of {self.thresholds} sizes",
        }[self.statistic]
        dead = int((fitted <= 0).sum())
        if self.factor != 1:
            what = f"{self.factor:g} x {what}"
        said = f"{what} per {self.granularity} over {len(context.images)} images"
        return said + (f"; dead, with the layer's: {dead} of {len(fitted)}" if dead else "")
