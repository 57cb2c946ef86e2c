"""PyTorch's modules and `.pt2` files: the operators of ATen that become nodes.

Both the operators as exported and the core set that `run_decompositions` leaves are known.
"""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from thresher.converters.importers import layers, placed
from thresher.converters.importers.aten import Program
from thresher.converters.importers.aten_fold import FOLDERS
from thresher.converters.importers.aten_walk import Given, Handler, Here, Walk
from thresher.converters.importers.builder import Array, GraphBuilder, Value
from thresher.converters.importers.layers import SELU_ALPHA, SELU_SCALE, Window
from thresher.converters.importers.layout import Placed
from thresher.converters.importers.torch_archive import read_archive
from thresher.errors import (
    GraphError,
    MissingExtraError,
    SpecError,
    ThresherError,
    UnsupportedError,
)
from thresher.ir import Graph, Op
from thresher.ir.op import Shape
from thresher.ir.ops import (
    BatchNorm,
    Dropout,
    Gelu,
    GroupNorm,
    HardSigmoid,
    HardSwish,
    LayerNorm,
    Relu,
    Sigmoid,
    Silu,
    Tanh,
)


def import_torch(module: Any, example: Any) -> Graph:
    """Turn a PyTorch module into a graph, through `torch.export`.

    Nodes are called by the paths of their modules, tensors as in the state dict.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode; hand-written `forward`s, functions and reused layers are followed.
    example : torch.Tensor or numpy.ndarray, or a tuple of them
        An input with its batch axis, (N, *shape); its values do not matter.

    Raises
    ------
    GraphError
        Where a layer is in training mode, or PyTorch cannot export the module.
    UnsupportedError
        Where it calls what a graph cannot say; every call is listed, with its source line.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "torch", "importing a PyTorch module") from error
    if not isinstance(module, torch.nn.Module):
        raise GraphError(
            f"got {type(module).__name__} '{str(module)[:60]}'; expected a torch.nn.Module (of a "
            "file: import_model)"
        )
    what = f"module '{type(module).__name__}'"
    _expect_evaluation(what, module)
    given = example if isinstance(example, (tuple, list)) else (example,)
    inputs = tuple(_example(item) for item in given)
    try:
        exported = torch.export.export(module, inputs)
        program = _read_back(exported)
        in_place = any(program.shared_change(call) for call in program.calls)
        if in_place:
            program = _read_back(exported.run_decompositions({}))  # nothing works in place there
    except ThresherError:
        raise
    except Exception as error:
        raise GraphError(
            f"PyTorch cannot export {what}: {_first_line(error)}; expected a module that "
            "torch.export.export takes"
        ) from error
    try:
        return _graph(program, type(module).__name__, what)
    except UnsupportedError:
        simpler = None if in_place else _of_core(exported)
        if simpler is None:
            raise
        try:
            return _graph(simpler, type(module).__name__, what)
        except UnsupportedError:
            pass  # the module's own calls say it better
        raise


def _of_core(exported: Any) -> Program | None:
    """Return the program in ATen's core operators, of which an einsum is made, for example."""
    try:
        return _read_back(exported.run_decompositions())
    except Exception:  # PyTorch's own, of every kind
        return None


def import_torch_archive(path: Path, shape: Shape | None = None) -> Graph:
    """Read a `.pt2` file of `torch.export.save`; PyTorch is not needed, and no pickle is opened."""
    graph = _graph(read_archive(path), path.stem, f"'{path}'")
    if shape is not None and shape != graph.inputs[0].shape:
        raise SpecError(
            f"'{path}' was exported for an input of {list(graph.inputs[0].shape)}, not "
            f"{list(shape)}; export it again for another shape"
        )
    return graph


def _graph(program: Program, name: str, what: str) -> Graph:
    return Walk(program, GraphBuilder(name, what), HANDLERS, FOLDERS).graph()


def _read_back(exported: Any) -> Program:
    """Return an exported program as its file tells it."""
    import torch

    content = BytesIO()
    torch.export.save(exported, content)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "module.pt2"
        path.write_bytes(content.getbuffer())
        return read_archive(path)


