"""Images in a file, read a block at a time where an array would be sliced."""

from typing import Any

import numpy as np

from thresher.datasets.source import Array, Shape, Source
from thresher.errors import DataError


class StoredImages:
    """Images (N, ...) of a source from `first` on; `images[start:stop]` reads these from the file.

    Blocks that follow one another are read fastest. Floats are checked as they are read.
    """

    def __init__(self, source: Source, first: int, length: int) -> None:
        self._source, self._first = source, first
        self.shape: Shape = (length, *source.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._source.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> Array:
        """Read images start..stop - 1.

        Raises
        ------
        DataError
            Where the file is damaged, or holds a NaN or an infinite value.
        """
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise DataError(f"images are read in their order; expected [A:B], got a step of {step}")
        start += self._first
        x = self._source.read_images(start, max(start, stop + self._first))
        _check_finite(self._source.name, x, start)
        return x


def _check_finite(name: str, x: Array, start: int) -> None:
    if x.dtype.kind != "f" or np.isfinite(x).all():
        return
    bad = int(np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))[0])
    raise DataError(
        f"{name}: image {bad + start} holds a NaN or an infinite value; expected finite pixels"
    )
