"""Exported PyTorch programs; importing this fills the registry of operators, a module a family.

Both the operators as exported and the core set that `run_decompositions` leaves are known.
"""

from thresher.converters.importers.aten import (
    activation,
    arithmetic,
    convolution,
    linear,
    norm,
    pool,
    quantisation,
    shape,
)
from thresher.converters.importers.aten.handlers import HANDLERS

__all__ = [
    "HANDLERS",
    "activation",
    "arithmetic",
    "convolution",
    "linear",
    "norm",
    "pool",
    "quantisation",
    "shape",
]
