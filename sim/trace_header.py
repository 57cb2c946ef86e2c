"""TraceHeader: what makes a trace readable without the spec that it came from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.ir.linear_map import Shape


@dataclass(frozen=True, eq=False, kw_only=True)
class TraceHeader:
    """Say what a trace holds and how it came about.

    Parameters
    ----------
    populations : tuple of str
        The spiking populations in rank order.
    shapes : tuple of shapes
        One a population; neurons are numbered row-major in it.
    recorded : tuple of str
        The populations whose spikes were kept; what others did, the trace does not know.
    samples : (int, int)
        The positions of the recorded samples: from the first up to, not including, the second.
    membrane_neurons : dict of str to array
        The row-major indices of the neurons of a node whose potential was kept.
    """

    populations: tuple[str, ...]
    shapes: tuple[Shape, ...]
    steps: int
    ticks_per_step: int
    recorded: tuple[str, ...]
    samples: tuple[int, int]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    membrane_neurons: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def as_json(self) -> str:
        """Write it on one line, without the membranes' neurons."""
        values = {
            "populations": list(self.populations),
            "shapes": [list(shape) for shape in self.shapes],
            "steps": self.steps,
            "ticks_per_step": self.ticks_per_step,
            "recorded": list(self.recorded),
            "samples": list(self.samples),
            "provenance": dict(self.provenance),
        }
        return json.dumps(values, sort_keys=True, ensure_ascii=False)

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """Write it as arrays without objects, texts within as JSON; no membranes' neurons."""
        return {
            "populations": np.array(self.populations),
            "shapes": np.array(json.dumps([list(shape) for shape in self.shapes])),
            "steps": np.array(self.steps),
            "ticks_per_step": np.array(self.ticks_per_step),
            "recorded": np.array(self.recorded, np.str_),
            "samples": np.array(self.samples),
            "provenance": np.array(json.dumps(dict(self.provenance), sort_keys=True)),
        }
