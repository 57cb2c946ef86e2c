"""Every op; importing this fills the registry."""

from thresher.ir.ops.activation import Activation, ClippedRelu, LeakyRelu, Qcfs, Relu, Softmax
from thresher.ir.ops.conv_transpose import ConvTranspose2d
from thresher.ir.ops.convolution import Conv1d, Conv2d, Convolution
from thresher.ir.ops.linear import Linear
from thresher.ir.ops.merge import Add, Concat
from thresher.ir.ops.norm import BatchNorm, ChannelAffine, Scale
from thresher.ir.ops.pointwise import (
    Elu,
    Gelu,
    HardSigmoid,
    HardSwish,
    Pointwise,
    Sigmoid,
    Silu,
    Tanh,
)
from thresher.ir.ops.pool import AvgPool2d, GlobalAvgPool, MaxPool2d
from thresher.ir.ops.shape import (
    Dropout,
    Flatten,
    Identity,
    Pad,
    Reshape,
    Slice,
    UpsampleNearest,
)

__all__ = [
    "Activation",
    "Add",
    "AvgPool2d",
    "BatchNorm",
    "ChannelAffine",
    "ClippedRelu",
    "Concat",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "Convolution",
    "Dropout",
    "Elu",
    "Flatten",
    "Gelu",
    "GlobalAvgPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Linear",
    "MaxPool2d",
    "Pad",
    "Pointwise",
    "Qcfs",
    "Relu",
    "Reshape",
    "Scale",
    "Sigmoid",
    "Silu",
    "Slice",
    "Softmax",
    "Tanh",
    "UpsampleNearest",
]
