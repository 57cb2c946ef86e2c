"""ONNX files as graphs; importing this fills the registry of operators, one module a family."""

from thresher.converters.importers.onnx import (
    activation,
    arithmetic,
    convolution,
    linear,
    norm,
    pool,
    quantisation,
    resize,
    shape,
)
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.model import import_onnx

__all__ = [
    "HANDLERS",
    "activation",
    "arithmetic",
    "convolution",
    "import_onnx",
    "linear",
    "norm",
    "pool",
    "quantisation",
    "resize",
    "shape",
]
