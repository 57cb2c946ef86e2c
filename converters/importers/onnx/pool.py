"""ONNX's pools and reductions."""

from thresher.converters.importers import layers, placed
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layers import Window
from thresher.converters.importers.layout import Placed
from thresher.converters.importers.onnx.convolution import read_window
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.walk import Here
from thresher.errors import GraphError


@HANDLERS.of("AveragePool")
def _average_pool(here: Here) -> Value:
    x = here.x()
    window = _pool_window(here, x)
    counted = bool(here.get("count_include_pad", 0))
    return layers.average_pool(here.b, here.name, x, window, counted)


@HANDLERS.of("MaxPool")
def _max_pool(here: Here) -> Value:
    x = here.x()
    return layers.max_pool(here.b, here.name, x, _pool_window(here, x))


@HANDLERS.of("GlobalAveragePool")
def _global_average(here: Here) -> Value:
    return layers.global_average(here.b, here.name, here.x(), keep=True)


@HANDLERS.of("GlobalMaxPool")
def _global_max(here: Here) -> Value:
    return layers.global_max(here.b, here.name, here.x(), keep=True)


@HANDLERS.of("ReduceMean")
def _mean(here: Here) -> Placed:
    keep = bool(here.get("keepdims", 1))
    return placed.mean(here.b, here.name, here.placed(), here.ints("axes", 1) or [], keep)


@HANDLERS.of("ReduceMax")
def _maximum(here: Here) -> Value:
    """Reduce all axes after the channels to one number each."""
    x, axes = here.x(), here.ints("axes", 1)
    rank = len(x.shape) + 1
    found = sorted(axis % rank for axis in axes or [])
    if found != list(range(2, rank)):
        shown = "all axes" if axes is None else f"axes {axes}"
        raise GraphError(
            f"reduces {shown} of (N, {', '.join(map(str, x.shape))}); expected all that come after "
            "the channels"
        )
    return layers.global_max(here.b, here.name, x, bool(here.get("keepdims", 1)))


def _pool_window(here: Here, x: Value) -> Window:
    """Read the geometry of a pool; refuse what onnxruntime and ONNX's text do not agree on."""
    window = read_window(here, x, here.get("kernel_shape"))
    if not here.get("auto_pad", "NOTSET").startswith("SAME"):
        return window
    spaced = any(axis.stride > axis.kernel for axis in window.axes)
    if spaced or max(window.dilation) > 1:
        raise GraphError(
            "pads by auto_pad, and is dilated or leaves places out, where onnxruntime and ONNX's "
            "text differ; export it with pads"
        )
    return window
