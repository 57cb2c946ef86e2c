"""ONNX files: the operators that become nodes, from opset 11 to 28."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from thresher.converters.importers import layers, placed
from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.converters.importers.layers import SELU_ALPHA, SELU_SCALE, Sides, Window
from thresher.converters.importers.layout import Placed
from thresher.converters.importers.onnx_file import FLOAT_TYPES, read_onnx
from thresher.converters.importers.onnx_fold import (
    FOLDERS,
    new_shape,
    squeezed,
    unsqueezed,
)
from thresher.converters.importers.onnx_walk import Given, Handler, Here, OnnxWalk, Quantised
from thresher.errors import GraphError
from thresher.ir import Graph, Op, Tensor
from thresher.ir.op import Shape
from thresher.ir.ops import (
    BatchNorm,
    Dropout,
    Gelu,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    Identity,
    LayerNorm,
    Relu,
    Sigmoid,
    Silu,
    Tanh,
)


def import_onnx(path: str | Path, shape: Shape | None = None) -> Graph:
    """Turn an ONNX file into a graph; needs the package `onnx` alone.

    Parameters
    ----------
    path : path
        The file; data outside it are read from its folder only.
    shape : tuple of int, optional
        The input's shape without the batch axis, where the file leaves axes open.

    Raises
    ------
    SpecError
        Where the file is not an ONNX model of opset 11 to 28, is damaged, or leaves axes open.
    UnsupportedError
        Where a node is beyond what a graph can say; all that are are listed.
    """
    path = Path(path)
    model = read_onnx(path)
    builder = GraphBuilder(path.stem, f"'{path}'")
    return OnnxWalk(model, builder, HANDLERS, FOLDERS).graph(shape)


def _window(here: Here, x: Value, kernel: Sequence[int]) -> Window:
    """Read the geometry of a convolution or a pool, auto_pad included."""
    n = len(kernel)
    layers.expect_channels(x, (n,))
    window = replace(_without_auto_pad(here, kernel), ceil=bool(here.get("ceil_mode", 0)))
    named = here.get("auto_pad", "NOTSET")
    if named in ("NOTSET", "VALID"):
        return window
    if named not in ("SAME_UPPER", "SAME_LOWER"):
        raise GraphError(f"has auto_pad '{named}', which ONNX does not know")
    padding = layers.same_padding(window, x.shape[1:], named == "SAME_UPPER")
    return replace(window, padding=padding, ceil=False)


def _pool_window(here: Here, x: Value) -> Window:
    """Read the geometry of a pool; refuse what onnxruntime and ONNX's text do not agree on."""
    window = _window(here, x, here.get("kernel_shape"))
    if not here.get("auto_pad", "NOTSET").startswith("SAME"):
        return window
    spaced = any(axis.stride > axis.kernel for axis in window.axes)
    if spaced or max(window.dilation) > 1:
        raise GraphError(
            "pads by auto_pad, and is dilated or leaves places out, where onnxruntime and ONNX's "
            "text differ; export it with pads"
        )
    return window


def _weight(here: Here, place: int = 1) -> Tensor:
    weight = here.tensor(place)
    given = here.get("kernel_shape", list(weight.shape[2:]))
    if tuple(given) != weight.shape[2:]:
        raise GraphError(f"kernel_shape is {given}, the weight is {list(weight.shape)}")
    return weight


def _convolution(here: Here) -> Value:
    x, weight = here.x(), _weight(here)
    window = _window(here, x, weight.shape[2:])
    bias, groups = here.optional_tensor(2), here.get("group", 1)
    return layers.convolution(here.b, here.name, x, weight, bias, window, groups)


def _convolution_transposed(here: Here) -> Value:
    x, weight = here.x(), _weight(here)
    n = len(weight.shape) - 2
    layers.expect_channels(x, (n,))
    extra = here.get("output_padding", [0] * n)
    plain = _without_auto_pad(here, weight.shape[2:])
    asked, named = here.get("output_shape"), here.get("auto_pad", "NOTSET")
    window, wanted = plain, asked
    if asked is None and named in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [size * step for size, step in zip(x.shape[1:], plain.stride, strict=True)]
    if wanted is not None:
        sides = _cut_sides(plain, x.shape[1:], extra, wanted[-n:], named == "SAME_UPPER")
        window = plain.reaching([0] * n, sides)
    return layers.convolution_transposed(
        here.b, here.name, x, weight, here.optional_tensor(2), window, extra, here.get("group", 1)
    )


