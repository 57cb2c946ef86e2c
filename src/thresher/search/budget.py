"""Budget: what a spiking network may cost, or may lose against its ANN."""

import math
import re
from dataclasses import dataclass

from thresher.errors import PassError

EXPECTED = (
    "expected steps=T (at most T steps, as accurate as can be), spikes=N (at most N spikes an "
    "image) or loss=X (at most X points below the ANN, in as few steps as can be)"
)
LADDER = (1, 2, 4, 8, 16, 32)
"""Steps that are tried where the budget does not say how many there may be."""
MOST_STEPS = 4096


@dataclass(frozen=True)
class Budget:
    """A limit: of "steps", of "spikes" an image, or of the "loss" in points below the ANN."""

    kind: str
    limit: float

    def __str__(self) -> str:
        return f"{self.kind}={self.limit:g}"

    @property
    def steps(self) -> tuple[int, ...]:
        """The numbers of steps that are tried, ascending."""
        if self.kind != "steps":
            return LADDER
        most = int(self.limit)
        return tuple(sorted({max(1, most // part) for part in (4, 2, 1)}))


def parse_budget(text: str) -> Budget:
    """Read "steps=16", "spikes=5000" or "loss=0.5".

    Raises
    ------
    PassError
        Where it is none of them, or no number that makes sense.
    """
    found = re.fullmatch(r"(steps|spikes|loss)=(\d+(?:\.\d+)?(?:e\d+)?)", text.strip())
    if found is None:
        raise PassError(f"budget '{text}': {EXPECTED}")
    kind, limit = found[1], float(found[2])
    if kind == "steps" and not (limit.is_integer() and 1 <= limit <= MOST_STEPS):
        raise PassError(f"budget '{text}': expected a whole number of steps from 1 to {MOST_STEPS}")
    if kind == "spikes" and not 0 < limit < math.inf:
        raise PassError(f"budget '{text}': expected a number of spikes above 0")
    if kind == "loss" and limit >= 100:
        raise PassError(f"budget '{text}': expected points below 100; the ANN has no more to lose")
    return Budget(kind, limit)
