"""ONNX's QuantizeLinear and DequantizeLinear."""

import numpy as np

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Value
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.walk import Here, Quantised
from thresher.errors import GraphError


@HANDLERS.of("QuantizeLinear")
def _quantised(here: Here) -> Quantised:
    """Keep the grid until the DequantizeLinear; the type of zero says its ends."""
    scale = here.constant(1)
    zero = here.optional(2)
    if scale.size != 1:
        raise GraphError("has a grid for each channel; expected one for all values")
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    if zero is None and here.get("output_dtype", 2) != 2:
        raise GraphError("names its type; expected a zero point that has it")
    if kind.kind not in "iu" or kind.itemsize > 2:
        raise GraphError(f"quantises to {kind}; expected 8 or 16 bits")
    ends = np.iinfo(kind)
    start = 0 if zero is None else int(zero.item())
    return Quantised(here.x(), float(scale.item()), start, int(ends.min), int(ends.max))


@HANDLERS.of("DequantizeLinear")
def _dequantised(here: Here) -> Value:
    grid, scale, zero = here.item(0), here.constant(1), here.optional(2)
    if not isinstance(grid, Quantised):
        raise GraphError("takes whole numbers that no QuantizeLinear gives")
    start = 0 if zero is None else int(zero.item())
    if scale.size != 1 or (float(scale.item()), start) != (grid.scale, grid.zero):
        raise GraphError("has another scale or zero point than the QuantizeLinear before it")
    return layers.fake_quantised(
        here.b, here.name, grid.value, grid.scale, grid.zero, grid.lowest, grid.highest
    )
