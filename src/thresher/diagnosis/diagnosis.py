"""Diagnosis: where along its layers an SNN loses what the ANN knows, and by what."""

from dataclasses import dataclass

import numpy as np

from thresher.diagnosis.decompose import CAUSES
from thresher.diagnosis.layer_diagnosis import LayerDiagnosis
from thresher.sim.result import Settings
from thresher.version import package_version


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What was measured, layer by layer in rank order, what decides last.

    Accuracies are None without labels. `quantised_*` are of the quantised ANN: the staircases of
    all layers, each fed by those before it, which is what the schedule `layered` computes. What it
    loses against the ANN is lost to clipping and quantisation, what the SNN loses against it to
    unevenness: to when the spikes come.
    """

    settings: Settings
    samples: int
    layers: tuple[LayerDiagnosis, ...]
    ann_accuracy: float | None
    quantised_accuracy: float | None
    quantised_agreement: float

    def __getitem__(self, name: str) -> LayerDiagnosis:
        """Return a layer by its node's name; KeyError where there is none."""
        return {layer.name: layer for layer in self.layers}[name]

    @property
    def accuracy(self) -> float | None:
        """The SNN's accuracy."""
        return self.layers[-1].accuracy

    @property
    def agreement(self) -> float:
        """The share of samples on which the SNN decides as the ANN does."""
        return self.layers[-1].agreement

    @property
    def agreement_lost(self) -> dict[str, float]:
        """The agreement that each layer takes; negative where it gives some back."""
        before = [1.0, *(layer.agreement for layer in self.layers)]
        return {
            layer.name: was - layer.agreement
            for was, layer in zip(before, self.layers, strict=False)
        }

    @property
    def worst(self) -> dict[str, str]:
        """The layer that is the worst by each measure.

        "agreement": takes most of it; "contribution": adds most to the logits' error; "error" and
        the causes: the largest RMS relative to the layer's mean activation.
        """
        lost = self.agreement_lost
        populations = [layer for layer in self.layers if layer.neuron != "readout"]
        found = {
            "agreement": max(lost, key=lost.__getitem__),
            "contribution": max(self.layers, key=lambda layer: layer.contribution).name,
        }
        for cause in ("error", *CAUSES):
            found[cause] = max(populations, key=lambda layer: layer.relative(cause)).name
        return found

    @property
    def spurious(self) -> float:
        """The share of all neurons with a count although their mean input is too low for one."""
        neurons = [layer.neurons for layer in self.layers]
        return float(np.average([layer.spurious for layer in self.layers], weights=neurons))

    def rows(self) -> list[dict[str, object]]:
        """Return one flat row a layer, for a table."""
        return [layer.row() for layer in self.layers]

    def metrics(self) -> dict[str, object]:
        """Summarise as plain values, under keys that stay."""
        return {
            "format": 1,
            **vars(self.settings),
            "samples": self.samples,
            "ann_accuracy": self.ann_accuracy,
            "quantised_accuracy": self.quantised_accuracy,
            "accuracy": self.accuracy,
            "quantised_agreement": self.quantised_agreement,
            "agreement": self.agreement,
            "spurious": self.spurious,
            "worst": self.worst,
            "layers": self.rows(),
            "thresher_version": package_version(),
        }
