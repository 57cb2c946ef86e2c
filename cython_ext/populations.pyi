from collections.abc import Callable
from typing import Any

from numpy import float64, int32, int64, uint8
from numpy.typing import NDArray
from typing_extensions import Self, disjoint_base

@disjoint_base
class Populations:
    def __new__(
        cls,
        model: NDArray[int32],
        rule: NDArray[int32],
        ceiling: NDArray[float64],
        above: NDArray[Any],
        below: NDArray[Any],
        down: NDArray[Any],
        hard: NDArray[uint8],
        v_reset: NDArray[float64],
        tau: NDArray[float64],
        decays: list[NDArray[Any]],
        operations: list[Callable[[NDArray[Any], int], NDArray[Any]] | None],
        counter: NDArray[int64],
        counters: int,
        members: NDArray[int64],
        member: NDArray[int32],
    ) -> Self: ...
