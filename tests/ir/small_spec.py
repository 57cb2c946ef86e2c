"""A small spec with its tensors, whose text tests change in one place."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

SPEC = """\
thresher: 1
name: small
tensors: small.safetensors
inputs:
  image: {shape: [1, 4, 4]}
nodes:
  conv1: {op: conv2d, from: image, out_channels: 2, kernel: 3, padding: 1}
  relu1: {op: relu, from: conv1}
  flatten: {op: flatten, from: relu1}
  fc: {op: linear, from: flatten, out_features: 3, bias: false}
outputs: [fc]
"""


def tensors() -> dict[str, np.ndarray]:
    """Return the tensors of the spec: multiples of 1/8."""
    return {
        "conv1.weight": np.arange(-9, 9, dtype=np.float32).reshape(2, 1, 3, 3) / 8,
        "conv1.bias": np.array([0.5, -0.25], np.float32),
        "fc.weight": np.arange(96, dtype=np.float32).reshape(3, 32) / 8,
    }


def write_spec(folder: Path, text: str = SPEC, **changed: np.ndarray) -> Path:
    """Write small.yaml and its tensors; a changed tensor is given with `_` for the dot."""
    values = tensors()
    values.update({name.replace("_", ".", 1): item for name, item in changed.items()})
    save_file(values, folder / "small.safetensors")
    path = folder / "small.yaml"
    path.write_text(text, "utf-8")
    return path


def changed_spec(folder: Path, old: str, new: str) -> Path:
    """Write the spec with one piece of its text replaced."""
    assert SPEC.count(old) == 1
    return write_spec(folder, SPEC.replace(old, new))
