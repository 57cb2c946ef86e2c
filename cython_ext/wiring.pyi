from numpy import float64, floating, int32, int64, uint8
from numpy.typing import NDArray
from typing_extensions import Self, disjoint_base

@disjoint_base
class Wiring:
    n_populations: int
    n_neurons: int
    is_double: bool
    def __new__(
        cls,
        offsets: NDArray[int64],
        fires: NDArray[uint8],
        driven: NDArray[uint8],
        hard: NDArray[uint8],
        v_reset: NDArray[float64],
        block: NDArray[int32],
        theta: NDArray[floating],
        v_init: NDArray[floating],
        projections: list[tuple[object, ...]],
    ) -> Self: ...
