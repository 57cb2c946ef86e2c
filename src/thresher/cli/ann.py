"""The ANN's side of a comparison: its answers and what they cost."""

import numpy as np
from numpy.typing import NDArray

from thresher.cli.output import progress
from thresher.datasets import Samples
from thresher.errors import DataError
from thresher.ir import Graph, evaluate
from thresher.ir.evaluate import single_input_output


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


def ann_logits(graph: Graph, samples: Samples) -> NDArray[np.floating]:
    """Evaluate the ANN with a progress bar: (N, classes)."""
    output = graph.outputs[0]
    done = 0
    with progress("evaluating the ANN") as report:

        def count(node: str, y: NDArray[np.floating]) -> None:
            nonlocal done
            if node == output and report is not None:
                done += len(y)
                report(done, len(samples))

        return evaluate(graph, samples.x, hook=count)


def dense_macs(graph: Graph) -> int:
    """Count the multiply-accumulates of the ANN on one sample."""
    return sum(node.op.macs(*graph.in_shapes(node.name)) for node in graph)
