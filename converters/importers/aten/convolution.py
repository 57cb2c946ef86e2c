"""ATen's convolutions, and the windows that pools have too."""

from collections.abc import Sequence

from thresher.converters.importers import layers
from thresher.converters.importers.aten.handlers import HANDLERS
from thresher.converters.importers.aten.walk import Here
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layers import Window


@HANDLERS.of("conv1d", "conv2d", "convolution", "_convolution")
def _convolution(here: Here) -> Value:
    x, weight, bias = here.x("input"), here.required("weight"), here.tensor("bias")
    n, groups = weight.values.ndim - 2, here.integer("groups", 1)
    if here.get("transposed", False):
        return _transposed(here, weight.values.ndim - 2)
    if isinstance(here.get("padding"), str):
        return layers.convolution(here.b, here.name, x, weight, bias, _padded_by_name(here), groups)
    window = read_window(here, n, weight.shape[2:])
    return layers.convolution(here.b, here.name, x, weight, bias, window, groups)


@HANDLERS.of("conv_transpose1d", "conv_transpose2d")
def _conv_transpose(here: Here) -> Value:
    return _transposed(here, here.required("weight").values.ndim - 2)


def read_window(here: Here, n: int, kernel: Sequence[int], ceil: bool = False) -> Window:
    padding = here.ints("padding", n, 0)
    return Window(
        tuple(kernel),
        here.ints("stride", n, 1),
        tuple((side, side) for side in padding),
        here.ints("dilation", n, 1),
        ceil,
    )


def _padded_by_name(here: Here) -> Window:
    """Read padding 'same' or 'valid'; an odd one goes to the far end."""
    kernel = here.required("weight").shape[2:]
    n, same = len(kernel), here.get("padding") == "same"
    dilation = here.ints("dilation", n, 1)
    total = [step * (size - 1) if same else 0 for step, size in zip(dilation, kernel, strict=True)]
    padding = tuple((side // 2, side - side // 2) for side in total)
    return Window(kernel, here.ints("stride", n, 1), padding, dilation)


def _transposed(here: Here, n: int) -> Value:
    weight = here.required("weight")
    window, extra = read_window(here, n, weight.shape[2:]), here.ints("output_padding", n, 0)
    return layers.convolution_transposed(
        here.b, here.name, here.x("input"), weight, here.tensor("bias"), window, extra,
        here.integer("groups", 1),
    )  # fmt: skip
