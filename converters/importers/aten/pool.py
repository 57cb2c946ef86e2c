"""ATen's pools and means."""

from typing import cast

from thresher.converters.importers import layers, placed
from thresher.converters.importers.aten.convolution import read_window
from thresher.converters.importers.aten.handlers import HANDLERS
from thresher.converters.importers.aten.walk import Here
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layers import Window
from thresher.converters.importers.layout import Placed

HANDLERS.add(lambda here: _average_pool(here, 1), "avg_pool1d")
HANDLERS.add(lambda here: _average_pool(here, 2), "avg_pool2d")
HANDLERS.add(lambda here: _max_pool(here, 1), "max_pool1d")
HANDLERS.add(lambda here: _max_pool(here, 2), "max_pool2d", "max_pool2d_with_indices")
HANDLERS.add(lambda here: _adaptive(here, 1, True), "adaptive_avg_pool1d")
HANDLERS.add(lambda here: _adaptive(here, 2, True), "adaptive_avg_pool2d", "_adaptive_avg_pool2d")
HANDLERS.add(lambda here: _adaptive(here, 1, False), "adaptive_max_pool1d")
HANDLERS.add(lambda here: _adaptive(here, 2, False), "adaptive_max_pool2d")


@HANDLERS.of("mean")
def _mean(here: Here) -> Placed:
    axes, keep = cast(list[int], here.get("dim") or []), bool(here.get("keepdim", False))
    return placed.mean(here.b, here.name, here.placed(), axes, keep)


def _average_pool(here: Here, n: int) -> Value:
    divisor = here.get("divisor_override")
    return layers.average_pool(
        here.b, here.name, here.x(), _pool_window(here, n),
        bool(here.get("count_include_pad", True)), cast(int | None, divisor),
    )  # fmt: skip


def _max_pool(here: Here, n: int) -> Value:
    return layers.max_pool(here.b, here.name, here.x(), _pool_window(here, n))


def _adaptive(here: Here, n: int, average: bool) -> Value:
    sizes = here.shape[1:]
    return layers.adaptive_pool(here.b, here.name, here.x(), sizes, average)


def _pool_window(here: Here, n: int) -> Window:
    kernel = here.ints("kernel_size", n)
    window = read_window(here, n, kernel, bool(here.get("ceil_mode", False)))
    if here.get("stride") in (None, []):
        return Window(kernel, kernel, window.padding, window.dilation, window.ceil)
    return window
