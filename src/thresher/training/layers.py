"""What each op computes in PyTorch: a function of the op, its weights and its inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from thresher.ir import Op, ops
from thresher.training.functions import ClipFloorShift, ThresholdRelu

Weights = Mapping[str, torch.Tensor]
Sides = tuple[tuple[int, int], ...]

BATCH_NORM_MOMENTUM = 0.1
"""How much of a batch's mean and variance goes into the running ones (PyTorch's default)."""


@dataclass(frozen=True, eq=False)
class Mode:
    """Whether batch norms and dropouts do as in training, and what the latter draw from."""

    training: bool
    generator: torch.Generator


Layer = Callable[[Any, Weights, tuple[torch.Tensor, ...], Mode], torch.Tensor]


def _convolution(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    function = functional.conv2d if isinstance(op, ops.Conv2d) else functional.conv1d
    image, padding = _padded(x[0], tuple(axis.padding for axis in op.axes), 0.0)
    return function(image, w["weight"], w.get("bias"), op.stride, padding, op.dilation, op.groups)


def _conv_transpose(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    whole = functional.conv_transpose2d(
        x[0], w["weight"], w.get("bias"), op.stride, 0, op.output_padding, op.groups, op.dilation
    )
    return functional.pad(whole, [-side for side in _sides(op.padding)])


def _linear(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    return functional.linear(x[0], w["weight"], w.get("bias"))


def _batch_norm(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    return functional.batch_norm(
        x[0],
        w["running_mean"],
        w["running_var"],
        w.get("weight"),
        w.get("bias"),
        mode.training,
        BATCH_NORM_MOMENTUM,
        op.eps,
    )


def _scale(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    y = x[0] * _by_channel(w["weight"], x[0])
    return y + _by_channel(w["bias"], x[0]) if "bias" in w else y


def _layer_norm(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    shape = x[0].shape[x[0].dim() - op.axes :]
    return functional.layer_norm(x[0], shape, w.get("weight"), w.get("bias"), op.eps)


def _group_norm(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    return functional.group_norm(x[0], op.groups, w.get("weight"), w.get("bias"), op.eps)


def _softmax(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    return functional.softmax(x[0], dim=op.axis if op.axis < 0 else op.axis + 1)


def _mat_mul(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    return torch.matmul(x[0], x[1].transpose(-1, -2) if op.transpose else x[1])


def _mean(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    y = x[0].mean(dim=[axis + 1 for axis in op.axes], keepdim=op.keep)
    return y if y.dim() > 1 else y[:, None]


def _clipped_relu(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    return ThresholdRelu.apply(x[0], w["max"])


def _qcfs(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    return ClipFloorShift.apply(x[0], w["max"], op.levels)


def _slip_relu(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    return _clipped_relu(op, w, x, mode) * op.slope + _qcfs(op, w, x, mode) * (1 - op.slope)


def _avg_pool(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    image, padding = _padded(x[0], op.padding, 0.0, op.kernel)
    counted = op.count_include_pad
    if padding != (0, 0) or image is x[0]:
        return functional.avg_pool2d(
            image, op.kernel, op.stride, padding, count_include_pad=counted
        )
    y = functional.avg_pool2d(image, op.kernel, op.stride)
    if counted:
        return y
    inside, _ = _padded(torch.ones_like(x[0][:1, :1]), op.padding, 0.0, op.kernel)
    return y / functional.avg_pool2d(inside, op.kernel, op.stride)


def _max_pool(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    image, padding = _padded(x[0], op.padding, -torch.inf, op.kernel)
    return functional.max_pool2d(image, op.kernel, op.stride, padding, op.dilation)


def _dropout(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    if not mode.training or op.p == 0:
        return x[0]
    if op.p == 1:
        return torch.zeros_like(x[0])
    kept = torch.empty_like(x[0]).bernoulli_(1 - op.p, generator=mode.generator)
    return x[0] * kept / (1 - op.p)


def _add(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    total = x[0]
    for item in x[1:]:
        total = total + item
    return total


def _slice(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    nothing = (None,) * (x[0].dim() - 1)
    bounds = map(slice, op.start or nothing, op.stop or nothing, op.step or nothing)
    return x[0][(slice(None), *bounds)]


def _pad(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    axes = {2: (op.channels,), 3: (op.channels, op.width), 4: (op.channels, op.height, op.width)}
    return functional.pad(x[0], _sides(axes[x[0].dim()]))


def _upsample(op: Any, w: Weights, x: tuple[torch.Tensor, ...], mode: Mode) -> torch.Tensor:
    n, channels, height, width = x[0].shape
    down, across = op.scale
    repeated = x[0][:, :, :, None, :, None].expand(-1, -1, -1, down, -1, across)
    return repeated.reshape(n, channels, height * down, width * across)


LAYERS: Mapping[type[Op], Layer] = {
    ops.Add: _add,
    ops.AvgPool2d: _avg_pool,
    ops.BatchNorm: _batch_norm,
    ops.ClippedRelu: _clipped_relu,
    ops.Concat: lambda op, w, x, mode: torch.cat(x, dim=op.axis + 1),
    ops.Conv1d: _convolution,
    ops.Conv2d: _convolution,
    ops.ConvTranspose2d: _conv_transpose,
    ops.Dropout: _dropout,
    ops.Elu: lambda op, w, x, mode: functional.elu(x[0], op.alpha),
    ops.Flatten: lambda op, w, x, mode: x[0].flatten(1),
    ops.Gelu: lambda op, w, x, mode: functional.gelu(x[0], approximate=op.approximate),
    ops.GlobalAvgPool: lambda op, w, x, mode: functional.avg_pool2d(x[0], x[0].shape[2:]),
    ops.GroupNorm: _group_norm,
    ops.HardSigmoid: lambda op, w, x, mode: torch.clamp(x[0] * op.slope + op.offset, 0, 1),
    ops.HardSwish: lambda op, w, x, mode: functional.hardswish(x[0]),
    ops.Identity: lambda op, w, x, mode: x[0],
    ops.LayerNorm: _layer_norm,
    ops.LeakyRelu: lambda op, w, x, mode: functional.leaky_relu(x[0], op.slope),
    ops.Linear: _linear,
    ops.MatMul: _mat_mul,
    ops.MaxPool2d: _max_pool,
    ops.Mean: _mean,
    ops.Mul: lambda op, w, x, mode: x[0] * x[1],
    ops.Pad: _pad,
    ops.Permute: lambda op, w, x, mode: x[0].permute(0, *(axis + 1 for axis in op.order)),
    ops.PositionwiseLinear: _linear,
    ops.Qcfs: _qcfs,
    ops.Relu: lambda op, w, x, mode: functional.relu(x[0]),
    ops.Reshape: lambda op, w, x, mode: x[0].reshape(len(x[0]), *op.shape),
    ops.Scale: _scale,
    ops.Sigmoid: lambda op, w, x, mode: torch.sigmoid(x[0]),
    ops.Silu: lambda op, w, x, mode: functional.silu(x[0]),
    ops.SlipRelu: _slip_relu,
    ops.Slice: _slice,
    ops.Softmax: _softmax,
    ops.Tanh: lambda op, w, x, mode: torch.tanh(x[0]),
    ops.UpsampleNearest: _upsample,
}


def _by_channel(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Shape one value a channel so that it broadcasts over x; all values stay as they are."""
    return values.reshape(-1, *[1] * (x.dim() - 2)) if values.dim() == 1 else values


def _padded(
    x: torch.Tensor, padding: Sides, fill: float, kernel: tuple[int, ...] | None = None
) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Return x and the padding that PyTorch is left to do.

    PyTorch pads both ends alike, and pools by half a kernel at most; any other is done here.
    """
    alike = all(before == after for before, after in padding)
    reach = kernel or (max(map(sum, padding)) * 2,) * len(padding)
    fits = all(2 * sides[0] <= size for sides, size in zip(padding, reach, strict=True))
    if alike and fits:
        return x, tuple(before for before, _ in padding)
    return functional.pad(x, _sides(padding), value=fill), (0,) * len(padding)


def _sides(padding: Sides) -> list[int]:
    """Write padding as PyTorch takes it: the last axis first."""
    return [side for axis in reversed(padding) for side in axis]
