"""delay-readout: the step from which on the output is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.converters.ridge import refit
from thresher.converters.synapses import own_synapses
from thresher.errors import PassError
from thresher.ir import Graph, Node, Tensor, evaluate
from thresher.ir.fields import ChoiceRule, FloatRule, IntRule, OptionalRule, ruled
from thresher.ir.inflow import deciding_node
from thresher.ir.ops import Conv2d, Linear

Array = NDArray[Any]


@register_pass
@dataclass(frozen=True)
class DelayReadout(Pass):
    """Leave the first steps out of the decision, in which spikes are still on their way.

    Bu et al. 2025 (Inference-Scale Complexity in ANN-SNN Conversion) count from when the layers
    have begun to fire. The other steps decide alone: logits = (v(t) - v(t_start)) / (t - t_start).

    Parameters
    ----------
    start : str
        fraction: a part of the steps. fitted: the t_start, up to half of the steps, with which the
        logits come nearest to the ANN's over calibration images: by the mean square of the
        difference, what all classes share left out. Of equals the earliest.
    fraction : float
        The part of the T steps that is left out, below 1: t_start = floor(fraction * T).
    weights : str
        Of a linear output layer. ridge: it gets weights and a bias of its own by ridge regression,
        so that from what reaches it in the steps that decide it gives the ANN's logits, where that
        brings images that it was not fitted to nearer to them. keep: it has the ANN's.
    penalty : float
        Of the ridge regression, in units of the inputs' mean square; the larger, the less the
        weights change.
    images : int
        How many calibration images both are fitted to, the first ones. Half of them judge where
        the weights change.
    ticks_per_step : int, optional
        Fit to the asynchronous schedule with so many ticks a step; to lockstep where nothing is
        said.

    Notes
    -----
    A readout that has a t_start already is refused. `layered` decides once, at its end, and takes
    no t_start. Neither labels nor gradients are needed.
    """

    name: ClassVar[str] = "delay-readout"
    needs: ClassVar[frozenset[str]] = frozenset({"steps"})
    start: str = ruled(ChoiceRule(("fraction", "fitted")), "fraction")
    fraction: float = ruled(FloatRule(0.0, maximum=1.0), 0.25)
    weights: str = ruled(ChoiceRule(("keep", "ridge")), "keep")
    penalty: float = ruled(FloatRule(0.0, exclusive=True), 0.3)
    images: int = ruled(IntRule(2), 256)
    ticks_per_step: int | None = ruled(OptionalRule(IntRule(1)), None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fraction == 1:
            raise PassError(f"pass '{self.name}': fraction is 1 and leaves no step; expected less")

    def needed(self) -> frozenset[str]:
        return self.needs | ({"calibration", "simulator"} if self._fits else set())

    @property
    def _fits(self) -> bool:
        return self.start == "fitted" or self.weights == "ridge"

    def apply(self, graph: Graph, context: Context) -> Graph:
        if graph.readout.t_start:
            raise PassError(
                f"the readout's t_start is {graph.readout.t_start} already; take it out of the "
                "recipe's readout, or this pass out of its passes"
            )
        steps, why = context.time_steps, ""
        # A decimal's own value: 0.29 * 100 is a little less than 29 in binary.
        t_start = int(Fraction(str(self.fraction)) * steps)
        if self._fits:
            images = context.images[: self.images]
            starts = [*range(steps // 2 + 1)] if self.start == "fitted" else [t_start]
            graph, t_start = self._fit(graph, images, starts, context)
            if self.start == "fitted":
                why = f", nearest to the ANN's logits over {len(images)} images"
        for output in graph.outputs if t_start else ():
            context.note(output, "the readout", f"read after step {t_start} of {steps}{why}")
        return replace(graph, readout=replace(graph.readout, t_start=t_start))

    def _fit(
        self, graph: Graph, images: Array, starts: Sequence[int], context: Context
    ) -> tuple[Graph, int]:
        """Return the best start, and the graph with the weights that go with it."""
        target = graph[deciding_node(graph)]
        exact = evaluate(graph.upto(target.name), images)
        steps, ticks = context.time_steps, self.ticks_per_step
        layer = _layer(graph, target) if self.weights == "ridge" else None
        if layer is None:
            given = context.spikes.values(graph, images, steps, target.name, ticks)
            return graph, starts[_least([_distance(x, exact) for x in _means(given, starts)])]
        reaching = context.spikes.values(graph, images, steps, target.inputs[0], ticks)
        means = [x.astype(np.float32) for x in _means(reaching, starts)]
        kept = [_distance(layer.evaluate(x)[1::2], exact[1::2]) for x in means]
        refitted = [
            _distance(_apply(layer, x[1::2], self._refit(layer, x[::2], exact[::2])), exact[1::2])
            for x in means
        ]
        if min(kept) <= min(refitted):
            return graph, starts[_least([_distance(layer.evaluate(x), exact) for x in means])]
        best = _least(refitted)
        context.note(target.name, "weights", "refitted to the spikes that decide")
        found = self._refit(layer, means[best], exact)
        own = own_synapses(graph, target.name, *found)
        return graph.replace(target.name, synapses=own), starts[best]

    def _refit(self, layer: Conv2d | Linear, x: Array, exact: Array) -> tuple[Array, Array]:
        return refit(layer, x, exact - layer.evaluate(x), self.penalty)


def _layer(graph: Graph, target: Node) -> Conv2d | Linear | None:
    """Return the output layer as the SNN has it, where its weights can be refitted."""
    op = target.synaptic_op
    alone = target.spiking is None and target.inputs[0] in graph
    return op if alone and isinstance(op, Conv2d | Linear) else None


def _apply(layer: Conv2d | Linear, x: Array, found: tuple[Array, Array]) -> Array:
    """Evaluate a layer with other weights and another bias."""
    weight, bias = found
    return replace(layer, weight=Tensor("weight", weight), bias=Tensor("bias", bias)).evaluate(x)


def _means(given: Array, starts: Sequence[int]) -> Iterator[Array]:
    """Yield what is given a step on average after each start, (n, *shape)."""
    upto = np.cumsum(given, axis=1, dtype=np.float64)
    for start in starts:
        before = upto[:, start - 1] if start else 0.0
        yield (upto[:, -1] - before) / (given.shape[1] - start)


def _least(errors: Sequence[float]) -> int:
    return int(np.argmin(errors))


def _distance(logits: Array, exact: Array) -> float:
    return float(((_apart(logits) - _apart(exact)) ** 2).sum())


def _apart(logits: Array) -> Array:
    """Take off what all outputs of an image share, where there are several."""
    flat = logits.reshape(len(logits), -1).astype(np.float64)
    return flat - flat.mean(axis=1, keepdims=True) if flat.shape[1] > 1 else flat
