"""Keras' pools."""

from thresher.converters.importers import layers
from thresher.converters.importers.keras.call import HANDLERS, Here, Item
from thresher.converters.importers.keras.convolution import read_window

HANDLERS.add(lambda here: _pool(here, False), "MaxPooling1D", "MaxPooling2D")
HANDLERS.add(lambda here: _pool(here, True), "AveragePooling1D", "AveragePooling2D")


@HANDLERS.of("GlobalAveragePooling1D", "GlobalAveragePooling2D")
def _global_average(here: Here) -> Item:
    keep = bool(here.get("keepdims", False))
    return Item(layers.global_average(here.b, here.name, here.x.value, keep))


@HANDLERS.of("GlobalMaxPooling1D", "GlobalMaxPooling2D")
def _global_max(here: Here) -> Item:
    keep = bool(here.get("keepdims", False))
    return Item(layers.global_max(here.b, here.name, here.x.value, keep))


def _pool(here: Here, average: bool) -> Item:
    n = layers.expect_channels(here.x.value, (1, 2))
    kernel = here.pair("pool_size", n)
    strides = "strides" if here.get("strides") is not None else "pool_size"
    window = read_window(here, kernel, strides, here.get("padding", "valid"))
    if average:
        return Item(layers.average_pool(here.b, here.name, here.x.value, window, False))
    return Item(layers.max_pool(here.b, here.name, here.x.value, window))