def _without_auto_pad(here: Here, kernel: Sequence[int]) -> Window:
    """Read strides, dilations and pads; no padding where auto_pad is to say it."""
    n = len(kernel)
    named = here.get("auto_pad", "NOTSET")
    pads = here.get("pads", [0] * 2 * n) if named == "NOTSET" else [0] * 2 * n
    strides, dilations = here.get("strides", [1] * n), here.get("dilations", [1] * n)
    padding = tuple(zip(pads[:n], pads[n:], strict=True))
    return Window(tuple(kernel), tuple(strides), padding, tuple(dilations))


def _cut_sides(
    window: Window, sizes: Sequence[int], extra: Sequence[int], wanted: Sequence[int], upper: bool
) -> tuple[Sides, ...]:
    """Return what is cut off a transposed convolution for an output of the wanted size."""
    sides = []
    for axis, n, more, size in zip(window.axes, sizes, extra, wanted, strict=True):
        total = (n - 1) * axis.stride + axis.reach + more - size
        if total < 0:
            raise GraphError(f"is asked for {size} places, more than it reaches; expected fewer")
        small, large = total // 2, total - total // 2
        sides.append((small, large) if upper else (large, small))
    return tuple(sides)


def _gemm(here: Here) -> Placed:
    """Compute alpha * x @ weight + beta * bias."""
    if here.get("transA", 0):
        raise GraphError("transposes its input; expected (N, features)")
    alpha, beta = np.float32(here.get("alpha", 1.0)), np.float32(here.get("beta", 1.0))
    weight = here.constant(1)
    if here.get("transB", 0) and alpha == 1:
        tensor = here.tensor(1)
    else:
        ours = weight if here.get("transB", 0) else weight.T
        tensor = here.b.tensor(f"{here.name}.weight", ours if alpha == 1 else ours * alpha)
    bias = _row(here, 2, tensor.shape[0], beta) if here.has(2) and beta != 0 else None
    return placed.linear(here.b, here.name, here.placed(), tensor, bias)


def _row(here: Here, place: int, n: int, factor: Any) -> Tensor:
    """Return a constant that broadcasts over (N, n) as a bias (n,)."""
    values = here.constant(place)
    if values.shape == (n,) and factor == 1:
        return here.tensor(place)
    if values.ndim == 2 and values.shape[0] != 1:
        raise GraphError(f"its bias is {list(values.shape)}, another for each sample")
    row = np.broadcast_to(values.reshape(values.shape[-1:]), (n,))
    return here.b.tensor(f"{here.name}.bias", row * factor)


def _matrix_product(here: Here) -> Placed:
    """Multiply by a constant (in, out), or by values."""
    x = here.placed()
    if not here.is_constant(1):
        return placed.matrix_product(here.b, here.name, x, here.placed(1))
    weight = here.constant(1)
    if weight.ndim != 2:
        raise GraphError(f"multiplies by {list(weight.shape)}; expected a constant (in, out)")
    tensor = here.b.tensor(f"{here.name}.weight", weight.T)
    return placed.linear(here.b, here.name, x, tensor, None)


def _batch_norm(here: Here) -> Value:
    if here.get("training_mode", 0) or len([name for name in here.call.outputs if name]) > 1:
        raise GraphError("normalises by the batch, as in training; export it for inference")
    op = BatchNorm(
        weight=here.tensor(1),
        bias=here.tensor(2),
        running_mean=here.tensor(3),
        running_var=here.tensor(4),
        eps=here.get("epsilon", 1e-5),
    )
    return here.b.add(here.name, op, here.x())


def _layer_norm(here: Here) -> Placed:
    x = here.placed()
    axes = x.rank - here.get("axis", -1) % x.rank
    shape = x.value.shape[len(x.value.shape) - axes :]

    def over(place: int, role: str) -> Tensor | None:
        if not here.has(place):
            return None
        values = here.constant(place)
        if values.shape == shape:
            return here.tensor(place)
        return here.b.tensor(f"{here.name}.{role}", np.broadcast_to(values, shape).copy())

    eps = here.get("epsilon", 1e-5)
    op = LayerNorm(weight=over(1, "weight"), bias=over(2, "bias"), eps=eps, axes=axes)
    return placed.layer_norm(here.b, here.name, x, op)


