"""The verdict in plain words: what the figures of a diagnosis say, and what to try."""

from thresher.diagnosis.diagnosis import Diagnosis
from thresher.diagnosis.layer_diagnosis import LayerDiagnosis
from thresher.ir.spiking import DIFFERENTIAL, EXPECTATION, IMBALANCED, SIGNED
from thresher.sim.neurons import MultiThreshold

FOLLOWS = 0.15
"""Up to this error, relative to the ANN's activations (both RMS), a layer follows the ANN."""
CLIPS = 0.01
"""From this share on clipping is mentioned, whatever the rest."""
FEW = 200
"""Below so many samples it is said what one of them is worth."""
DEAD = 0.5
"""From this share on dead neurons are mentioned."""
FINER = {
    EXPECTATION: "finer spikes (a larger --set use-operators.cap)",
    MultiThreshold.name: "more thresholds (a larger --set use-multi-threshold-neurons.thresholds)",
    DIFFERENTIAL: "more thresholds (a larger --set use-differential-neurons.thresholds)",
}
"""What is advised where neurons round too much, by their model."""


def verdict(diagnosis: Diagnosis) -> list[str]:
    """Say in a few sentences what is lost, where and why."""
    said = [_losses(diagnosis)]
    worst, lost = diagnosis.worst, diagnosis.agreement_lost
    falls, adds = worst["agreement"], worst["contribution"]
    if lost[falls] > 0:
        said.append(
            f"Agreement with the ANN falls most at '{falls}', by {_points(lost[falls])}; '{adds}' "
            f"adds most to the logits' error, an RMS of {diagnosis[adds].contribution:.3g} to one "
            f"of {diagnosis.layers[-1].output_error:.3g}."
        )
    if diagnosis.spurious > 0:
        said.append(
            f"{_percent(diagnosis.spurious)} of all neurons fire although their mean input is too "
            "low for a spike: what came early made them, and what came late does not undo it."
        )
    said.append(_deng_gu(diagnosis))
    return said


def advice(diagnosis: Diagnosis, layer: LayerDiagnosis) -> str:
    """Say of one layer what its error is mostly, where it comes from, and what may help."""
    if not layer.error.rms:
        return "equals the ANN"
    parts = [_main(diagnosis, layer)]
    if layer.clipped >= CLIPS and layer.largest != "clipping":
        parts.append(_clipping(diagnosis, layer))
    if layer.dead >= DEAD:
        parts.append(f"{_percent(layer.dead)} of its neurons never fire on these images")
    return "; ".join(parts)


def _losses(diagnosis: Diagnosis) -> str:
    measure, ann = "Accuracy", diagnosis.ann_accuracy
    quantised, snn = diagnosis.quantised_accuracy, diagnosis.accuracy
    if ann is None or quantised is None or snn is None:
        measure, ann = "Agreement", 1.0
        quantised, snn = diagnosis.quantised_agreement, diagnosis.agreement
    found = (
        f"{measure}: ANN {_percent(ann)}, quantised ANN (a staircase for every layer) "
        f"{_percent(quantised)}, SNN {_percent(snn)}. Clipping and quantisation cost "
        f"{_points(ann - quantised)}, unevenness (when spikes come) {_points(quantised - snn)}."
    )
    if diagnosis.samples >= FEW:
        return found
    return f"{found} There are few samples: one is {_points(1 / diagnosis.samples)}."


def _deng_gu(diagnosis: Diagnosis) -> str:
    """Compare the layers' own errors with Deng and Gu's bound, and their sum with the total."""
    found = [layer for layer in diagnosis.layers if layer.area_bound is not None]
    measured = sum(layer.area or 0.0 for layer in found)
    bound = sum(layer.area_bound or 0.0 for layer in found)
    apart = sum(layer.contribution**2 for layer in diagnosis.layers) ** 0.5
    if not found:
        return (
            "No layer has a staircase with Deng and Gu's bound. At the output the layers' "
            f"contributions make an RMS of {apart:.3g} if they are independent; "
            f"{diagnosis.layers[-1].output_error:.3g} is measured."
        )
    return (
        "Deng and Gu 2021: between the staircases and the line lies, summed over the layers, an "
        f"area of {measured:.3g}, for evenly spread inputs {bound:.3g}. At the output the layers' "
        f"contributions make an RMS of {apart:.3g} if they are independent; "
        f"{diagnosis.layers[-1].output_error:.3g} is measured."
    )


