"""Layers as other tools say them, in the graph's ops: 1-D pools, ceil_mode, constants, and so on.

Each function adds what it needs to a builder and returns the value of the whole. The node that
computes most bears the layer's name; those before and after it have a suffix.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod, sqrt

import numpy as np

from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.errors import GraphError
from thresher.ir import Op, Tensor
from thresher.ir.convolution import Axis
from thresher.ir.op import Shape
from thresher.ir.ops import (
    AvgPool2d,
    ClippedRelu,
    Concat,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Elu,
    Flatten,
    GlobalAvgPool,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    Linear,
    MatMul,
    MaxPool2d,
    Mean,
    Mul,
    Pad,
    Permute,
    PositionwiseLinear,
    Qcfs,
    Relu,
    Reshape,
    Scale,
    Sigmoid,
    Silu,
    Slice,
    Softmax,
    UpsampleNearest,
)

Sides = tuple[int, int]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
"""Such that mean 0 and variance 1 are a fixed point (Klambauer et al. 2017)."""
LARGEST_FIELD = 2**20
"""What a kernel, stride, padding or dilation may be."""


@dataclass(frozen=True)
class Window:
    """How a kernel moves along the axes after the channels; one entry an axis each.

    `ceil` lets a last window start inside and hang over the far edge (PyTorch's `ceil_mode`).
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[Sides, ...]
    dilation: tuple[int, ...]
    ceil: bool = False

    def __post_init__(self) -> None:
        sizes = (*self.kernel, *self.stride, *self.dilation, *sum(self.padding, ()))
        if any(abs(size) > LARGEST_FIELD for size in sizes):
            raise GraphError(
                f"kernel, stride, padding or dilation holds {max(sizes, key=abs):,}; expected at "
                f"most {LARGEST_FIELD:,}"
            )
        if min(*self.kernel, *self.stride, *self.dilation) < 1:
            raise GraphError(
                f"has kernel {self.kernel}, stride {self.stride}, dilation {self.dilation}; "
                "expected 1 or more"
            )

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(map(Axis, self.kernel, self.stride, self.padding, self.dilation))

    def planar(self) -> "Window":
        """Return the window of an image of height 1, where there is one axis."""
        if len(self.kernel) == 2:
            return self
        return Window(
            (1, *self.kernel), (1, *self.stride), ((0, 0), *self.padding), (1, *self.dilation),
            self.ceil,
        )  # fmt: skip

    def overhang(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return how far the last window reaches over the padding, along each axis."""
        extra = []
        for axis, n in zip(self.axes, sizes, strict=True):
            room = n + sum(axis.padding)
            windows = -((axis.reach - room) // axis.stride) + 1
            if (windows - 1) * axis.stride >= n + axis.padding[0]:
                windows -= 1
            extra.append(max(0, (windows - 1) * axis.stride + axis.reach - room))
        return tuple(extra) if self.ceil else (0,) * len(extra)

    def reaching(self, extra: Sequence[int], padding: Sequence[Sides]) -> "Window":
        """Return the window over another padding, which is longer by `extra` at the far ends."""
        longer = tuple(
            (before, after + more) for (before, after), more in zip(padding, extra, strict=True)
        )
        return replace(self, padding=longer, ceil=False)


def same_padding(window: Window, sizes: Sequence[int], upper: bool) -> tuple[Sides, ...]:
    """Return the padding that gives ceil(n / stride) windows; an odd one goes to the far end."""
    sides = []
    for axis, n in zip(window.axes, sizes, strict=True):
        total = max(0, (-(-n // axis.stride) - 1) * axis.stride + axis.reach - n)
        small, large = total // 2, total - total // 2
        sides.append((small, large) if upper else (large, small))
    return tuple(sides)


def expect_channels(x: Value, axes: Sequence[int]) -> int:
    """Return how many axes follow the channels; raise GraphError unless it is one of `axes`."""
    found = len(x.shape) - 1
    if found not in axes:
        layouts = {0: "(C,)", 1: "(C, L)", 2: "(C, H, W)", 3: "(C, D, H, W)"}
        wanted = " or ".join(layouts[n] for n in axes)
        raise GraphError(f"takes {wanted} after the batch axis, got {list(x.shape)}")
    return found


def reshape(b: GraphBuilder, name: str, x: Value, shape: Shape) -> Value:
    """Fold the values, row-major, into a shape."""
    if prod(shape) != prod(x.shape):
        raise GraphError(f"{list(x.shape)} does not fill {list(shape)}; the batch is no part of it")
    return b.add(name, Flatten() if len(shape) == 1 else Reshape(shape=shape), x)


def reshape_if_needed(b: GraphBuilder, name: str, x: Value, shape: Shape) -> Value:
    return x if x.shape == shape else reshape(b, name, x, shape)


def permute(b: GraphBuilder, name: str, x: Value, order: Sequence[int]) -> Value:
    """Bring the axes, without the batch axis, into another order; those of size 1 fold.

    One permutation after another is one of what the first reads.
    """
    before = b.node(x)
    if before is not None and isinstance(before.op, Permute):
        first = before.op.order
        sizes = tuple(x.shape[first.index(axis)] for axis in range(len(first)))
        x, order = Value(before.inputs[0], sizes), [first[axis] for axis in order]
    shape = tuple(x.shape[axis] for axis in order)
    moved = [axis for axis in order if x.shape[axis] != 1]
    if moved == sorted(moved):
        return reshape_if_needed(b, name, x, shape)
    return b.add(name, Permute(order=tuple(order)), x)


def _as_image(b: GraphBuilder, name: str, x: Value) -> Value:
    """Make (C, L) an image of height 1."""
    if len(x.shape) == 3:
        return x
    return reshape(b, f"{name}.image", x, (x.shape[0], 1, x.shape[1]))


def _as_before(b: GraphBuilder, name: str, y: Value, x: Value) -> Value:
    """Take the height of 1 out again, where `x` had none."""
    return y if len(x.shape) == 3 else reshape(b, f"{name}.row", y, (y.shape[0], y.shape[2]))


def convolution(
    b: GraphBuilder,
    name: str,
    x: Value,
    weight: Tensor,
    bias: Tensor | None,
    window: Window,
    groups: int,
) -> Value:
    """Convolve (C, L) or (C, H, W)."""
    window, (before, after) = _without_negative(window)
    if any(before) or any(after):
        x = cut(b, f"{name}.cut", x, (0, *before), (0, *after))
    if expect_channels(x, (1, 2)) == 2:
        planar = Conv2d(
            weight=weight,
            bias=bias,
            stride=window.stride,  # type: ignore[arg-type]
            padding=window.padding,  # type: ignore[arg-type]
            dilation=window.dilation,  # type: ignore[arg-type]
            groups=groups,
        )
        return b.add(name, planar, x)
    (stride,), (padding,), (dilation,) = window.stride, window.padding, window.dilation
    op = Conv1d(
        weight=weight, bias=bias, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return b.add(name, op, x)


def convolution_transposed(
    b: GraphBuilder,
    name: str,
    x: Value,
    weight: Tensor,
    bias: Tensor | None,
    window: Window,
    output_padding: Sequence[int],
    groups: int,
) -> Value:
    """Spread (C, L) or (C, H, W); the window's padding is cut off the result."""
    if any(min(sides) < 0 for sides in window.padding):
        raise GraphError(f"has a negative padding {window.padding}; expected 0 or more")
    if expect_channels(x, (1, 2)) == 1:
        weight = b.tensor(f"{weight.name}.planar", weight.values[:, :, None])
        output_padding = (0, *output_padding)
    window = window.planar()
    op = ConvTranspose2d(
        weight=weight,
        bias=bias,
        stride=window.stride,  # type: ignore[arg-type]
        padding=window.padding,  # type: ignore[arg-type]
        dilation=window.dilation,  # type: ignore[arg-type]
        output_padding=tuple(output_padding),  # type: ignore[arg-type]
        groups=groups,
    )
    return _as_before(b, name, b.add(name, op, _as_image(b, name, x)), x)


def max_pool(b: GraphBuilder, name: str, x: Value, window: Window) -> Value:
    """Take the largest value of each window of (C, L) or (C, H, W)."""
    expect_channels(x, (1, 2))
    image, planar = _as_image(b, name, x), window.planar()
    planar = planar.reaching(planar.overhang(image.shape[1:]), planar.padding)
    op = MaxPool2d(
        kernel=planar.kernel,  # type: ignore[arg-type]
        stride=planar.stride,  # type: ignore[arg-type]
        padding=planar.padding,  # type: ignore[arg-type]
        dilation=planar.dilation,  # type: ignore[arg-type]
    )
    return _as_before(b, name, b.add(name, op, image), x)


def average_pool(
    b: GraphBuilder,
    name: str,
    x: Value,
    window: Window,
    count_include_pad: bool,
    divisor: int | None = None,
) -> Value:
    """Average each window; what hangs over the padding counts for nothing, as in PyTorch.

    `divisor`, where given, is what every sum is divided by.
    """
    expect_channels(x, (1, 2))
    image, planar = _as_image(b, name, x), window.planar()
    if set(planar.dilation) != {1}:
        raise GraphError(f"averages a dilated window {planar.dilation}; expected dilation 1")
    extra, padding = planar.overhang(image.shape[1:]), planar.padding
    counted = divisor is not None or (count_include_pad and not any(extra))
    if count_include_pad and not counted and any(map(any, padding)):
        padded = Pad(height=padding[0], width=padding[1])
        image, padding = b.add(f"{name}.pad", padded, image), ((0, 0), (0, 0))
    planar = planar.reaching(extra, padding)
    op = AvgPool2d(
        kernel=planar.kernel,  # type: ignore[arg-type]
        stride=planar.stride,  # type: ignore[arg-type]
        padding=planar.padding,  # type: ignore[arg-type]
        count_include_pad=counted,
    )
    y = b.add(name, op, image)
    if divisor is not None and divisor != prod(planar.kernel):
        factor = np.full(y.shape[0], prod(planar.kernel) / divisor, np.float32)
        y = b.add(f"{name}.scale", Scale(weight=b.tensor(f"{name}.factor", factor)), y)
    return _as_before(b, name, y, x)


def global_average(b: GraphBuilder, name: str, x: Value, keep: bool) -> Value:
    """Average each channel over its places; `keep` leaves axes of size 1."""
    n = expect_channels(x, (1, 2))
    y = b.add(name, GlobalAvgPool(), _as_image(b, name, x))
    return reshape_if_needed(b, f"{name}.flat", y, (x.shape[0], *[1] * n) if keep else x.shape[:1])


def global_max(b: GraphBuilder, name: str, x: Value, keep: bool) -> Value:
    """Take the largest value of each channel; `keep` leaves axes of size 1."""
    n = expect_channels(x, (1, 2))
    window = Window(x.shape[1:], x.shape[1:], ((0, 0),) * n, (1,) * n)
    y = max_pool(b, name, x, window)
    return y if keep else reshape(b, f"{name}.flat", y, x.shape[:1])


def adaptive_pool(
    b: GraphBuilder, name: str, x: Value, sizes: Sequence[int], average: bool
) -> Value:
    """Pool to a given size, as PyTorch does; refuse sizes whose windows are not alike."""
    n = expect_channels(x, (1, 2))
    sizes = sizes if n == 2 else (1, *sizes)
    image = _as_image(b, name, x)
    if average and all(size == 1 for size in sizes):
        return _as_before(b, name, b.add(name, GlobalAvgPool(), image), x)
    axes = [_adaptive_axis(n, size) for n, size in zip(image.shape[1:], sizes, strict=True)]
    kernel, stride, repeats = zip(*axes, strict=True)
    y = image
    if set(kernel) != {1} or set(stride) != {1} or set(repeats) == {1}:
        op: Op = (
            AvgPool2d(kernel=kernel, stride=stride)
            if average
            else MaxPool2d(kernel=kernel, stride=stride)
        )
        y = b.add(name, op, y)
    if set(repeats) != {1}:
        y = b.add(f"{name}.repeat", UpsampleNearest(scale=repeats), y)
    return _as_before(b, name, y, x)


def _adaptive_axis(n: int, size: int) -> tuple[int, int, int]:
    """Return kernel, stride and repetitions that pool n places to `size`."""
    if size > 0 and size % n == 0:
        return 1, 1, size // n
    index = np.arange(size)
    starts, ends = index * n // size, -(-(index + 1) * n // size)
    kernels, strides = set((ends - starts).tolist()), set(np.diff(starts).tolist())
    if len(kernels) != 1 or len(strides) > 1:
        raise GraphError(
            f"pools {n} places to {size} by windows of different sizes; expected a size that "
            f"divides {n}: give the pool a kernel and a stride"
        )
    return kernels.pop(), strides.pop() if strides else 1, 1


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


def concatenate(b: GraphBuilder, name: str, parts: Sequence[Value], axis: int) -> Value:
    """Join values along an axis that counts the batch axis."""
    axis = _axis(axis, parts[0])
    return b.add(name, Concat(axis=axis - 1), *parts)


def join(b: GraphBuilder, name: str, parts: Sequence[Value | Array], axis: int) -> Value:
    """Join values, and constants at either end, along an axis without the batch axis.

    Constants become zeros that the values are padded with, and an offset.
    """
    given = [place for place, part in enumerate(parts) if isinstance(part, Value)]
    values = [part for part in parts if isinstance(part, Value)]
    if len(values) == len(parts):
        return b.add(name, Concat(axis=axis), *values)
    first, last = given[0], given[-1]
    if len(values) <= last - first:
        raise GraphError("joins a constant between values; expected it before or after them")
    shape = values[0].shape
    ends = [
        [np.broadcast_to(part, (*shape[:axis], part.shape[axis], *shape[axis + 1 :]))
         for part in side if not isinstance(part, Value)]
        for side in (parts[:first], parts[last + 1 :])
    ]  # fmt: skip
    x = values[0] if len(values) == 1 else b.add(f"{name}.values", Concat(axis=axis), *values)
    inner = np.zeros(x.shape, np.float32)
    offset = np.concatenate([*ends[0], inner, *ends[1]], axis)
    sides = [(0, 0)] * len(shape)
    sides[axis] = (
        sum(part.shape[axis] for part in ends[0]), sum(part.shape[axis] for part in ends[1])
    )  # fmt: skip
    padded = pad(b, f"{name}.pad", x, sides, 0.0, "constant")
    return affine(b, name, padded, 1.0, offset)


def mean(b: GraphBuilder, name: str, x: Value, axes: Sequence[int], keep: bool) -> Value:
    """Average over axes without the batch axis; all places of channels are a global pool."""
    if len(x.shape) in (2, 3) and list(axes) == list(range(1, len(x.shape))):
        return global_average(b, name, x, keep)
    return b.add(name, Mean(axes=tuple(axes), keep=keep), x)


def cut(b: GraphBuilder, name: str, x: Value, before: Sequence[int], after: Sequence[int]) -> Value:
    """Leave out so many places at both ends of each axis."""
    start = tuple(before)
    stop = tuple(n - end for n, end in zip(x.shape, after, strict=True))
    if any(low < 0 or high > n for low, high, n in zip(start, stop, x.shape, strict=True)):
        raise GraphError(f"cuts {list(before)} and {list(after)} places off {list(x.shape)}")
    return b.add(name, Slice(start=start, stop=stop), x)


def take(
    b: GraphBuilder, name: str, x: Value, axis: int, start: int, stop: int, step: int = 1
) -> Value:
    """Take start:stop:step of one axis, as Python does; `axis` counts the batch axis."""
    if step < 1:
        raise GraphError(f"goes backwards, by {step}; expected a step of at least 1")
    place = _axis(axis, x) - 1
    first, last, _ = slice(start, stop).indices(x.shape[place])
    if (first, last, step) == (0, x.shape[place], 1):
        return x
    bounds: list[list[int | None]] = [[None] * len(x.shape) for _ in range(3)]
    for bound, number in zip(bounds, (first, last, step), strict=True):
        bound[place] = number
    return b.add(
        name, Slice(start=tuple(bounds[0]), stop=tuple(bounds[1]), step=tuple(bounds[2])), x
    )


def pad(
    b: GraphBuilder, name: str, x: Value, sides: Sequence[Sides], value: float, mode: str
) -> Value:
    """Put zeros before and after each axis of (C,), (C, L) or (C, H, W); negative ones cut."""
    if mode != "constant" or (value != 0 and any(map(any, sides))):
        raise GraphError(f"pads with {value:g} in mode '{mode}'; expected zeros, mode 'constant'")
    if any(min(pair) < 0 for pair in sides):
        before, after = zip(*((max(0, -a), max(0, -z)) for a, z in sides), strict=True)
        x = cut(b, f"{name}.cut", x, before, after)
    pairs = [(max(0, before), max(0, after)) for before, after in sides]
    if not any(map(any, pairs)) and any(map(any, sides)):
        return x
    if any(end > LARGEST_FIELD for pair in pairs for end in pair):
        raise GraphError(f"pads by {pairs}; expected at most {LARGEST_FIELD:,}")
    axes = {1: ("channels",), 2: ("channels", "width"), 3: ("channels", "height", "width")}
    if len(pairs) not in axes:
        raise GraphError(f"pads {list(x.shape)}; expected (C,), (C, L) or (C, H, W)")
    return b.add(name, Pad(**dict(zip(axes[len(pairs)], pairs, strict=True))), x)


def upsample(b: GraphBuilder, name: str, x: Value, scale: Sequence[int]) -> Value:
    """Repeat each place of (C, L) or (C, H, W)."""
    n = expect_channels(x, (1, 2))
    across = tuple(scale) if n == 2 else (1, *scale)
    y = b.add(name, UpsampleNearest(scale=across), _as_image(b, name, x))  # type: ignore[arg-type]
    return _as_before(b, name, y, x)


def affine(
    b: GraphBuilder, name: str, x: Value, factor: Array | float, offset: Array | float | None = None
) -> Value:
    """Multiply by a constant and add one; both broadcast over (1, *shape)."""
    given = [np.asarray(factor), np.asarray(0.0 if offset is None else offset)]
    dtype = np.result_type(*(item.dtype for item in given if item.ndim), np.float32)
    full = [_spread(item, x.shape).astype(dtype) for item in given]
    least = [_by_channel(item) for item in full]
    return b.add(name, _scale(b, name, least, offset is not None), x)


def _scale(b: GraphBuilder, name: str, values: Sequence[Array], shifted: bool) -> Scale:
    weight, bias = (b.tensor(f"{name}.{role}", item) for role, item in zip(
        ("weight", "bias"), values, strict=True))  # fmt: skip
    return Scale(weight=weight, bias=bias if shifted else None)


def _spread(values: Array, shape: Shape) -> Array:
    """Broadcast a constant over a batch of values of a shape, which it must not enlarge."""
    extra = values.ndim - len(shape)
    if extra > 1 or (extra == 1 and values.shape[0] != 1):
        raise GraphError(f"a constant {list(values.shape)} does not fit values {list(shape)}")
    try:
        return np.broadcast_to(values[0] if extra == 1 else values, shape)
    except ValueError:
        raise GraphError(
            f"a constant {list(values.shape)} does not fit values {list(shape)}"
        ) from None


def _by_channel(values: Array) -> Array:
    """Return one value a channel, (C,), where all of a channel are alike."""
    rows = values.reshape(values.shape[0], -1)
    return rows[:, 0] if (rows == rows[:, :1]).all() else values


def fake_quantised(
    b: GraphBuilder, name: str, x: Value, scale: float, zero: int, lowest: int, highest: int
) -> Value:
    """Round to a grid, (clip(round(x / scale) + zero, lowest, highest) - zero) * scale.

    A QCFS from 0 on, between shifts where the grid has negative values.
    """
    levels, below = highest - lowest, (zero - lowest) * scale
    if levels < 1 or not scale > 0:
        raise GraphError(f"rounds to a grid of step {scale:g} from {lowest} to {highest}")
    start = x if below == 0 else affine(b, f"{name}.up", x, 1.0, below)
    y = b.add(name, Qcfs(levels=levels, max=levels * scale), start)
    return y if below == 0 else affine(b, f"{name}.down", y, 1.0, -below)


def linear(b: GraphBuilder, name: str, x: Value, weight: Tensor, bias: Tensor | None) -> Value:
    """Multiply the last axis by a weight (out, in)."""
    op = Linear if len(x.shape) == 1 else PositionwiseLinear
    return b.add(name, op(weight=weight, bias=bias), x)


def _without_negative(window: Window) -> tuple[Window, tuple[list[int], list[int]]]:
    """Return the window without negative padding, and what that cuts off before and after."""
    before = [max(0, -side[0]) for side in window.padding]
    after = [max(0, -side[1]) for side in window.padding]
    kept = tuple((max(0, a), max(0, z)) for a, z in window.padding)
    return replace(window, padding=kept), (before, after)


def _axis(axis: int, x: Value) -> int:
    """Return an axis counted from the batch axis, which itself is refused."""
    rank = len(x.shape) + 1
    found = axis + rank if axis < 0 else axis
    if not 1 <= found < rank:
        raise GraphError(
            f"works along axis {axis} of a batch (N, {', '.join(map(str, x.shape))}); expected an "
            "axis of the samples, from 1 on"
        )
    return found