def _group_norm(here: Here) -> Value:
    """Normalise groups of channels; up to opset 20 a group has one weight."""
    x, groups = here.x(), here.get("num_groups")

    def by_channel(place: int, role: str) -> Tensor:
        values = here.constant(place)
        repeats = x.shape[0] // len(values)
        return here.b.tensor(f"{here.name}.{role}", np.repeat(values, repeats))

    weight, bias = by_channel(1, "weight"), by_channel(2, "bias")
    op = GroupNorm(weight, bias, eps=here.get("epsilon", 1e-5), groups=groups)
    return here.b.add(here.name, op, x)


def _instance_norm(here: Here) -> Value:
    x = here.x()
    eps = here.get("epsilon", 1e-5)
    op = GroupNorm(here.tensor(1), here.tensor(2), eps=eps, groups=x.shape[0])
    return here.b.add(here.name, op, x)


def _pointwise(make: Callable[[Here], Op]) -> Handler:
    """Read a function of each value alone, wherever the batch is."""
    return lambda here: placed.pointwise(here.b, here.name, here.placed(), make(here))


def _gelu(here: Here) -> Op:
    return Gelu(approximate=here.get("approximate", "none"))


def _hard_sigmoid(here: Here) -> Op:
    """Read slope and offset; what is 1/6 in float32 is meant to be 1/6."""
    slope, offset = here.get("alpha", 0.2), here.get("beta", 0.5)
    sixth = np.float32(slope) == np.float32(1 / 6)
    return HardSigmoid(slope=1 / 6 if sixth else slope, offset=offset)


def _elu(here: Here) -> Placed:
    """Read ELU, SELU and CELU."""
    x, alpha, scale, within = here.placed(), here.get("alpha", 1.0), 1.0, 1.0
    if here.call.operator == "Celu":
        within = 1 / alpha
    if here.call.operator == "Selu":
        alpha, scale = here.get("alpha", SELU_ALPHA), here.get("gamma", SELU_SCALE)
    return x.holding(layers.elu(here.b, here.name, x.value, alpha, scale, within))


def _swish(here: Here) -> Op:
    if here.get("alpha", 1.0) != 1:
        raise GraphError(f"has alpha {here.get('alpha')}; expected 1")
    return Silu()


def _power(here: Here) -> Placed:
    exponent = here.constant(1)
    if exponent.size != 1 or exponent.item() != 2:
        raise GraphError(f"takes the power {exponent.tolist()}; expected 2")
    return placed.multiply(here.b, here.name, here.placed(), here.placed())


def _clip(here: Here) -> Value:
    bounds = [here.optional(place) for place in (1, 2)]
    low, high = (None if bound is None else float(bound.item()) for bound in bounds)
    return layers.clip(here.b, here.name, here.x(), low, high)


def _leaky_relu(here: Here) -> Value:
    return layers.leaky_relu(here.b, here.name, here.x(), np.asarray(here.get("alpha", 0.01)))


def _prelu(here: Here) -> Value:
    return layers.leaky_relu(here.b, here.name, here.x(), here.constant(1))


def _average_pool(here: Here) -> Value:
    x = here.x()
    window = _pool_window(here, x)
    counted = bool(here.get("count_include_pad", 0))
    return layers.average_pool(here.b, here.name, x, window, counted)


def _max_pool(here: Here) -> Value:
    x = here.x()
    return layers.max_pool(here.b, here.name, x, _pool_window(here, x))


def _global_average(here: Here) -> Value:
    return layers.global_average(here.b, here.name, here.x(), keep=True)


def _global_max(here: Here) -> Value:
    return layers.global_max(here.b, here.name, here.x(), keep=True)


def _mean(here: Here) -> Placed:
    keep = bool(here.get("keepdims", 1))
    return placed.mean(here.b, here.name, here.placed(), here.ints("axes", 1) or [], keep)