def _main(diagnosis: Diagnosis, layer: LayerDiagnosis) -> str:
    if layer.error.rms <= FOLLOWS * layer.rms_activation:
        return f"follows the ANN; what is off is mostly {layer.largest}, {_size(layer)}"
    if layer.largest == "clipping":
        return _clipping(diagnosis, layer)
    if layer.largest == "quantisation":
        return f"quantisation dominates, {_size(layer)}: {_finer(diagnosis, layer)}"
    if layer.largest == "propagated":
        return _propagated(diagnosis, layer)
    return f"unevenness dominates, {_size(layer)}{_early(layer)}: {_remedy(diagnosis, layer)}"


def _finer(diagnosis: Diagnosis, layer: LayerDiagnosis) -> str:
    """Say what helps against quantisation."""
    levels, steps = layer.own_levels, diagnosis.settings.steps
    if layer.hard_reset:
        return (
            "a hard reset loses what is above the threshold; take soft reset (a recipe without "
            "pass 'hard-reset')"
        )
    if levels is not None and steps > levels:
        return f"the ANN rounds to {levels} levels itself; take {levels} steps"
    if levels is not None and steps == levels:
        return "the ANN has as many levels itself; take its own (--recipe bu2022-qcfs)"
    if levels is not None:
        return f"take more steps, up to the {levels} levels that the ANN rounds to itself"
    return "take more steps, or " + FINER.get(layer.neuron, "a lower threshold")


def _clipping(diagnosis: Diagnosis, layer: LayerDiagnosis) -> str:
    found = f"clips {_percent(layer.clipped)} of its values, {_size(layer, 'clipping')}"
    if layer.neuron == EXPECTATION:
        return f"{found}: leave it more room (--set use-operators.headroom=2)"
    if layer.clipping.bias <= 0 or layer.neuron == IMBALANCED:
        return found + (
            ": raise the threshold (--set balance-thresholds.statistic=max, or a higher percentile)"
        )
    if layer is diagnosis.layers[-1]:
        return f"{found}, more below 0, which no spike says: read the membrane (--readout membrane)"
    return (
        f"{found}, as its threshold is above the ANN's own ceiling: take that "
        "(--set balance-thresholds.own_ceiling=use)"
    )


def _remedy(diagnosis: Diagnosis, layer: LayerDiagnosis) -> str:
    """Say what helps against unevenness with this neuron, of what takes operators if there are."""
    if layer.neuron == "readout":
        return "its window differs from the mean; move it (--t-start), or take more steps"
    if layer.neuron == EXPECTATION:
        return "what reaches it came late, or more at once than its cap; take more steps"
    operates = any(other.neuron == EXPECTATION for other in diagnosis.layers)
    if layer.neuron == SIGNED and not diagnosis.settings.settle_limit and not operates:
        return "let the run settle (--settle)"
    found = "take more steps, "
    if not operates:
        found += "signed neurons that settle (--recipe exact, --settle), "
    if diagnosis.settings.schedule == "async":
        if not operates:
            found = "calibrate for spikes that come at any time (--recipe async), " + found
        if diagnosis.settings.arrivals == "individual":
            return found + "or one comparison a tick (--arrivals netted)"
        return found + "or a barrier at every step (--schedule lockstep)"
    return found + "or a later readout (--t-start)"


def _propagated(diagnosis: Diagnosis, layer: LayerDiagnosis) -> str:
    before = [diagnosis[name] for name in layer.before]
    origin = max(before, key=lambda other: other.contribution)
    found = (
        f"propagated error dominates, {_size(layer)}; of the layers before, '{origin.name}' adds "
        f"most ({origin.largest_own})"
    )
    own = layer.largest_own
    if not layer.moments(own).rms:
        return found
    return f"{found}; its own is mostly {own}, {_size(layer, own)}" + (
        _early(layer) if own == "unevenness" else ""
    )


def _early(layer: LayerDiagnosis) -> str:
    """Say which way unevenness goes."""
    bias = layer.unevenness.bias / (layer.mean_activation or 1.0)
    return f" ({abs(100 * bias):.0f} % too {'much' if bias >= 0 else 'little'})"


def _size(layer: LayerDiagnosis, cause: str | None = None) -> str:
    """Write the RMS of a cause, by default of the largest."""
    chosen = cause or layer.largest
    if not layer.mean_activation:
        return f"{layer.moments(chosen).rms:.3g}, where the ANN is silent"
    return f"{100 * layer.relative(chosen):.0f} % of its mean activation"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
