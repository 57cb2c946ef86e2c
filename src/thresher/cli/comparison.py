"""An SNN's run beside the ANN that it came from."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher import sim
from thresher.cli.output import progress
from thresher.datasets import Samples
from thresher.ir import Graph

Measures = dict[str, Any]
"""The keys of the metrics file."""


def simulate_beside(
    snn: Graph, samples: Samples, logits: NDArray[np.floating], **options: Any
) -> sim.Result:
    """Simulate, with a progress bar, and set the result beside the ANN's logits (N, classes).

    `options` are those of `sim.simulate`.
    """
    with progress(f"simulating, {options['schedule']}") as report:
        result = sim.simulate(snn, samples.x, samples.y, progress=report, **options)
    return result.with_ann(logits)


def measures_of(result: sim.Result, spec: Path) -> Measures:
    """Summarise a result for the metrics file, with the SHA-256 of its spec file."""
    return result.metrics() | {"spec_sha256": hashlib.sha256(spec.read_bytes()).hexdigest()}