def _maximum(here: Here) -> Value:
    """Reduce all axes after the channels to one number each."""
    x, axes = here.x(), here.ints("axes", 1)
    rank = len(x.shape) + 1
    found = sorted(axis % rank for axis in axes or [])
    if found != list(range(2, rank)):
        shown = "all axes" if axes is None else f"axes {axes}"
        raise GraphError(
            f"reduces {shown} of (N, {', '.join(map(str, x.shape))}); expected all that come after "
            "the channels"
        )
    return layers.global_max(here.b, here.name, x, bool(here.get("keepdims", 1)))


def _folded(here: Here, sizes: Sequence[int]) -> Placed:
    return here.placed().folded(here.b, here.name, sizes, here.walk.batch)


def _flatten(here: Here) -> Given:
    sizes, axis = here.sizes(), here.get("axis", 1)
    if here.placed().is_plain and axis in (1, 1 - len(sizes)):
        return layers.reshape(here.b, here.name, here.x(), (prod(sizes[1:]),))
    return _folded(here, [prod(sizes[:axis]), prod(sizes[axis:])])


def _reshape(here: Here) -> Placed:
    asked, allow_zero = here.constant(1).tolist(), bool(here.get("allowzero", 0))
    return _folded(here, new_shape(asked, here.sizes(), allow_zero))


def _squeeze(here: Here) -> Placed:
    return _folded(here, squeezed(here.ints("axes", 1), here.sizes()))


def _unsqueeze(here: Here) -> Placed:
    return _folded(here, unsqueezed(here.ints("axes", 1) or [], here.sizes()))


def _transpose(here: Here) -> Placed:
    x = here.placed()
    return x.permuted(here.b, here.name, here.get("perm", list(range(x.rank))[::-1]))


def _gather(here: Here) -> Placed:
    """Take one place of an axis."""
    index, x = here.constant(1), here.placed()
    if index.ndim:
        raise GraphError(f"takes the places {index.tolist()[:8]} of an axis; expected one number")
    return placed.select(here.b, here.name, x, here.get("axis", 0), int(index))


def _expand(here: Here) -> Placed:
    asked = here.constant(1).tolist()
    if list(np.broadcast_shapes(tuple(asked), tuple(here.sizes()))) != here.sizes():
        raise GraphError(f"repeats values {here.sizes()} to {asked}")
    return here.placed()


def _add(here: Here) -> Placed:
    if here.is_constant(0) or here.is_constant(1):
        place = 0 if here.is_constant(1) else 1
        offset = here.constant(1 - place)
        return placed.affine(here.b, here.name, here.placed(place), 1.0, offset)
    values = [here.placed(place) for place in range(len(here.call.inputs))]
    if len(values) == 1:
        return placed.pointwise(here.b, here.name, values[0], Identity())
    return placed.add(here.b, here.name, *values)


def _subtract(here: Here) -> Placed:
    if here.is_constant(1):
        return placed.affine(here.b, here.name, here.placed(), 1.0, -here.constant(1))
    if here.is_constant(0):
        return placed.affine(here.b, here.name, here.placed(1), -1.0, here.constant(0))
    other = placed.affine(here.b, f"{here.name}.negative", here.placed(1), -1.0)
    return placed.add(here.b, here.name, here.placed(), other)


def _multiply(here: Here) -> Placed:
    for constant, value in ((1, 0), (0, 1)):
        if here.is_constant(constant):
            factor = here.constant(constant)
            return placed.affine(here.b, here.name, here.placed(value), factor)
    return placed.multiply(here.b, here.name, here.placed(), here.placed(1))


def _divide(here: Here) -> Placed:
    if not here.is_constant(1):
        raise GraphError("divides by values; expected a constant divisor")
    divisor = here.constant(1)
    if not divisor.all():
        raise GraphError("divides by 0")
    return placed.affine(here.b, here.name, here.placed(), 1 / divisor)


def _negate(here: Here) -> Placed:
    return placed.affine(here.b, here.name, here.placed(), -1.0)


def _concat(here: Here) -> Placed:
    places = range(len(here.call.inputs))
    parts = [here.constant(p) if here.is_constant(p) else here.placed(p) for p in places]
    return placed.join(here.b, here.name, parts, here.get("axis"))


def _slice(here: Here) -> Placed:
    x = here.placed()
    starts, stops = here.constant(1).tolist(), here.constant(2).tolist()
    axes, steps = here.optional(3), here.optional(4)
    places = list(range(len(starts))) if axes is None else axes.tolist()
    strides = [1] * len(starts) if steps is None else steps.tolist()
    for axis, start, stop, step in zip(places, starts, stops, strides, strict=True):
        if axis % x.rank == x.axis and (start, step) == (0, 1) and stop >= here.walk.batch:
            continue
        x = placed.take(here.b, here.name, x, axis, start, stop, step)
    return x


