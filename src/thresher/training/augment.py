"""Images moved and mirrored at random, a batch at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import TrainingError
from thresher.ir.op import Shape
from thresher.training.settings import TrainingSettings

Array = NDArray[Any]

CROP = 4
"""Pixels that images of three channels are moved by, at most (He et al. 2016, CIFAR-10)."""


@dataclass(frozen=True)
class Augmentation:
    """Move images (N, C, H, W) by up to `crop` pixels each way; mirror half of them with `flip`."""

    crop: int
    flip: bool

    def apply(self, x: Array, rng: np.random.Generator) -> Array:
        """Return raw images (N, C, H, W), moved and mirrored; zeros come in from beyond an edge."""
        n = len(x)
        if self.crop:
            pad = (self.crop, self.crop)
            padded = np.pad(x, ((0, 0), (0, 0), pad, pad))
            windows = np.lib.stride_tricks.sliding_window_view(padded, x.shape[2:], axis=(2, 3))
            top, left = rng.integers(2 * self.crop + 1, size=(2, n))
            x = windows[np.arange(n), :, top, left]
        if self.flip:
            mirrored = rng.random(n) < 0.5
            x = np.where(mirrored[:, None, None, None], x[..., ::-1], x)
        return x


def augmentation(settings: TrainingSettings, shape: Shape) -> Augmentation:
    """Choose what is done to images of a shape (without the batch axis).

    Raises
    ------
    TrainingError
        Where the settings ask to move or mirror what has no height and width.
    """
    colour = len(shape) == 3 and shape[0] == 3
    crop = settings.crop if settings.crop is not None else CROP * colour
    flip = settings.flip if settings.flip is not None else colour
    if (crop or flip) and len(shape) != 3:
        raise TrainingError(
            f"training: crop {crop}, flip {flip}, but the input is {list(shape)}; expected "
            "(C, H, W) to move or mirror: set crop to 0 and flip to false"
        )
    return Augmentation(crop, flip)


def batches(n: int, size: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Shuffle n images into batches of at most `size`, whose sizes differ by one at most.

    So no batch is left with a single image, over which a batch norm has no variance.
    """
    order: NDArray[np.intp] = rng.permutation(n)
    return np.array_split(order, -(-n // size))
