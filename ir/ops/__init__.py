"""Every op; importing this fills the registry."""

from thresher.ir.ops.activation import (
    Activation,
    ClippedRelu,
    LeakyRelu,
    Qcfs,
    Relu,
    SlipRelu,
    Softmax,
)
from thresher.ir.ops.conv_transpose import ConvTranspose2d
from thresher.ir.ops.convolution import Conv1d, Conv2d, Convolution
from thresher.ir.ops.linear import Linear, PositionwiseLinear
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
from thresher.ir.ops.pool import AvgPool2d, GlobalAvgPool, MaxPool2d, Mean
from thresher.ir.ops.product import MatMul, Mul
from thresher.ir.ops.sample_norm import GroupNorm, LayerNorm, SampleNorm
from thresher.ir.ops.shape import (
    Dropout,
    Flatten,
    Identity,
    Pad,
    Permute,
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
    "GroupNorm",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LayerNorm",
    "LeakyRelu",
    "Linear",
    "MatMul",
    "MaxPool2d",
    "Mean",
    "Mul",
    "Pad",
    "Permute",
    "Pointwise",
    "PositionwiseLinear",
    "Qcfs",
    "Relu",
    "Reshape",
    "SampleNorm",
    "Scale",
    "Sigmoid",
    "Silu",
    "Slice",
    "SlipRelu",
    "Softmax",
    "Tanh",
    "UpsampleNearest",
]
