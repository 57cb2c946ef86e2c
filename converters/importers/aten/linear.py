"""ATen's matrix products and attention."""

from thresher.converters.importers import placed
from thresher.converters.importers.aten.handlers import HANDLERS
from thresher.converters.importers.aten.walk import Here
from thresher.converters.importers.layout import Placed
from thresher.errors import GraphError

HANDLERS.add(lambda here: _matrix_product(here, "self", "mat2"), "mm", "bmm")
HANDLERS.add(lambda here: _matrix_product(here, "self", "other"), "matmul")


@HANDLERS.of("linear")
def _linear(here: Here) -> Placed:
    weight, bias = here.required("weight"), here.tensor("bias")
    return placed.linear(here.b, here.name, here.placed("input"), weight, bias)


@HANDLERS.of("addmm")
def _addmm(here: Here) -> Placed:
    if here.number("beta", 1) != 1 or here.number("alpha", 1) != 1:
        raise GraphError("has factors alpha or beta; expected 1")
    return _matrix_product(here, "mat1", "mat2", "self")


def _matrix_product(here: Here, x: str, other: str, bias: str | None = None) -> Placed:
    """Multiply by a constant (in, out), most often a transposed weight (out, in), or by values."""
    if not here.is_constant(other) and bias is None:
        return placed.matrix_product(here.b, here.name, here.placed(x), here.placed(other))
    product = here.constant(other)
    if product is not None and product.ndim == 3 and (product == product[:1]).all():
        product = product[0]  # repeated for each sample, as a bmm needs it
    if product is None or product.ndim != 2:
        shown = None if product is None else list(product.shape)
        raise GraphError(f"multiplies by {shown}; expected a constant (in, out)")
    given = None if bias is None else here.constant(bias)
    shift = None if given is None else here.b.tensor(f"{here.name}.bias", given)
    tensor = here.b.tensor(f"{here.name}.weight", product.T)
    return placed.linear(here.b, here.name, here.placed(x), tensor, shift)


@HANDLERS.of("scaled_dot_product_attention")
def _attention(here: Here) -> Placed:
    """Read scaled_dot_product_attention, the heads with or before the batch, without a mask."""
    if here.get("is_causal", False) or here.call.arguments.get("attn_mask") is not None:
        raise GraphError("has a mask; expected an attention of all positions to all")
    if here.get("enable_gqa", False):
        raise GraphError("shares keys among queries; expected as many of both")
    query, key, value = (here.placed(name) for name in ("query", "key", "value"))
    scale = None if here.get("scale") is None else here.number("scale")
    return placed.attention(here.b, here.name, query, key, value, scale)
