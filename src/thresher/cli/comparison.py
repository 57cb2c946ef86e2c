"""An SNN's run beside the ANN that it came from."""

import hashlib
from pathlib import Path
from typing import Any

from thresher import sim
from thresher.cli.ann import ann_logits
from thresher.cli.output import progress
from thresher.datasets import Samples
from thresher.ir import Graph

Measures = dict[str, Any]
"""The keys of the metrics file."""


def simulate_beside_ann(snn: Graph, samples: Samples, **options: Any) -> sim.Result:
    """Simulate, then evaluate the ANN on the same samples, both with a progress bar.

    `options` are those of `sim.simulate`.
    """
    with progress(f"simulating, {options['schedule']}") as report:
        result = sim.simulate(snn, samples.x, samples.y, progress=report, **options)
    return result.with_ann(ann_logits(snn, samples))


def measures_of(result: sim.Result, spec: Path) -> Measures:
    """Summarise a result for the metrics file, with the SHA-256 of its spec file."""
    return result.metrics() | {"spec_sha256": hashlib.sha256(spec.read_bytes()).hexdigest()}
