"""Functions of a value, of two, and attention."""

from math import sqrt

import numpy as np

from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.converters.importers.layers.scale import affine
from thresher.errors import GraphError
from thresher.ir.ops import (
    ClippedRelu,
    Elu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    MatMul,
    Mul,
    Relu,
    Sigmoid,
    Silu,
    Softmax,
)

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""Such that mean 0 and variance 1 are a fixed point (Klambauer et al. 2017)."""


def clip(b: GraphBuilder, name: str, x: Value, low: float | None, high: float | None) -> Value:
    """Clip to [low, high]; a threshold ReLU where low is 0."""
    if low != 0:
        raise GraphError(
            f"clips to [{low}, {high}]; expected a lower bound of 0, as ReLU and threshold ReLU "
            "have, which a neuron that fires can stand for"
        )
    if high is None or high == np.inf:
        return b.add(name, Relu(), x)
    return b.add(name, ClippedRelu(max=high), x)


def leaky_relu(b: GraphBuilder, name: str, x: Value, slopes: Array) -> Value:
    """Multiply what is below 0 by a slope, the same for all channels."""
    slope = np.unique(np.asarray(slopes, np.float64))
    if len(slope) != 1:
        raise GraphError(f"has {len(slope)} slopes; expected the same one for all channels")
    return b.add(name, LeakyRelu(slope=slope.item()), x)


def softmax(b: GraphBuilder, name: str, x: Value, axis: int) -> Value:
    """Take the softmax along an axis, counted without the batch axis."""
    return b.add(name, Softmax(axis=-1 if axis == len(x.shape) - 1 else axis), x)


def elu(b: GraphBuilder, name: str, x: Value, alpha: float, scale: float, within: float) -> Value:
    """Take scale * x where it is positive, scale * alpha * (exp(within * x) - 1) elsewhere."""
    inner = x if within == 1 else affine(b, f"{name}.within", x, within)
    y = b.add(name, Elu(alpha=alpha * within), inner)
    return y if scale == within else affine(b, f"{name}.scale", y, scale / within)


def multiply(b: GraphBuilder, name: str, x: Value, y: Value) -> Value:
    """Multiply two values; one by a sigmoid of itself is a SiLU, or a hard swish."""
    for gate, value in ((b.node(x), y), (b.node(y), x)):
        if gate is None or gate.inputs != (value.name,):
            continue
        if isinstance(gate.op, Sigmoid):
            return b.add(name, Silu(), value)
        if gate.op == HardSigmoid():
            return b.add(name, HardSwish(), value)
    return b.add(name, Mul(), x, y)


def attention(
    b: GraphBuilder, name: str, query: Value, key: Value, value: Value, scale: float | None
) -> Value:
    """Weigh values (..., m, v) by softmax(scale * query (..., n, d) @ key (..., m, d)^T).

    `scale` None is 1 / sqrt(d) (Vaswani et al. 2017).
    """
    factor = 1 / sqrt(query.shape[-1]) if scale is None else scale
    scaled = affine(b, f"{name}.scaled", query, factor)
    scores = b.add(f"{name}.scores", MatMul(transpose=True), scaled, key)
    weights = b.add(f"{name}.weights", Softmax(), scores)
    return b.add(name, MatMul(), weights, value)
