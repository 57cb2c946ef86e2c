from typing import Any

from numpy import int8, int32, int64, uint8
from numpy.typing import NDArray

from thresher.cython_ext.wiring import Wiring

def run_lockstep(
    wiring: Wiring,
    current: NDArray[Any],
    start: NDArray[Any] | None,
    steps: int,
    t_start: int,
    confidence: float,
    evidence: int,
    input_ticks: NDArray[int64],
    input_neurons: NDArray[int32],
    input_signs: NDArray[int8],
    kept: NDArray[uint8],
    watch: NDArray[int64],
    stop: NDArray[int32],
) -> tuple[Any, ...]: ...
