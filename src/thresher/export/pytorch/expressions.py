"""Expressions: what each op computes, as source text of PyTorch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from thresher.ir import Op, ops
from thresher.ir.op import Shape

Sides = tuple[tuple[int, int], ...]
Args = Sequence[str]
Weights = Mapping[str, str]
"""The source text of an op's tensors, by role; no bias where spikes alone pass."""
Writer = Callable[[Any, Args, Weights, Shape], str]


def expression(op: Op, args: Args, weights: Weights, shape: Shape) -> str:
    """Write an op of batches (N, *shape); `args` are its inputs, `shape` its output's."""
    return WRITERS[type(op)](op, args, weights, shape)


def _conv(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    name = "conv2d" if isinstance(op, ops.Conv2d) else "conv1d"
    x, padding = _padded(args[0], tuple(axis.padding for axis in op.axes))
    return (
        f"F.{name}({x}, {weights['weight']}, {weights.get('bias')}, stride={op.stride}, "
        f"padding={padding}, dilation={op.dilation}, groups={op.groups})"
    )


def _conv_transpose(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    spread = (
        f"F.conv_transpose2d({args[0]}, {weights['weight']}, {weights.get('bias')}, "
        f"stride={op.stride}, output_padding={op.output_padding}, groups={op.groups}, "
        f"dilation={op.dilation})"
    )
    return f"F.pad({spread}, {[-side for side in _sides(op.padding)]})"


def _linear(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    return f"F.linear({args[0]}, {weights['weight']}, {weights.get('bias')})"


def _affine(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    axes = _channelwise(shape)
    whole = {role for role, tensor in op.tensors.items() if tensor.shape == shape}
    spread = {role: name if role in whole else name + axes for role, name in weights.items()}
    bias = f" + {spread['bias']}" if "bias" in spread else ""
    return f"{args[0]} * {spread['weight']}{bias}"


def _mean(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    axes = ", ".join(str(axis + 1) for axis in op.axes)
    return f"{args[0]}.mean(({axes},)).reshape(-1, {_listed(shape)})"


def _permute(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    return f"{args[0]}.permute(0, {', '.join(str(axis + 1) for axis in op.order)})"


def _avg_pool(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    if any(map(any, op.padding)) and not op.count_include_pad:
        sums = f"F.avg_pool2d(F.pad({args[0]}, {_sides(op.padding)}), {op.kernel}, {op.stride})"
        inside = f"F.pad(torch.ones_like({args[0]}), {_sides(op.padding)})"
        return f"{sums} / F.avg_pool2d({inside}, {op.kernel}, {op.stride})"
    x = args[0]
    if any(map(any, op.padding)):
        x = f"F.pad({x}, {_sides(op.padding)})"
    return f"F.avg_pool2d({x}, {op.kernel}, {op.stride})"


def _slice(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    nothing = (None,) * len(shape)
    bounds = zip(op.start or nothing, op.stop or nothing, op.step or nothing, strict=True)
    parts = [":".join("" if b is None else str(b) for b in bound).rstrip(":") for bound in bounds]
    return f"{args[0]}[:, {', '.join(part if ':' in part else f'{part}:' for part in parts)}]"


def _pad(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    axes = {1: (op.channels,), 2: (op.channels, op.width), 3: (op.channels, op.height, op.width)}
    return f"F.pad({args[0]}, {_sides(axes[len(shape)])})"


def _upsample(op: Any, args: Args, weights: Weights, shape: Shape) -> str:
    down, across = op.scale
    return f"{args[0]}.repeat_interleave({down}, 2).repeat_interleave({across}, 3)"


WRITERS: Mapping[type[Op], Writer] = {
    ops.Add: lambda op, args, weights, shape: " + ".join(args),
    ops.AvgPool2d: _avg_pool,
    ops.BatchNorm: _affine,
    ops.Concat: lambda op, args, weights, shape: (
        f"torch.cat(({', '.join(args)},), dim={op.axis + 1})"
    ),
    ops.Conv1d: _conv,
    ops.Conv2d: _conv,
    ops.ConvTranspose2d: _conv_transpose,
    ops.Dropout: lambda op, args, weights, shape: args[0],
    ops.Flatten: lambda op, args, weights, shape: f"{args[0]}.flatten(1)",
    ops.GlobalAvgPool: lambda op, args, weights, shape: f"{args[0]}.mean((2, 3), keepdim=True)",
    ops.Identity: lambda op, args, weights, shape: args[0],
    ops.Linear: _linear,
    ops.Mean: _mean,
    ops.Pad: _pad,
    ops.Permute: _permute,
    ops.PositionwiseLinear: _linear,
    ops.Reshape: lambda op, args, weights, shape: f"{args[0]}.reshape(-1, {_listed(shape)})",
    ops.Scale: _affine,
    ops.Slice: _slice,
    ops.UpsampleNearest: _upsample,
}
"""Every linear op: nothing else stands between populations."""


def max_pool(op: ops.MaxPool2d, x: str) -> str:
    """Write a max pool of x."""
    if any(map(any, op.padding)):
        x = f'F.pad({x}, {_sides(op.padding)}, value=float("-inf"))'
    return f"F.max_pool2d({x}, {op.kernel}, {op.stride}, dilation={op.dilation})"


def _padded(x: str, padding: Sides) -> tuple[str, tuple[int, ...]]:
    """Return x and the padding that is left to a convolution, which pads both ends alike."""
    if all(before == after for before, after in padding):
        return x, tuple(before for before, _ in padding)
    return f"F.pad({x}, {_sides(padding)})", (0,) * len(padding)


def _sides(padding: Sides) -> list[int]:
    """Write padding as PyTorch takes it: the last axis first."""
    return [side for axis in reversed(padding) for side in axis]


def _channelwise(shape: Shape) -> str:
    return "" if len(shape) == 1 else f".reshape(-1, {', '.join('1' for _ in shape[1:])})"


def _listed(shape: Shape) -> str:
    return ", ".join(map(str, shape))
