"""The smallest network that classifies, its data, and what a command leaves behind."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SPEC = """\
thresher: 1
name: tiny
tensors: tiny.safetensors
inputs:
  image: {shape: [1, 2, 2]}
nodes:
  conv1: {op: conv2d, from: image, out_channels: 2, kernel: 1}
  relu1: {op: relu, from: conv1}
  flatten: {op: flatten, from: relu1}
  fc: {op: linear, from: flatten, out_features: 3}
outputs: [fc]
"""
SPIKING = "relu1: {op: relu, from: conv1, spiking: {threshold: 1.0, v_init: 0.5}}"

# conv1 copies the image twice; class c is the sum of pixel c over both copies
TENSORS = {
    "conv1.weight": np.ones((2, 1, 1, 1), np.float32),
    "conv1.bias": np.zeros(2, np.float32),
    "fc.weight": np.tile(np.eye(3, 4, dtype=np.float32), 2),
    "fc.bias": np.zeros(3, np.float32),
}
# image i is bright at pixel i % 3, and labelled so but for the last
X = 0.25 + 0.5 * np.eye(4, dtype=np.float32)[np.arange(6) % 3].reshape(6, 1, 2, 2)
Y = np.array([0, 1, 2, 0, 1, 0])


@dataclass(frozen=True)
class Run:
    """What a command left behind."""

    status: int
    out: str
    err: str


Thresher = Callable[..., Run]
