"""The ANN's side of a comparison: its answers and what they cost."""

import numpy as np
from numpy.typing import NDArray

from thresher.cli.progress import progress
from thresher.datasets import Samples
from thresher.errors import DataError
from thresher.ir import Graph
from thresher.ir.evaluate import evaluate_blocks, single_input_output
from thresher.sim import Progress


def check_samples(graph: Graph, samples: Samples) -> None:
    """Raise where the network does not classify, or a label is none of its classes."""
    _, output = single_input_output(graph)
    shape = graph.shapes[output]
    if len(shape) != 1:
        raise DataError(
            f"output '{output}' of '{graph.name}' is {list(shape)}; expected (classes,), which "
            "accuracy is counted over"
        )
    samples.check_labels(shape[0])


def ann_predictions(graph: Graph, samples: Samples) -> NDArray[np.int64]:
    """Return the class that the ANN says of every sample (N,), with a progress bar."""
    found: list[NDArray[np.int64]] = []
    done = 0
    with progress("evaluating the ANN", len(samples)) as report:
        for logits in evaluate_blocks(graph, samples.x):
            found.append(logits.argmax(axis=1))
            done += len(logits)
            report(Progress(done, len(samples), 0, 0))
    return np.concatenate(found)


def dense_macs(graph: Graph) -> int:
    """Count the multiply-accumulates of the ANN on one sample."""
    return sum(node.op.macs(*graph.in_shapes(node.name)) for node in graph)