def _expect_evaluation(what: str, module: Any) -> None:
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.dropout import _DropoutNd

    training = [
        name or "itself"
        for name, layer in module.named_modules()
        if layer.training and isinstance(layer, (_BatchNorm, _DropoutNd))
    ]
    if training:
        raise GraphError(
            f"{what} is in training mode at {', '.join(training[:8])}"
            f"{', ...' if len(training) > 8 else ''}, where it does not compute what it does when "
            "it is used; call its eval() first"
        )


def _example(given: Any) -> Any:
    """Return a tensor with a batch of two or more: one could not be told from an axis of one."""
    import torch

    try:
        example = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise GraphError(
            f"the example is {type(given).__name__} '{str(given)[:60]}'; expected a tensor or an "
            "array (N, *shape)"
        ) from error
    if example.dim() < 2 or not len(example):
        raise GraphError(
            f"the example is {list(example.shape)}; expected a batch axis and the axes of a sample"
        )
    return torch.cat([example, example]) if len(example) == 1 else example


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason'}"


def _window(here: Here, n: int, kernel: Sequence[int], ceil: bool = False) -> Window:
    padding = here.ints("padding", n, 0)
    return Window(
        tuple(kernel),
        here.ints("stride", n, 1),
        tuple((side, side) for side in padding),
        here.ints("dilation", n, 1),
        ceil,
    )


def _pool_window(here: Here, n: int) -> Window:
    kernel = here.ints("kernel_size", n)
    window = _window(here, n, kernel, bool(here.get("ceil_mode", False)))
    if here.get("stride") in (None, []):
        return Window(kernel, kernel, window.padding, window.dilation, window.ceil)
    return window


def _convolution(here: Here) -> Value:
    x, weight, bias = here.x("input"), here.required("weight"), here.tensor("bias")
    n, groups = weight.values.ndim - 2, here.integer("groups", 1)
    if here.get("transposed", False):
        return _transposed(here, weight.values.ndim - 2)
    if isinstance(here.get("padding"), str):
        return layers.convolution(here.b, here.name, x, weight, bias, _padded_by_name(here), groups)
    window = _window(here, n, weight.shape[2:])
    return layers.convolution(here.b, here.name, x, weight, bias, window, groups)


