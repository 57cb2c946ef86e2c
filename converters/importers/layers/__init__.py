"""Layers as other tools say them, in the graph's ops: 1-D pools, ceil_mode, constants, and so on.

Each function adds what it needs to a builder and returns the value of the whole. The node that
computes most bears the layer's name; those before and after it have a suffix.
"""

from thresher.converters.importers.layers.activation import (
    SELU_ALPHA,
    SELU_SCALE,
    attention,
    clip,
    elu,
    leaky_relu,
    multiply,
    softmax,
)
from thresher.converters.importers.layers.convolution import (
    convolution,
    convolution_transposed,
    linear,
)
from thresher.converters.importers.layers.pool import (
    adaptive_pool,
    average_pool,
    global_average,
    global_max,
    max_pool,
    mean,
)
from thresher.converters.importers.layers.scale import affine, fake_quantised
from thresher.converters.importers.layers.shape import (
    concatenate,
    cut,
    join,
    pad,
    permute,
    reshape,
    reshape_if_needed,
    take,
    upsample,
)
from thresher.converters.importers.layers.window import (
    LARGEST_FIELD,
    Sides,
    Window,
    expect_channels,
    same_padding,
)

__all__ = [
    "LARGEST_FIELD",
    "SELU_ALPHA",
    "SELU_SCALE",
    "Sides",
    "Window",
    "adaptive_pool",
    "affine",
    "attention",
    "average_pool",
    "clip",
    "concatenate",
    "convolution",
    "convolution_transposed",
    "cut",
    "elu",
    "expect_channels",
    "fake_quantised",
    "global_average",
    "global_max",
    "join",
    "leaky_relu",
    "linear",
    "max_pool",
    "mean",
    "multiply",
    "pad",
    "permute",
    "reshape",
    "reshape_if_needed",
    "same_padding",
    "softmax",
    "take",
    "upsample",
]
