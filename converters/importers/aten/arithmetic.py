"""ATen's sums and products, with constants and of values."""

from thresher.converters.importers import placed
from thresher.converters.importers.aten.handlers import HANDLERS
from thresher.converters.importers.aten.walk import Here
from thresher.converters.importers.layout import Placed
from thresher.errors import GraphError


@HANDLERS.of("add", "add_")
def _add(here: Here) -> Placed:
    return _sum(here, 1.0)


@HANDLERS.of("sub", "sub_", "subtract")
def _subtract(here: Here) -> Placed:
    return _sum(here, -1.0)


@HANDLERS.of("rsub")
def _reverse_subtract(here: Here) -> Placed:
    """Return other - alpha * self."""
    if not here.is_constant("other"):
        raise GraphError("subtracts by rsub; expected a constant to subtract from")
    factor = -here.number("alpha", 1)
    offset = here.array("other")
    return placed.affine(here.b, here.name, here.placed(), factor, offset)


@HANDLERS.of("mul", "mul_", "multiply")
def _multiply(here: Here) -> Placed:
    for constant, value in (("other", "self"), ("self", "other")):
        if here.is_constant(constant):
            factor = here.array(constant)
            return placed.affine(here.b, here.name, here.placed(value), factor)
    return placed.multiply(here.b, here.name, here.placed(), here.placed("other"))


@HANDLERS.of("div", "div_", "divide", "true_divide")
def _divide(here: Here) -> Placed:
    if not here.is_constant("other") or here.get("rounding_mode") is not None:
        raise GraphError("divides by values, or rounds; expected a constant divisor")
    divisor = here.array("other")
    if not divisor.all():
        raise GraphError("divides by 0")
    return placed.affine(here.b, here.name, here.placed(), 1.0 / divisor)


@HANDLERS.of("neg")
def _negate(here: Here) -> Placed:
    return placed.affine(here.b, here.name, here.placed(), -1.0)


@HANDLERS.of("pow")
def _power(here: Here) -> Placed:
    if here.get("exponent") not in (2, 2.0):
        raise GraphError(f"takes the power {here.get('exponent')}; expected 2")
    return placed.multiply(here.b, here.name, here.placed(), here.placed())


def _sum(here: Here, sign: float) -> Placed:
    """Add values, or a value and a constant; `alpha` multiplies the second."""
    factor = sign * here.number("alpha", 1)
    if here.is_constant("other"):
        offset = here.array("other") * factor
        return placed.affine(here.b, here.name, here.placed(), 1.0, offset)
    if here.is_constant("self"):
        offset = here.array("self")
        return placed.affine(here.b, here.name, here.placed("other"), factor, offset)
    x, other = here.placed(), here.placed("other")
    if x.value.shape != other.value.shape:
        shapes = list(x.value.shape), list(other.value.shape)
        raise GraphError("adds {} and {}; expected one shape".format(*shapes))
    if factor != 1:
        other = placed.affine(here.b, f"{here.name}.scale", other, factor)
    return placed.add(here.b, here.name, x, other)
