"""ATen's fake quantisation."""

from thresher.converters.importers import layers
from thresher.converters.importers.aten.handlers import HANDLERS
from thresher.converters.importers.aten.walk import Here
from thresher.converters.importers.builder import Value
from thresher.errors import GraphError


@HANDLERS.of("fake_quantize_per_tensor_affine", "fake_quantize_per_tensor_affine_cachemask")
def _fake_quantised(here: Here) -> Value:
    scale, zero = here.array("scale"), here.array("zero_point")
    if scale.size != 1 or zero.size != 1:
        raise GraphError("has a grid for each channel; expected one for all values")
    return layers.fake_quantised(
        here.b, here.name, here.x(), scale.item(), int(zero.item()), here.integer("quant_min"),
        here.integer("quant_max"),
    )  # fmt: skip
