"""Small networks and images to train on."""

import numpy as np

from thresher import digits
from thresher.ir import Graph, Input, Node, Op, Preprocess, Tensor
from thresher.ir.ops import (
    AvgPool2d,
    BatchNorm,
    ClippedRelu,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    Relu,
)


def tensor(name: str, values: object) -> Tensor:
    """Name an array of float32."""
    return Tensor(name, np.asarray(values, np.float32))


def drawn(name: str, *shape: int, seed: int = 0) -> Tensor:
    """Draw a weight, Kaiming normal by its fan-out."""
    rng = np.random.default_rng([seed, *name.encode()])
    deviation = np.sqrt(2 / (shape[0] * np.prod(shape[2:])))
    return tensor(name, rng.normal(0, deviation, shape))


def chain(
    shape: tuple[int, ...], *links: tuple[str, Op], preprocess: Preprocess | None = None
) -> Graph:
    """Build a graph whose nodes feed one another in order; the last is the output."""
    sources = ["image", *(name for name, _ in links)]
    nodes = tuple(
        Node(name, op, (source,)) for source, (name, op) in zip(sources, links, strict=False)
    )
    return Graph("chain", (Input("image", shape, preprocess),), nodes, (sources[-1],))


def batch_norm(name: str, channels: int) -> BatchNorm:
    """A batch norm as it is before training."""
    zeros, ones = np.zeros(channels), np.ones(channels)
    return BatchNorm(
        running_mean=tensor(f"{name}.running_mean", zeros),
        running_var=tensor(f"{name}.running_var", ones),
        weight=tensor(f"{name}.weight", ones),
        bias=tensor(f"{name}.bias", zeros),
    )


def digits_cnn(activation: Op | None = None, *, p: float = 0.0) -> Graph:
    """An untrained network for the packaged digits, with two activations and a dropout."""
    act = activation or Relu()
    return chain(
        (1, 8, 8),
        ("conv1", Conv2d(weight=drawn("conv1.weight", 8, 1, 3, 3), padding=((1, 1), (1, 1)))),
        ("bn1", batch_norm("bn1", 8)),
        ("relu1", act),
        ("pool1", AvgPool2d(kernel=(2, 2))),
        ("conv2", Conv2d(weight=drawn("conv2.weight", 16, 8, 3, 3))),
        ("bn2", batch_norm("bn2", 16)),
        ("relu2", act),
        ("dropout", Dropout(p=p)),
        ("flatten", Flatten()),
        ("fc", Linear(drawn("fc.weight", 10, 64), tensor("fc.bias", np.zeros(10)))),
        preprocess=Preprocess(divide=16.0),
    )


def digits_images(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n of the digits to train on, with their classes."""
    x, y, _, _ = digits.load()
    return x[:n], y[:n]


def clipped(ceiling: float = 1.0) -> ClippedRelu:
    """A threshold ReLU."""
    return ClippedRelu(max=ceiling)
