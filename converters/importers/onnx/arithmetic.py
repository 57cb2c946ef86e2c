"""ONNX's sums and products, with constants and of values."""

from thresher.converters.importers import placed
from thresher.converters.importers.layout import Placed
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.walk import Here
from thresher.errors import GraphError
from thresher.ir.ops import (
    Identity,
)


@HANDLERS.of("Add", "Sum")
def _add(here: Here) -> Placed:
    if here.is_constant(0) or here.is_constant(1):
        place = 0 if here.is_constant(1) else 1
        offset = here.constant(1 - place)
        return placed.affine(here.b, here.name, here.placed(place), 1.0, offset)
    values = [here.placed(place) for place in range(len(here.call.inputs))]
    if len(values) == 1:
        return placed.pointwise(here.b, here.name, values[0], Identity())
    return placed.add(here.b, here.name, *values)


@HANDLERS.of("Sub")
def _subtract(here: Here) -> Placed:
    if here.is_constant(1):
        return placed.affine(here.b, here.name, here.placed(), 1.0, -here.constant(1))
    if here.is_constant(0):
        return placed.affine(here.b, here.name, here.placed(1), -1.0, here.constant(0))
    other = placed.affine(here.b, f"{here.name}.negative", here.placed(1), -1.0)
    return placed.add(here.b, here.name, here.placed(), other)


@HANDLERS.of("Mul")
def _multiply(here: Here) -> Placed:
    for constant, value in ((1, 0), (0, 1)):
        if here.is_constant(constant):
            factor = here.constant(constant)
            return placed.affine(here.b, here.name, here.placed(value), factor)
    return placed.multiply(here.b, here.name, here.placed(), here.placed(1))


@HANDLERS.of("Div")
def _divide(here: Here) -> Placed:
    if not here.is_constant(1):
        raise GraphError("divides by values; expected a constant divisor")
    divisor = here.constant(1)
    if not divisor.all():
        raise GraphError("divides by 0")
    return placed.affine(here.b, here.name, here.placed(), 1 / divisor)


@HANDLERS.of("Neg")
def _negate(here: Here) -> Placed:
    return placed.affine(here.b, here.name, here.placed(), -1.0)


@HANDLERS.of("Pow")
def _power(here: Here) -> Placed:
    exponent = here.constant(1)
    if exponent.size != 1 or exponent.item() != 2:
        raise GraphError(f"takes the power {exponent.tolist()}; expected 2")
    return placed.multiply(here.b, here.name, here.placed(), here.placed())
