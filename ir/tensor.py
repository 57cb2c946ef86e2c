"""Tensor: a named, read-only array of a graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Tensor:
    """Name an array; two tensors are equal when name, dtype, shape and bits agree.

    The array is made read-only where it stands, so that a pass that works in place fails at once.
    """

    name: str
    values: NDArray[Any]

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.flags.writeable:
            values = values.view()
            values.flags.writeable = False
        object.__setattr__(self, "values", values)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tensor):
            return NotImplemented
        a, b = self.values, other.values
        same_type = self.name == other.name and a.dtype == b.dtype and a.shape == b.shape
        return same_type and (a is b or a.tobytes() == b.tobytes())

    def __hash__(self) -> int:
        return hash((self.name, self.shape))

    def __repr__(self) -> str:
        return f"Tensor({self.name!r}, {self.values.dtype}{list(self.shape)})"
