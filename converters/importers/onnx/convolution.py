"""ONNX's convolutions, and the windows that pools have too."""

from collections.abc import Sequence
from dataclasses import replace

from thresher.converters.importers import layers
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layers import Sides, Window
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.walk import Here
from thresher.errors import GraphError
from thresher.ir import Tensor


@HANDLERS.of("Conv")
def _convolution(here: Here) -> Value:
    x, weight = here.x(), _weight(here)
    window = read_window(here, x, weight.shape[2:])
    bias, groups = here.optional_tensor(2), here.get("group", 1)
    return layers.convolution(here.b, here.name, x, weight, bias, window, groups)


@HANDLERS.of("ConvTranspose")
def _convolution_transposed(here: Here) -> Value:
    x, weight = here.x(), _weight(here)
    n = len(weight.shape) - 2
    layers.expect_channels(x, (n,))
    extra = here.get("output_padding", [0] * n)
    plain = _without_auto_pad(here, weight.shape[2:])
    asked, named = here.get("output_shape"), here.get("auto_pad", "NOTSET")
    window, wanted = plain, asked
    if asked is None and named in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [size * step for size, step in zip(x.shape[1:], plain.stride, strict=True)]
    if wanted is not None:
        sides = _cut_sides(plain, x.shape[1:], extra, wanted[-n:], named == "SAME_UPPER")
        window = plain.reaching([0] * n, sides)
    return layers.convolution_transposed(
        here.b, here.name, x, weight, here.optional_tensor(2), window, extra, here.get("group", 1)
    )


def read_window(here: Here, x: Value, kernel: Sequence[int]) -> Window:
    """Read the geometry of a convolution or a pool, auto_pad included."""
    n = len(kernel)
    layers.expect_channels(x, (n,))
    window = replace(_without_auto_pad(here, kernel), ceil=bool(here.get("ceil_mode", 0)))
    named = here.get("auto_pad", "NOTSET")
    if named in ("NOTSET", "VALID"):
        return window
    if named not in ("SAME_UPPER", "SAME_LOWER"):
        raise GraphError(f"has auto_pad '{named}', which ONNX does not know")
    padding = layers.same_padding(window, x.shape[1:], named == "SAME_UPPER")
    return replace(window, padding=padding, ceil=False)


def _weight(here: Here, place: int = 1) -> Tensor:
    weight = here.tensor(place)
    given = here.get("kernel_shape", list(weight.shape[2:]))
    if tuple(given) != weight.shape[2:]:
        raise GraphError(f"kernel_shape is {given}, the weight is {list(weight.shape)}")
    return weight


def _without_auto_pad(here: Here, kernel: Sequence[int]) -> Window:
    """Read strides, dilations and pads; no padding where auto_pad is to say it."""
    n = len(kernel)
    named = here.get("auto_pad", "NOTSET")
    pads = here.get("pads", [0] * 2 * n) if named == "NOTSET" else [0] * 2 * n
    strides, dilations = here.get("strides", [1] * n), here.get("dilations", [1] * n)
    for key, given, count in (("pads", pads, 2 * n), ("strides", strides, n),
                              ("dilations", dilations, n)):  # fmt: skip
        if len(given) != count:
            raise GraphError(f"'{key}' is {given}; expected {count} numbers for {n} axes")
    padding = tuple(zip(pads[:n], pads[n:], strict=True))
    return Window(tuple(kernel), tuple(strides), padding, tuple(dilations))


def _cut_sides(
    window: Window, sizes: Sequence[int], extra: Sequence[int], wanted: Sequence[int], upper: bool
) -> tuple[Sides, ...]:
    """Return what is cut off a transposed convolution for an output of the wanted size."""
    sides = []
    for axis, n, more, size in zip(window.axes, sizes, extra, wanted, strict=True):
        total = (n - 1) * axis.stride + axis.reach + more - size
        if total < 0:
            raise GraphError(f"is asked for {size} places, more than it reaches; expected fewer")
        small, large = total // 2, total - total // 2
        sides.append((small, large) if upper else (large, small))
    return tuple(sides)
