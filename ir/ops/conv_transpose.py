"""The transposed convolution: conv_transpose2d."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from thresher.errors import GraphError
from thresher.ir.convolution import convolve_transposed
from thresher.ir.fields import Padding, Pair, PairRule, ruled
from thresher.ir.linear_map import IndexMap, LinearMap, at_places, reindex
from thresher.ir.op import Array, Op, Shape, register_op
from thresher.ir.ops.convolution import PlanarConvolution, random_tensor
from thresher.ir.weighted_map import ConvMap


@register_op
@dataclass(frozen=True)
class ConvTranspose2d(PlanarConvolution):
    """Spread (C, H, W) by a weight (in, out/groups, kh, kw); `padding` cuts the result's edges."""

    kind: ClassVar[str] = "conv_transpose2d"
    weight_layout: ClassVar[str] = "(in, out/groups, kernel height, kernel width)"
    output_padding: Pair = ruled(PairRule(0), (0, 0))

    def infer_shape(self, *shapes: Shape) -> Shape:
        for extra, step, reach in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if extra >= max(step, reach):
                raise GraphError(
                    f"output_padding {list(self.output_padding)} must be smaller than the stride "
                    f"{list(self.stride)} or the dilation {list(self.dilation)}"
                )
        return super().infer_shape(*shapes)

    def to_linear_maps(self, *shapes: Shape) -> tuple[LinearMap, ...]:
        """Stuff zeros between the inputs, then convolve with the flipped kernel."""
        (shape,) = shapes
        out_shape = self.infer_shape(shape)
        before, padding = self._stuffing(shape)
        weight = self.weight.values.astype(np.float64)
        by_group = weight.reshape(self.groups, -1, *weight.shape[1:]).swapaxes(1, 2)
        return (
            ConvMap(
                shape,
                out_shape,
                self._bias_over(out_shape),
                before,
                by_group.reshape(self.out_channels, -1, *self.kernel)[..., ::-1, ::-1],
                (1, 1),
                padding,
                self.dilation,
                self.groups,
            ),
        )

    def _stuffing(self, shape: Shape) -> tuple[IndexMap, Padding]:
        """Return the map into a grid with zeros between the inputs, and the grid's padding.

        Where `padding` cuts off more than a kernel's reach, the grid ends that much earlier.
        """
        places, sizes, sides = [], [], []
        for n, axis, extra in zip(shape[1:], self.axes, self.output_padding, strict=True):
            before, after = (axis.reach - 1 - side for side in axis.padding)
            size = (n - 1) * axis.stride + 1 + extra + min(before, 0) + min(after, 0)
            place = np.arange(n) * axis.stride + min(before, 0)
            places.append(np.where((place >= 0) & (place < size), place, -1))
            sizes.append(size)
            sides.append((max(before, 0), max(after, 0)))
        grid = (shape[0], sizes[0], sizes[1])
        return reindex(shape, grid, at_places(grid, *places)), (sides[0], sides[1])

    def macs(self, *shapes: Shape) -> int:
        return prod(shapes[0][1:]) * self.weight.values.size

    def _weigh(self, x: Array, weight: Array) -> Array:
        return convolve_transposed(x, weight, self.axes, self.output_padding, self.groups)

    def _size(self, shape: Shape) -> Shape:
        return tuple(
            (size - 1) * axis.stride + axis.reach + extra - sum(axis.padding)
            for size, axis, extra in zip(shape, self.axes, self.output_padding, strict=True)
        )

    def _weight_channels(self) -> int:
        return self.weight.shape[1] * self.groups

    @classmethod
    def _weight_shape(cls, channels: int, out: int, groups: int, kernel: Shape) -> Shape:
        return (channels, out // groups, *kernel)

    @classmethod
    def example(cls) -> tuple[Op, tuple[Shape, ...]]:
        op = cls(
            weight=random_tensor((4, 3, 3, 2)),
            bias=random_tensor((6,)),
            stride=(2, 3),
            padding=((1, 0), (3, 1)),
            output_padding=(1, 2),
            dilation=(1, 2),
            groups=2,
        )
        return op, ((4, 3, 4),)
