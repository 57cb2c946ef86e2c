"""The sums that a diagnosis is made of, added up block by block."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thresher.diagnosis.comparison import BlockComparison, LayerValues, StairValues
from thresher.diagnosis.decompose import CAUSES
from thresher.diagnosis.diagnosis import Diagnosis
from thresher.diagnosis.layer_diagnosis import LayerDiagnosis, Moments
from thresher.diagnosis.spikes import BlockSpikes
from thresher.diagnosis.staircase import Staircase
from thresher.diagnosis.subject import Layer
from thresher.ir import Graph
from thresher.ir.threads import one_blas_thread
from thresher.sim import Result
from thresher.sim.result import Settings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROUNDING = 1e-6
"""Two ceilings that differ by no more, relative to one, are the same: one is in float32; what
differential neurons say is 0 up to it, being a sum of fractions."""


class DiagnosisSums:
    """Compare block after block, and add up; memory is a flag a neuron."""

    _settings: Settings

    def __init__(self, layers: Sequence[Layer], labelled: bool) -> None:
        self._layers, self._labelled = layers, labelled
        self._sums = {layer.name: LayerSums(layer) for layer in layers}
        self._ann_right = self._quantised_right = self._quantised_agree = self._images = 0

    def add(self, graph: Graph, x: Floats, result: Result, labels: Ints | None) -> None:
        """Take preprocessed images (N, *shape), the result whose trace holds every population."""
        settings = self._settings = result.settings
        ends = settings.schedule != "layered" and not settings.settle_limit
        end = settings.steps * settings.ticks_per_step if ends else None
        spikes = BlockSpikes(result.trace, self._layers, end)
        comparison = BlockComparison(
            graph, self._layers, x, spikes, settings.steps, settings.t_start
        )
        with one_blas_thread():
            values = self._add_layers(comparison, spikes)
            ann, quantised = comparison.ann(), comparison.quantised()
        self._add_decisions(ann.decisions, quantised.decisions, labels)
        before = ann.logits
        for layer, reached in comparison.outputs(values):
            decisions = reached.decisions
            if layer is self._layers[-1]:  # the SNN's own
                decisions = result.predictions[:, -1].astype(np.int64)
            added = reached.logits - before
            self._sums[layer.name].add_outputs(
                reached.logits - ann.logits, added, decisions, ann.decisions, labels
            )
            before = reached.logits

    def finish(self) -> Diagnosis:
        """Return the diagnosis of all blocks, of which there is at least one."""
        n, steps = self._images, self._settings.steps
        return Diagnosis(
            self._settings,
            n,
            tuple(self._sums[layer.name].finish(steps, self._labelled) for layer in self._layers),
            self._ann_right / n if self._labelled else None,
            self._quantised_right / n if self._labelled else None,
            self._quantised_agree / n,
        )

    def _add_layers(self, comparison: BlockComparison, spikes: BlockSpikes) -> dict[str, Floats]:
        """Add up every layer's values and spikes; return the SNN's values."""
        values: dict[str, Floats] = {}
        for layer, found in comparison.layers():
            sums = self._sums[layer.name]
            sums.add_values(found)
            if layer.fires:
                sums.add_spikes(
                    spikes.n_spikes(layer.name),
                    spikes.operations(layer.name),
                    spikes.fired(layer.name),
                )
            values[layer.name] = found.value
        return values

    def _add_decisions(self, ann: Ints, quantised: Ints, labels: Ints | None) -> None:
        self._images += len(ann)
        self._quantised_agree += int((quantised == ann).sum())
        if labels is not None:
            self._ann_right += int((ann == labels).sum())
            self._quantised_right += int((quantised == labels).sum())


class MomentSums:
    """Add up a deviation, block by block."""

    def __init__(self) -> None:
        self._sums = np.zeros(3)

    def add(self, values: Floats) -> None:
        self._sums += (values.sum(), np.abs(values).sum(), np.vdot(values, values))

    def over(self, n: int) -> Moments:
        bias, absolute, square = self._sums / n
        return Moments(float(bias), float(absolute), float(np.sqrt(square)))


class LayerSums:
    """Add up what one layer's values are, block by block; memory is one flag a neuron."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._moments = {name: MomentSums() for name in ("error", "own", *CAUSES)}
        self._output, self._added = MomentSums(), MomentSums()
        self._images = self._values = self._agree = self._right = self._outputs = 0
        self._clipped = self._saturated = self._spurious = self._within = 0
        self._spikes = self._operations = 0
        self._activation = 0.0
        self._products = np.zeros(3)
        self._stairs = np.zeros(4)
        self._fired = np.zeros(layer.shape, np.bool_)

    def add_values(self, values: LayerValues) -> None:
        """Take a block's values."""
        activation, value, parts = values.activation, values.value, values.parts
        self._images += len(value)
        self._values += value.size
        self._activation += float(np.abs(activation).sum())
        self._moments["error"].add(value - activation)
        self._moments["own"].add(parts.own)
        for cause in CAUSES:
            self._moments[cause].add(getattr(parts, cause))
        self._products += (
            np.vdot(activation, value),
            np.vdot(activation, activation),
            np.vdot(value, value),
        )
        if self._layer.staircase is not None and values.stairs is not None:
            self._add_stairs(self._layer.staircase, values, values.stairs)

    def add_spikes(self, spikes: int, operations: int, fired: Bools) -> None:
        """Take a block's spikes, both signs, the operations that they cause, and who fired."""
        self._spikes += spikes
        self._operations += operations
        self._fired |= fired

    def add_outputs(
        self, error: Floats, added: Floats, decisions: Ints, ann: Ints, labels: Ints | None
    ) -> None:
        """Take the logits' error (N, classes), what this layer adds to it, and the decisions."""
        self._outputs += error.size
        self._output.add(error)
        self._added.add(added)
        self._agree += int((decisions == ann).sum())
        self._right += 0 if labels is None else int((decisions == labels).sum())

    def finish(self, steps: int, labelled: bool) -> LayerDiagnosis:
        """Return the means; `labelled` says whether accuracy is known."""
        layer, n = self._layer, self._values
        stairs: list[float | None] = [None] * 4
        if self._within:
            stairs = [None if np.isnan(s) else float(s) / self._within for s in self._stairs]
        return LayerDiagnosis(
            name=layer.name,
            neuron=layer.neuron,
            neurons=self._fired.size,
            hard_reset=layer.hard_reset,
            own_levels=layer.own_levels,
            before=layer.before,
            threshold=float(layer.staircase.theta.mean()) if layer.staircase else None,
            mean_activation=self._activation / n,
            rms_activation=float(np.sqrt(self._products[1] / n)),
            mean_rate=self._spikes / n / steps,
            spikes=self._spikes / self._images,
            synaptic_operations=self._operations / self._images,
            clipped=self._clipped / n,
            saturated=self._saturated / n,
            dead=1 - float(self._fired.mean()) if layer.fires else 0.0,
            spurious=self._spurious / n,
            cosine=_cosine(*self._products),
            **{name: sums.over(n) for name, sums in self._moments.items()},
            staircase_error=stairs[0],
            uniform_error=stairs[1],
            area=stairs[2],
            area_bound=stairs[3],
            output_error=self._output.over(self._outputs).rms,
            contribution=self._added.over(self._outputs).rms,
            agreement=self._agree / self._images,
            accuracy=self._right / self._images if labelled else None,
        )

    def _add_stairs(self, staircase: Staircase, values: LayerValues, stairs: StairValues) -> None:
        line, counts = stairs.line, values.counts
        clipped = np.abs(values.parts.clipping) > ROUNDING * staircase.top
        self._clipped += int(np.count_nonzero(clipped))
        least = staircase.lowest if staircase.lowest < 0 else -np.inf
        full = (counts >= staircase.levels - ROUNDING) | (counts <= least)
        self._saturated += int(full.sum())
        silent = np.abs(stairs.even) * staircase.steps <= ROUNDING * staircase.theta
        self._spurious += int(((np.abs(counts) > ROUNDING) & silent).sum())
        within = (line > staircase.bottom) & (line < staircase.top)
        off = np.abs(stairs.quantised - line) * within
        even = staircase.uniform_error * within
        theta = staircase.theta
        self._within += int(within.sum())
        self._stairs += (
            off.sum(),
            even.sum(),
            (off * theta).sum(),
            (even * theta).sum(),
        )


def _cosine(product: float, square: float, other_square: float) -> float:
    """Return the cosine of two vectors; of two that are 0 it is 1, of one that is 0 it is 0."""
    if not square or not other_square:
        return float(square == other_square)
    return float(product / np.sqrt(square * other_square))
