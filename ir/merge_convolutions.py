"""Two convolutions, one after the other, as one: the same values, and the same synapses."""

from itertools import product

import numpy as np

from thresher.ir.convolution import Axis
from thresher.ir.linear_map import Floats, IndexMap, LinearMap, at_places, identity
from thresher.ir.weighted_map import ConvMap


def merge_convolutions(first: ConvMap, second: LinearMap, bias: Floats | None) -> ConvMap | None:
    """Return one convolution, with the given bias, for a convolution and what follows it.

    None where what follows is neither a convolution nor a pool whose windows tile the plane, or
    the two make no convolution (see `_merge`).
    """
    follower = _pool(second) if isinstance(second, IndexMap) else second
    if not isinstance(follower, ConvMap):
        return None
    follower = follower.with_unit_factor()
    if follower is None or not follower.before.is_whole or first.grid[2:] != follower.grid[:2]:
        return None
    if max(first.groups, follower.groups) % min(first.groups, follower.groups):
        return None
    down, across = map(_merge, first.axes, follower.axes)
    if down is None or across is None:
        return None
    return ConvMap(
        first.in_shape,
        second.out_shape,
        bias,
        first.before,
        _weight(first, follower, down, across),
        (down.stride, across.stride),
        (down.padding, across.padding),
        (down.dilation, across.dilation),
        min(first.groups, follower.groups),
    )


def _merge(a: Axis, b: Axis) -> Axis | None:
    """Merge two windows along an axis.

    None where the second pads what the first gives, since the border then differs, and where the
    merged window would have gaps, since a weight there would be a synapse that the chain has not.
    """
    if b.kernel == 1 and not any(b.padding):
        return Axis(a.kernel, a.stride * b.stride, a.padding, a.dilation)
    if a.kernel == a.stride == 1 and not any(a.padding):
        return b
    step = a.stride * b.dilation
    if any(b.padding) or a.dilation > 1 or step > a.kernel:
        return None
    return Axis(a.kernel + (b.kernel - 1) * step, a.stride * b.stride, a.padding, 1)


def _weight(first: ConvMap, second: ConvMap, down: Axis, across: Axis) -> Floats:
    """Sum, over the channels and taps between, the products of both weights."""
    parts = max(first.groups // second.groups, 1)  # groups of the first in one of the second
    inner, *size = first.weight.shape[1:]
    a = first.weight.reshape(second.groups, parts, -1, inner * size[0] * size[1])
    by_group = second.weight.reshape(second.groups, -1, parts, a.shape[2], *second.weight.shape[2:])
    b = by_group.swapaxes(1, 2)  # groups, parts, out, between, taps
    merged = np.zeros((*b.shape[:3], inner, down.kernel, across.kernel))
    # How far the first's kernel moves in the merged one from a tap of the second to the next.
    steps = [
        (merged_axis.kernel - one.kernel) // max(two.kernel - 1, 1)
        for merged_axis, one, two in zip((down, across), first.axes, second.axes, strict=True)
    ]
    for row, column in product(*map(range, b.shape[4:])):
        products = np.matmul(b[..., row, column], a).reshape(*b.shape[:3], inner, *size)
        top, left = row * steps[0], column * steps[1]
        merged[..., top : top + size[0], left : left + size[1]] += products
    return merged.swapaxes(1, 2).reshape(len(second.weight), -1, down.kernel, across.kernel)


def _pool(index: IndexMap) -> ConvMap | None:
    """Return a pool whose windows tile the plane as a convolution of each channel with itself."""
    if len(index.in_shape) != 3 or index.in_shape[:1] != index.out_shape[:1]:
        return None
    (channels, height, width), size = index.in_shape, index.out_shape[1:]
    if len(size) != 2:
        return None
    rows = index.rows.reshape(index.in_shape)
    kernel = int((rows[0, :, 0] // size[1] == 0).sum()), int((rows[0, 0] == 0).sum())
    if 0 in kernel:
        return None
    windows = [np.arange(n) // tile for n, tile in zip((height, width), kernel, strict=True)]
    down, across = (np.where(w < n, w, -1) for w, n in zip(windows, size, strict=True))
    if not np.array_equal(rows, at_places(index.out_shape, down, across)):
        return None
    factor = index.factor.reshape(index.in_shape)[:, down >= 0][:, :, across >= 0]
    by_channel = factor[:, :1, :1]
    if not (factor == by_channel).all():
        return None
    weight = np.broadcast_to(by_channel[:, None], (channels, 1, *kernel))
    geometry = (kernel, ((0, 0), (0, 0)), (1, 1), channels)
    pool = ConvMap(
        index.in_shape, index.out_shape, None, identity(index.in_shape), weight, *geometry
    )
    return pool if pool.grid[2:] == size else None  # a border after it is reached by nothing