def _split(here: Here) -> list[Given]:
    x, axis = here.placed(), here.get("axis", 0)
    size, n = x.value.shape[x.place(axis)], len(here.call.outputs)
    parts = here.ints("split", 1) or [-(-size // n)] * (n - 1) + [size - -(-size // n) * (n - 1)]
    if sum(parts) != size or len(parts) != n or min(parts) < 1:
        raise GraphError(f"splits {size} into {parts}")
    ends = np.cumsum([0, *parts]).tolist()
    return [placed.take(here.b, here.name, x, axis, *part) for part in pairwise(ends)]


def _pad(here: Here) -> Value:
    x, pads = here.x(), here.constant(1).tolist()
    rank = len(x.shape) + 1
    axes = here.optional(3)
    places = list(range(rank)) if axes is None else [axis % rank for axis in axes.tolist()]
    sides: list[Sides] = [(0, 0)] * rank
    for place, before, after in zip(places, pads[: len(places)], pads[len(places) :], strict=True):
        sides[place] = (before, after)
    if any(sides[0]):
        raise GraphError("pads the batch; expected an axis of the samples, from 1 on")
    value = here.optional(2)
    number = 0.0 if value is None or not value.size else float(value.item())
    return layers.pad(here.b, here.name, x, sides[1:], number, here.get("mode", "constant"))


def _resize(here: Here) -> Value:
    """Repeat each place a whole number of times; refuse other grids."""
    x, mode = here.x(), here.get("mode", "nearest")
    if mode != "nearest":
        raise GraphError(f"resizes by mode '{mode}'; expected 'nearest'")
    rank = len(x.shape) + 1
    axes = [axis % rank for axis in here.get("axes", range(rank))]
    factors = [1.0] * rank
    scales, sizes = here.optional(2), here.optional(3)
    whole = here.sizes()
    if here.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise GraphError("keeps the aspect ratio; expected scales, or sizes that are met")
    for i, axis in enumerate(axes):
        if scales is not None and scales.size:
            factors[axis] = float(scales[i])
        elif sizes is not None:
            factors[axis] = float(sizes[i]) / whole[axis]
    if factors[:2] != [1.0, 1.0] or any(f < 1 or f != int(f) for f in factors):
        raise GraphError(f"resizes by {factors}; expected whole factors of the places alone")
    repeats = [int(factor) for factor in factors[2:]]
    if any(repeat > layers.LARGEST_FIELD for repeat in repeats):
        raise GraphError(f"resizes by {repeats}")
    coordinates = here.get("coordinate_transformation_mode", "half_pixel")
    rounding = here.get("nearest_mode", "round_prefer_floor")
    for n, repeat in zip(x.shape[1:], repeats, strict=True):
        if not _is_repetition(n, repeat, coordinates, rounding):
            raise GraphError(
                f"takes places by '{coordinates}' and '{rounding}', which is no repetition of "
                f"{n} places {repeat} times; expected 'asymmetric' and 'floor'"
            )
    return layers.upsample(here.b, here.name, x, repeats)


def _is_repetition(n: int, repeat: int, coordinates: str, rounding: str) -> bool:
    """Tell whether a grid reads place i // repeat for each i (the formulas of ONNX's Resize)."""
    i = np.arange(min(n * repeat, layers.LARGEST_FIELD), dtype=np.float64)
    half = (i + 0.5) / repeat - 0.5
    grids = {
        "half_pixel": half,
        "pytorch_half_pixel": half if n * repeat > 1 else i * 0,
        "half_pixel_symmetric": half,
        "asymmetric": i / repeat,
    }
    rounded: dict[str, Callable[[Array], Array]] = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    }
    if coordinates not in grids or rounding not in rounded:
        return repeat == 1
    found = np.clip(rounded[rounding](grids[coordinates]), 0, n - 1)
    return bool((found == i // repeat).all())


def _softmax(here: Here) -> Given:
    """Take the softmax along an axis; up to opset 12 over all axes from one on."""
    x = here.placed()
    axis = here.get("axis", 1 if here.opset < 13 else -1)
    if here.opset >= 13 or axis in (-1, x.rank - 1):
        return placed.softmax(here.b, here.name, x, axis)
    value, place = here.x(), x.place(axis)
    shape = (*value.shape[:place], prod(value.shape[place:]))
    flat = layers.reshape_if_needed(here.b, f"{here.name}.flat", value, shape)
    y = layers.softmax(here.b, here.name, flat, place)
    return layers.reshape_if_needed(here.b, f"{here.name}.shape", y, value.shape)


def _identity(here: Here) -> Given:
    found = here.item(0)
    if not isinstance(found, Placed):
        return found
    return placed.pointwise(here.b, here.name, found, Identity())


def _dropout(here: Here) -> Op:
    ratio = here.optional(1)
    training = here.optional(2)
    if training is not None and training.any():
        raise GraphError("drops values, as in training; export it for inference")
    p = here.get("ratio", 0.5) if ratio is None else float(ratio.item())
    return Dropout(p=p)


def _cast(here: Here) -> Placed:
    if here.get("to") not in FLOAT_TYPES:
        raise GraphError(f"casts to type {here.get('to')}; expected a float type")
    return here.placed()


def _quantised(here: Here) -> Quantised:
    """Keep the grid until the DequantizeLinear; the type of zero says its ends."""
    scale = here.constant(1)
    zero = here.optional(2)
    if scale.size != 1:
        raise GraphError("has a grid for each channel; expected one for all values")
    kind = np.dtype(np.uint8) if zero is None else zero.dtype
    if zero is None and here.get("output_dtype", 2) != 2:
        raise GraphError("names its type; expected a zero point that has it")
    if kind.kind not in "iu" or kind.itemsize > 2:
        raise GraphError(f"quantises to {kind}; expected 8 or 16 bits")
    ends = np.iinfo(kind)
    start = 0 if zero is None else int(zero.item())
    return Quantised(here.x(), float(scale.item()), start, int(ends.min), int(ends.max))


def _dequantised(here: Here) -> Value:
    grid, scale, zero = here.item(0), here.constant(1), here.optional(2)
    if not isinstance(grid, Quantised):
        raise GraphError("takes whole numbers that no QuantizeLinear gives")
    start = 0 if zero is None else int(zero.item())
    if scale.size != 1 or (float(scale.item()), start) != (grid.scale, grid.zero):
        raise GraphError("has another scale or zero point than the QuantizeLinear before it")
    return layers.fake_quantised(
        here.b, here.name, grid.value, grid.scale, grid.zero, grid.lowest, grid.highest
    )


HANDLERS: Mapping[str, Handler] = {
    "Conv": _convolution,
    "ConvTranspose": _convolution_transposed,
    "Gemm": _gemm,
    "MatMul": _matrix_product,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "Relu": _pointwise(lambda here: Relu()),
    "Sigmoid": _pointwise(lambda here: Sigmoid()),
    "Tanh": _pointwise(lambda here: Tanh()),
    "Gelu": _pointwise(_gelu),
    "Swish": _pointwise(_swish),
    "HardSigmoid": _pointwise(_hard_sigmoid),
    "HardSwish": _pointwise(lambda here: HardSwish()),
    **dict.fromkeys(("Elu", "Selu", "Celu"), _elu),
    "Pow": _power,
    "Clip": _clip,
    "LeakyRelu": _leaky_relu,
    "PRelu": _prelu,
    "AveragePool": _average_pool,
    "MaxPool": _max_pool,
    "GlobalAveragePool": _global_average,
    "GlobalMaxPool": _global_max,
    "ReduceMean": _mean,
    "ReduceMax": _maximum,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Gather": _gather,
    "Expand": _expand,
    "Add": _add,
    "Sum": _add,
    "Sub": _subtract,
    "Mul": _multiply,
    "Div": _divide,
    "Neg": _negate,
    "Concat": _concat,
    "Slice": _slice,
    "Split": _split,
    "Pad": _pad,
    "Resize": _resize,
    "Softmax": _softmax,
    "Identity": _identity,
    "Dropout": _pointwise(_dropout),
    "Cast": _cast,
    "QuantizeLinear": _quantised,
    "DequantizeLinear": _dequantised,
}
