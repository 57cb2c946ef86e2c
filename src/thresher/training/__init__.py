"""Training with PyTorch (extra: torch): a graph and labelled images give a graph that converts."""

from thresher.training.run import Training, train
from thresher.training.settings import (
    ACTIVATIONS,
    LEVELS,
    SLOPE,
    Epoch,
    TrainingProgress,
    TrainingSettings,
)

__all__ = [
    "ACTIVATIONS",
    "LEVELS",
    "SLOPE",
    "Epoch",
    "Training",
    "TrainingProgress",
    "TrainingSettings",
    "train",
]
