"""An SNN's run beside the ANN that it came from."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from thresher import sim
from thresher.cli.ann import ann_predictions
from thresher.cli.progress import progress
from thresher.datasets import Samples
from thresher.ir import Graph

Measures = dict[str, Any]
"""The keys of the metrics file."""


def simulate_beside_ann(snn: Graph, samples: Samples, **options: Any) -> sim.Result:
    """Simulate, then evaluate the ANN on the same samples, both with a progress bar.

    `options` are those of `sim.simulate`.
    """
    with progress(f"simulating, {options['schedule']}", len(samples)) as report:
        result = sim.simulate(snn, samples.x, samples.y, progress=report, **options)
    return replace(result, ann_predictions=ann_predictions(snn, samples))


def measures_of(result: sim.Result, spec: Path) -> Measures:
    """Summarise a result for the metrics file, with the SHA-256 of its spec file."""
    return result.metrics() | {"spec_sha256": hashlib.sha256(spec.read_bytes()).hexdigest()}
