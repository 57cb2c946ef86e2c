"""Every op; importing this fills the registry."""

from thresher.ir.ops.activation import Activation, ClippedRelu, LeakyRelu, Qcfs, Relu, Softmax
from thresher.ir.ops.convolution import Conv2d
from thresher.ir.ops.linear import Linear

__all__ = [
    "Activation",
    "ClippedRelu",
    "Conv2d",
    "LeakyRelu",
    "Linear",
    "Qcfs",
    "Relu",
    "Softmax",
]
