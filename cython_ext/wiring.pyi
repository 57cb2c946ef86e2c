from typing import Any

from numpy import float64, int32, int64, uint8
from numpy.typing import NDArray
from typing_extensions import Self, disjoint_base

@disjoint_base
class Wiring:
    n_populations: int
    n_neurons: int
    precision: int
    def __new__(
        cls,
        offsets: NDArray[int64],
        fires: NDArray[uint8],
        driven: NDArray[uint8],
        hard: NDArray[uint8],
        v_reset: NDArray[float64],
        block: NDArray[int32],
        theta: NDArray[Any],
        v_init: NDArray[Any],
        weight: NDArray[float64],
        scale: NDArray[float64],
        projections: list[tuple[object, ...]],
    ) -> Self: ...
