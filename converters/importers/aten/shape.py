"""ATen's operators that move, cut, join and repeat values."""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from thresher.converters.importers import layers, placed
from thresher.converters.importers.aten.handlers import HANDLERS
from thresher.converters.importers.aten.walk import Given, Here
from thresher.converters.importers.builder import Value
from thresher.converters.importers.layout import Placed
from thresher.errors import GraphError


@HANDLERS.of(
    "view", "_unsafe_view", "reshape", "view_copy", "unflatten", "squeeze", "unsqueeze",
    "squeeze_copy", "unsqueeze_copy", "view_as", "reshape_as",
)  # fmt: skip
def _view(here: Here) -> Placed:
    return _folded(here)


@HANDLERS.of("flatten")
def _flatten(here: Here) -> Given:
    if here.placed().is_plain and here.traced()[0] == here.walk.batch:
        return layers.reshape(here.b, here.name, here.x(), here.shape)
    return _folded(here)


@HANDLERS.of("permute", "transpose")
def _permute(here: Here) -> Placed:
    x = here.placed()
    if here.call.operator == "permute":
        return x.permuted(here.b, here.name, here.ints("dims", x.rank))
    order = list(range(x.rank))
    a, z = (here.integer(f"dim{i}") % x.rank for i in (0, 1))
    order[a], order[z] = z, a
    return x.permuted(here.b, here.name, order)


@HANDLERS.of(
    "contiguous", "clone", "alias", "detach", "detach_", "lift_fresh_copy", "to", "_to_copy",
    "positive",
)  # fmt: skip
def _same(here: Here) -> Placed:
    return here.placed()


@HANDLERS.of("expand")
def _expand(here: Here) -> Placed:
    x = here.placed()
    if not x.fits(here.traced(), here.walk.batch):
        raise GraphError(f"repeats values {list(x.value.shape)} to {list(here.traced())}")
    return x


@HANDLERS.of("cat", "concat", "concatenate")
def _cat(here: Here) -> Placed:
    return placed.join(here.b, here.name, here.listed("tensors"), here.integer("dim", 0))


@HANDLERS.of("slice", "slice_copy")
def _slice(here: Here) -> Value:
    axis, x = here.integer("dim", 0), here.x()
    start, stop = here.get("start"), here.get("end")
    bounds = (0 if start is None else start, 2**62 if stop is None else stop)
    first, last = cast(tuple[int, int], bounds)
    if axis in (0, -len(x.shape) - 1) and (first, here.integer("step", 1)) == (0, 1):
        here.shape  # noqa: B018 - the batch axis is still whole
        return x
    return layers.take(here.b, here.name, x, axis, first, last, here.integer("step", 1))


@HANDLERS.of("narrow")
def _narrow(here: Here) -> Value:
    start, length = here.integer("start"), here.integer("length")
    return layers.take(here.b, here.name, here.x(), here.integer("dim"), start, start + length)


@HANDLERS.of("select", "select_copy")
def _select(here: Here) -> Placed:
    axis, index = here.integer("dim"), here.integer("index")
    return placed.select(here.b, here.name, here.placed(), axis, index)


@HANDLERS.of("unbind")
def _unbind(here: Here) -> list[Placed]:
    x, axis = here.placed(), here.integer("dim", 0)
    places = range(len(here.call.outputs))
    return [placed.select(here.b, here.name, x, axis, index) for index in places]


@HANDLERS.of("split", "chunk", "split_with_sizes", "tensor_split")
def _split(here: Here) -> list[Placed]:
    """Cut along an axis into the parts that PyTorch traced."""
    x, axis, ends = here.placed(), here.integer("dim", 0), [0]
    x.place(axis)
    for name in here.call.outputs:
        ends.append(ends[-1] + int(here.traced(name)[axis]))
    return [placed.take(here.b, here.name, x, axis, *part) for part in pairwise(ends)]


@HANDLERS.of("pad", "constant_pad_nd")
def _pad(here: Here) -> Value:
    x, ends = here.x(), list(cast(Sequence[int], here.get("pad")))
    pairs = [(ends[i], ends[i + 1]) for i in range(0, len(ends), 2)]
    if len(pairs) > len(x.shape):
        raise GraphError(f"pads by {ends}, the batch axis too")
    sides = [(0, 0)] * (len(x.shape) - len(pairs)) + pairs[::-1]
    value, mode = here.get("value"), str(here.get("mode", "constant"))
    return layers.pad(here.b, here.name, x, sides, float(cast(float, value or 0)), mode)


@HANDLERS.of(
    "upsample_nearest1d", "upsample_nearest2d", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d",
)  # fmt: skip
def _upsample(here: Here) -> Value:
    x, sizes = here.x("input"), here.shape[1:]
    scale = [size // n for size, n in zip(sizes, x.shape[1:], strict=True)]
    if any(n * s != size for n, s, size in zip(x.shape[1:], scale, sizes, strict=True)):
        raise GraphError(f"makes {list(sizes)} of {list(x.shape[1:])}; expected whole factors")
    return layers.upsample(here.b, here.name, x, scale)


def _folded(here: Here) -> Placed:
    """Bring the values, in their order, into the shape that PyTorch traced."""
    return here.placed().folded(here.b, here.name, here.traced(), here.walk.batch)
