"""Dense convolution of a batch (im2col and a matrix product), shared by ops and linear maps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = tuple[int, int]
Padding = tuple[tuple[int, int], tuple[int, int]]


def windows(x: Array, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Array:
    """View a batch (N, C, H, W) as its windows (N, C, OH, OW, kh, kw); nothing is copied."""
    reach = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def convolve(
    x: Array, weight: Array, stride: Pair, padding: Padding, dilation: Pair, groups: int
) -> Array:
    """Convolve a batch (N, C, H, W) with a weight (out, in/groups, kh, kw) as PyTorch does.

    Each sample is one matrix product of its own, so its result does not depend on the batch.
    """
    out_channels, per_group, kh, kw = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), *padding))
    view = windows(padded, (kh, kw), stride, dilation)
    n, _, height, width = view.shape[:4]
    kernel = weight.reshape(groups, out_channels // groups, per_group * kh * kw)
    y = np.empty((n, groups, out_channels // groups, height * width), x.dtype)
    for sample in range(n):
        columns = view[sample].transpose(0, 3, 4, 1, 2).reshape(groups, -1, height * width)
        np.matmul(kernel, columns, out=y[sample])
    return y.reshape(n, out_channels, height, width)


def conv_size(size: int, kernel: int, stride: int, padding: Pair, dilation: int) -> int:
    """Return an output axis of a convolution or pool; 0 or less where the kernel does not fit."""
    return (size + sum(padding) - dilation * (kernel - 1) - 1) // stride + 1
