"""Diagnosis: which layer of a spiking network loses accuracy, and why."""

from thresher.diagnosis.decompose import CAUSES, Parts
from thresher.diagnosis.diagnosis import Diagnosis
from thresher.diagnosis.layer_diagnosis import LayerDiagnosis, Moments
from thresher.diagnosis.run import diagnose
from thresher.diagnosis.staircase import Staircase
from thresher.diagnosis.verdict import advice, verdict

__all__ = [
    "CAUSES",
    "Diagnosis",
    "LayerDiagnosis",
    "Moments",
    "Parts",
    "Staircase",
    "advice",
    "diagnose",
    "verdict",
]
