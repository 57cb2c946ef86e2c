"""Keras models as graphs; importing this fills the registry of layers, one module a family.

Keras keeps channels last: an image (H, W, C) is (C, H, W) here, and so are weights. A Flatten
counts in Keras' order; what reads it has its weights permuted instead of the values.
"""

from thresher.converters.importers.keras import (
    activation,
    arithmetic,
    attention,
    convolution,
    norm,
    pool,
    shape,
)
from thresher.converters.importers.keras.model import import_keras

__all__ = [
    "activation",
    "arithmetic",
    "attention",
    "convolution",
    "import_keras",
    "norm",
    "pool",
    "shape",
]