def _padded_by_name(here: Here) -> Window:
    """Read padding 'same' or 'valid'; an odd one goes to the far end."""
    kernel = here.required("weight").shape[2:]
    n, same = len(kernel), here.get("padding") == "same"
    dilation = here.ints("dilation", n, 1)
    total = [step * (size - 1) if same else 0 for step, size in zip(dilation, kernel, strict=True)]
    padding = tuple((side // 2, side - side // 2) for side in total)
    return Window(kernel, here.ints("stride", n, 1), padding, dilation)


def _transposed(here: Here, n: int) -> Value:
    weight = here.required("weight")
    window, extra = _window(here, n, weight.shape[2:]), here.ints("output_padding", n, 0)
    return layers.convolution_transposed(
        here.b, here.name, here.x("input"), weight, here.tensor("bias"), window, extra,
        here.integer("groups", 1),
    )  # fmt: skip


def _conv_transpose(here: Here) -> Value:
    return _transposed(here, here.required("weight").values.ndim - 2)


def _linear(here: Here) -> Placed:
    weight, bias = here.required("weight"), here.tensor("bias")
    return placed.linear(here.b, here.name, here.placed("input"), weight, bias)


def _matrix_product(here: Here, x: str, other: str, bias: str | None = None) -> Placed:
    """Multiply by a constant (in, out), most often a transposed weight (out, in), or by values."""
    if not here.is_constant(other) and bias is None:
        return placed.matrix_product(here.b, here.name, here.placed(x), here.placed(other))
    product = here.constant(other)
    if product is not None and product.ndim == 3 and (product == product[:1]).all():
        product = product[0]  # repeated for each sample, as a bmm needs it
    if product is None or product.ndim != 2:
        shown = None if product is None else list(product.shape)
        raise GraphError(f"multiplies by {shown}; expected a constant (in, out)")
    given = None if bias is None else here.constant(bias)
    shift = None if given is None else here.b.tensor(f"{here.name}.bias", given)
    tensor = here.b.tensor(f"{here.name}.weight", product.T)
    return placed.linear(here.b, here.name, here.placed(x), tensor, shift)


def _attention(here: Here) -> Placed:
    """Read scaled_dot_product_attention, the heads with or before the batch, without a mask."""
    if here.get("is_causal", False) or here.call.arguments.get("attn_mask") is not None:
        raise GraphError("has a mask; expected an attention of all positions to all")
    if here.get("enable_gqa", False):
        raise GraphError("shares keys among queries; expected as many of both")
    query, key, value = (here.placed(name) for name in ("query", "key", "value"))
    scale = None if here.get("scale") is None else here.number("scale")
    return placed.attention(here.b, here.name, query, key, value, scale)


def _addmm(here: Here) -> Placed:
    if here.number("beta", 1) != 1 or here.number("alpha", 1) != 1:
        raise GraphError("has factors alpha or beta; expected 1")
    return _matrix_product(here, "mat1", "mat2", "self")


def _batch_norm(here: Here) -> Value:
    if here.get("training", False):
        raise GraphError("normalises by the batch, as in training; call the module's eval() first")
    op = BatchNorm(
        running_mean=here.required("running_mean"),
        running_var=here.required("running_var"),
        weight=here.tensor("weight"),
        bias=here.tensor("bias"),
        eps=here.number("eps", 1e-5),
    )
    return here.b.add(here.name, op, here.x("input"))


def _layer_norm(here: Here) -> Placed:
    axes = len(cast(list[int], here.get("normalized_shape")))
    op = LayerNorm(here.tensor("weight"), here.tensor("bias"), here.number("eps", 1e-5), axes)
    return placed.layer_norm(here.b, here.name, here.placed("input"), op)


def _group_norm(here: Here) -> Value:
    native = here.call.operator == "native_group_norm"
    groups = here.integer("group" if native else "num_groups")
    op = GroupNorm(here.tensor("weight"), here.tensor("bias"), here.number("eps", 1e-5), groups)
    return here.b.add(here.name, op, here.x("input"))


def _instance_norm(here: Here) -> Value:
    """Read what normalises each channel by itself; by running statistics it is a batch norm."""
    if not here.get("use_input_stats", True):
        return _batch_norm(here)
    x = here.x("input")
    op = GroupNorm(here.tensor("weight"), here.tensor("bias"), here.number("eps", 1e-5), x.shape[0])
    return here.b.add(here.name, op, x)


def _pointwise(make: Callable[[Here], Op]) -> Handler:
    """Read a function of each value alone, wherever the batch is."""

    def handle(here: Here) -> Placed:
        x = here.placed("self" if "self" in here.call.arguments else "input")
        return placed.pointwise(here.b, here.name, x, make(here))

    return handle


def _elu(here: Here) -> Placed:
    """Read ELU, CELU, max(x, 0) + min(alpha (exp(x / alpha) - 1), 0), and SELU."""
    x, alpha = here.placed(), here.number("alpha", 1.0)
    scale, within = here.number("scale", 1.0), here.number("input_scale", 1.0)
    if here.call.operator.startswith("celu"):
        within = 1 / alpha
    if here.call.operator.startswith("selu"):
        alpha, scale = SELU_ALPHA, SELU_SCALE
    return x.holding(layers.elu(here.b, here.name, x.value, alpha, scale, within))


def _power(here: Here) -> Placed:
    if here.get("exponent") not in (2, 2.0):
        raise GraphError(f"takes the power {here.get('exponent')}; expected 2")
    return placed.multiply(here.b, here.name, here.placed(), here.placed())


def _clip(here: Here, low: str, high: str, defaults: tuple[float | None, float | None]) -> Value:
    bounds = [here.get(name, default) for name, default in zip((low, high), defaults, strict=True)]
    first, last = (None if bound is None else float(cast(float, bound)) for bound in bounds)
    return layers.clip(here.b, here.name, here.x(), first, last)


def _leaky_relu(here: Here) -> Value:
    slope = np.asarray(here.number("negative_slope", 0.01))
    return layers.leaky_relu(here.b, here.name, here.x(), slope)


def _prelu(here: Here) -> Value:
    return layers.leaky_relu(here.b, here.name, here.x(), here.required("weight").values)


def _average_pool(here: Here, n: int) -> Value:
    divisor = here.get("divisor_override")
    return layers.average_pool(
        here.b, here.name, here.x(), _pool_window(here, n),
        bool(here.get("count_include_pad", True)), cast(int | None, divisor),
    )  # fmt: skip


def _max_pool(here: Here, n: int) -> Value:
    return layers.max_pool(here.b, here.name, here.x(), _pool_window(here, n))


def _adaptive(here: Here, n: int, average: bool) -> Value:
    sizes = here.shape[1:]
    return layers.adaptive_pool(here.b, here.name, here.x(), sizes, average)


def _mean(here: Here) -> Placed:
    axes, keep = cast(list[int], here.get("dim") or []), bool(here.get("keepdim", False))
    return placed.mean(here.b, here.name, here.placed(), axes, keep)


def _fold(here: Here) -> Placed:
    """Bring the values, in their order, into the shape that PyTorch traced."""
    return here.placed().folded(here.b, here.name, here.traced(), here.walk.batch)


def _flatten(here: Here) -> Given:
    if here.placed().is_plain and here.traced()[0] == here.walk.batch:
        return layers.reshape(here.b, here.name, here.x(), here.shape)
    return _fold(here)


def _permute(here: Here) -> Placed:
    x = here.placed()
    if here.call.operator == "permute":
        return x.permuted(here.b, here.name, here.ints("dims", x.rank))
    order = list(range(x.rank))
    a, z = (here.integer(f"dim{i}") % x.rank for i in (0, 1))
    order[a], order[z] = z, a
    return x.permuted(here.b, here.name, order)


def _same(here: Here) -> Placed:
    return here.placed()


def _expand(here: Here) -> Placed:
    x = here.placed()
    if not x.fits(here.traced(), here.walk.batch):
        raise GraphError(f"repeats values {list(x.value.shape)} to {list(here.traced())}")
    return x


def _dropout(here: Here) -> Op:
    if here.get("train", False):
        raise GraphError("drops values, as in training; call the module's eval() first")
    return Dropout(p=here.number("p", 0.5))


def _softmax(here: Here) -> Placed:
    return placed.softmax(here.b, here.name, here.placed(), here.integer("dim"))


def _cat(here: Here) -> Placed:
    return placed.join(here.b, here.name, here.listed("tensors"), here.integer("dim", 0))


def _slice(here: Here) -> Value:
    axis, x = here.integer("dim", 0), here.x()
    start, stop = here.get("start"), here.get("end")
    bounds = (0 if start is None else start, 2**62 if stop is None else stop)
    first, last = cast(tuple[int, int], bounds)
    if axis in (0, -len(x.shape) - 1) and (first, here.integer("step", 1)) == (0, 1):
        here.shape  # noqa: B018 - the batch axis is still whole
        return x
    return layers.take(here.b, here.name, x, axis, first, last, here.integer("step", 1))


def _narrow(here: Here) -> Value:
    start, length = here.integer("start"), here.integer("length")
    return layers.take(here.b, here.name, here.x(), here.integer("dim"), start, start + length)


def _select(here: Here) -> Placed:
    axis, index = here.integer("dim"), here.integer("index")
    return placed.select(here.b, here.name, here.placed(), axis, index)


def _unbind(here: Here) -> list[Placed]:
    x, axis = here.placed(), here.integer("dim", 0)
    places = range(len(here.call.outputs))
    return [placed.select(here.b, here.name, x, axis, index) for index in places]


def _split(here: Here) -> list[Placed]:
    """Cut along an axis into the parts that PyTorch traced."""
    x, axis, ends = here.placed(), here.integer("dim", 0), [0]
    x.place(axis)
    for name in here.call.outputs:
        ends.append(ends[-1] + int(here.traced(name)[axis]))
    return [placed.take(here.b, here.name, x, axis, *part) for part in pairwise(ends)]


def _pad(here: Here) -> Value:
    x, ends = here.x(), list(cast(Sequence[int], here.get("pad")))
    pairs = [(ends[i], ends[i + 1]) for i in range(0, len(ends), 2)]
    if len(pairs) > len(x.shape):
        raise GraphError(f"pads by {ends}, the batch axis too")
    sides = [(0, 0)] * (len(x.shape) - len(pairs)) + pairs[::-1]
    value, mode = here.get("value"), str(here.get("mode", "constant"))
    return layers.pad(here.b, here.name, x, sides, float(cast(float, value or 0)), mode)


def _upsample(here: Here) -> Value:
    x, sizes = here.x("input"), here.shape[1:]
    scale = [size // n for size, n in zip(sizes, x.shape[1:], strict=True)]
    if any(n * s != size for n, s, size in zip(x.shape[1:], scale, sizes, strict=True)):
        raise GraphError(f"makes {list(sizes)} of {list(x.shape[1:])}; expected whole factors")
    return layers.upsample(here.b, here.name, x, scale)


def _add(here: Here, sign: float = 1.0) -> Placed:
    """Add values, or a value and a constant; `alpha` multiplies the second."""
    factor = sign * here.number("alpha", 1)
    if here.is_constant("other"):
        offset = _constant(here, "other") * factor
        return placed.affine(here.b, here.name, here.placed(), 1.0, offset)
    if here.is_constant("self"):
        offset = _constant(here, "self")
        return placed.affine(here.b, here.name, here.placed("other"), factor, offset)
    x, other = here.placed(), here.placed("other")
    if x.value.shape != other.value.shape:
        shapes = list(x.value.shape), list(other.value.shape)
        raise GraphError("adds {} and {}; expected one shape".format(*shapes))
    if factor != 1:
        other = placed.affine(here.b, f"{here.name}.scale", other, factor)
    return placed.add(here.b, here.name, x, other)


def _subtract(here: Here) -> Placed:
    return _add(here, -1.0)


def _reverse_subtract(here: Here) -> Placed:
    """Return other - alpha * self."""
    if not here.is_constant("other"):
        raise GraphError("subtracts by rsub; expected a constant to subtract from")
    factor = -here.number("alpha", 1)
    offset = _constant(here, "other")
    return placed.affine(here.b, here.name, here.placed(), factor, offset)


def _multiply(here: Here) -> Placed:
    for constant, value in (("other", "self"), ("self", "other")):
        if here.is_constant(constant):
            factor = _constant(here, constant)
            return placed.affine(here.b, here.name, here.placed(value), factor)
    return placed.multiply(here.b, here.name, here.placed(), here.placed("other"))


def _divide(here: Here) -> Placed:
    if not here.is_constant("other") or here.get("rounding_mode") is not None:
        raise GraphError("divides by values, or rounds; expected a constant divisor")
    divisor = _constant(here, "other")
    if not divisor.all():
        raise GraphError("divides by 0")
    return placed.affine(here.b, here.name, here.placed(), 1.0 / divisor)


def _negate(here: Here) -> Placed:
    return placed.affine(here.b, here.name, here.placed(), -1.0)


def _constant(here: Here, name: str) -> Array:
    values = here.constant(name)
    if values is None:
        raise GraphError(f"has no {name}; expected a constant")
    return values


def _fake_quantised(here: Here) -> Value:
    scale, zero = _constant(here, "scale"), _constant(here, "zero_point")
    if scale.size != 1 or zero.size != 1:
        raise GraphError("has a grid for each channel; expected one for all values")
    return layers.fake_quantised(
        here.b, here.name, here.x(), scale.item(), int(zero.item()), here.integer("quant_min"),
        here.integer("quant_max"),
    )  # fmt: skip


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys(("conv1d", "conv2d", "convolution", "_convolution"), _convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), _conv_transpose),
    "linear": _linear,
    "addmm": _addmm,
    "mm": lambda here: _matrix_product(here, "self", "mat2"),
    "bmm": lambda here: _matrix_product(here, "self", "mat2"),
    "matmul": lambda here: _matrix_product(here, "self", "other"),
    **dict.fromkeys(
        ("batch_norm", "_native_batch_norm_legit_no_training", "cudnn_batch_norm"), _batch_norm
    ),
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(("layer_norm", "native_layer_norm"), _layer_norm),
    **dict.fromkeys(("group_norm", "native_group_norm"), _group_norm),
    "instance_norm": _instance_norm,
    **dict.fromkeys(("relu", "relu_"), _pointwise(lambda here: Relu())),
    **dict.fromkeys(("sigmoid", "sigmoid_"), _pointwise(lambda here: Sigmoid())),
    **dict.fromkeys(("tanh", "tanh_"), _pointwise(lambda here: Tanh())),
    **dict.fromkeys(("silu", "silu_"), _pointwise(lambda here: Silu())),
    **dict.fromkeys(
        ("gelu", "gelu_"),
        _pointwise(lambda here: Gelu(approximate=str(here.get("approximate", "none")))),
    ),
    **dict.fromkeys(("hardsigmoid", "hardsigmoid_"), _pointwise(lambda here: HardSigmoid())),
    **dict.fromkeys(("hardswish", "hardswish_"), _pointwise(lambda here: HardSwish())),
    **dict.fromkeys(("elu", "elu_", "celu", "celu_", "selu", "selu_"), _elu),
    "pow": _power,
    **dict.fromkeys(
        ("hardtanh", "hardtanh_"), lambda here: _clip(here, "min_val", "max_val", (-1.0, 1.0))
    ),
    **dict.fromkeys(("relu6", "relu6_"), lambda here: _clip(here, "", "", (0.0, 6.0))),
    **dict.fromkeys(("clamp", "clamp_"), lambda here: _clip(here, "min", "max", (None, None))),
    **dict.fromkeys(("clamp_min", "clamp_min_"), lambda here: _clip(here, "min", "", (None, None))),
    **dict.fromkeys(("leaky_relu", "leaky_relu_"), _leaky_relu),
    **dict.fromkeys(("prelu", "_prelu_kernel"), _prelu),
    "avg_pool1d": lambda here: _average_pool(here, 1),
    "avg_pool2d": lambda here: _average_pool(here, 2),
    "max_pool1d": lambda here: _max_pool(here, 1),
    "max_pool2d": lambda here: _max_pool(here, 2),
    "max_pool2d_with_indices": lambda here: _max_pool(here, 2),
    "adaptive_avg_pool1d": lambda here: _adaptive(here, 1, True),
    "adaptive_avg_pool2d": lambda here: _adaptive(here, 2, True),
    "_adaptive_avg_pool2d": lambda here: _adaptive(here, 2, True),
    "adaptive_max_pool1d": lambda here: _adaptive(here, 1, False),
    "adaptive_max_pool2d": lambda here: _adaptive(here, 2, False),
    "mean": _mean,
    "flatten": _flatten,
    **dict.fromkeys(
        ("view", "_unsafe_view", "reshape", "view_copy", "unflatten", "squeeze", "unsqueeze",
         "squeeze_copy", "unsqueeze_copy", "view_as", "reshape_as"),
        _fold,
    ),
    **dict.fromkeys(("permute", "transpose"), _permute),
    **dict.fromkeys(
        ("contiguous", "clone", "alias", "detach", "detach_", "lift_fresh_copy", "to", "_to_copy",
         "positive"),
        _same,
    ),
    "expand": _expand,
    **dict.fromkeys(
        ("dropout", "dropout_", "feature_dropout", "native_dropout"), _pointwise(_dropout)
    ),
    **dict.fromkeys(("softmax", "_softmax"), _softmax),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    **dict.fromkeys(("slice", "slice_copy"), _slice),
    "narrow": _narrow,
    **dict.fromkeys(("select", "select_copy"), _select),
    "unbind": _unbind,
    **dict.fromkeys(("split", "chunk", "split_with_sizes", "tensor_split"), _split),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **dict.fromkeys(
        ("upsample_nearest1d", "upsample_nearest2d", "_upsample_nearest_exact1d",
         "_upsample_nearest_exact2d"),
        _upsample,
    ),
    **dict.fromkeys(("add", "add_"), _add),
    **dict.fromkeys(("sub", "sub_", "subtract"), _subtract),
    "rsub": _reverse_subtract,
    **dict.fromkeys(("mul", "mul_", "multiply"), _multiply),
    **dict.fromkeys(("div", "div_", "divide", "true_divide"), _divide),
    "neg": _negate,
    **dict.fromkeys(
        ("fake_quantize_per_tensor_affine", "fake_quantize_per_tensor_affine_cachemask"),
        _fake_quantised,
    ),
}  # fmt: skip
