"""TraceHeader: what makes a trace readable without the spec that it came from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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

    def with_membranes(self, neurons: Mapping[str, NDArray[np.int64]]) -> "TraceHeader":
        """Return the same header with the neurons whose potential was kept."""
        return replace(self, membrane_neurons=neurons)

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


def header_of_json(values: Any) -> TraceHeader:
    """Read what `as_json` wrote, parsed; raise ValueError, KeyError or TypeError for anything else.

    The names and shapes are checked, so that indices can be checked against them.
    """
    header = TraceHeader(
        populations=tuple(str(name) for name in values["populations"]),
        shapes=tuple(tuple(int(n) for n in shape) for shape in values["shapes"]),
        steps=int(values["steps"]),
        ticks_per_step=int(values["ticks_per_step"]),
        recorded=tuple(str(name) for name in values["recorded"]),
        samples=(int(values["samples"][0]), int(values["samples"][1])),
        provenance=dict(values["provenance"]),
    )
    first, end = header.samples
    if len(header.shapes) != len(header.populations):
        raise ValueError("its populations and shapes differ in number")
    if not set(header.recorded) <= set(header.populations):
        raise ValueError("what was recorded is not among its populations")
    if not (0 <= first <= end and header.steps > 0 and header.ticks_per_step > 0):
        raise ValueError("its samples, steps or ticks per step are no such numbers")
    return header


def header_of_arrays(
    arrays: Mapping[str, NDArray[Any]], membrane_neurons: Mapping[str, NDArray[np.int64]]
) -> TraceHeader:
    """Read what `as_arrays` wrote; raise as `header_of_json` does."""
    texts = ("shapes", "provenance")
    values = {name: arrays[name].tolist() for name in arrays if name not in texts}
    header = header_of_json(values | {name: json.loads(str(arrays[name])) for name in texts})
    return header.with_membranes(membrane_neurons)
