"""Dense evaluation of the ANN in numpy; annotations are ignored."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError
from thresher.ir.graph import Graph
from thresher.ir.images import check_images, preprocess
from thresher.ir.threads import map_in_threads, one_blas_thread

Array = NDArray[Any]
Hook = Callable[[str, Array], None]


def single_input_output(graph: Graph) -> tuple[str, str]:
    """Return the names of the one input and the one output; refuse more by name."""
    for kind, names in (("input", [i.name for i in graph.inputs]), ("output", graph.outputs)):
        if len(names) != 1:
            raise GraphError(
                f"graph '{graph.name}' has {len(names)} {kind}s ({', '.join(names)}); "
                "evaluate and simulate take one"
            )
    return graph.inputs[0].name, graph.outputs[0]


def evaluate(graph: Graph, x: Array, *, hook: Hook | None = None, batch: int = 64) -> Array:
    """Compute the outputs (N, *shape) of raw images x (N, *shape); `preprocess` is applied.

    Parameters
    ----------
    hook : callable, optional
        Called with every node's name and its values (n, *shape), batch by batch, in order.
    batch : int
        Samples held at a time; results do not depend on it.
    """
    _, target = single_input_output(graph)
    x = check_images(graph, x)
    parts = [x[start : start + batch] for start in range(0, len(x), batch)]

    def evaluate_part(part: Array) -> Array:
        return _evaluate_block(graph, preprocess(graph, part), hook)

    if hook is None:
        blocks = map_in_threads(evaluate_part, parts)
    else:
        with one_blas_thread():
            blocks = [evaluate_part(part) for part in parts]
    return np.concatenate(blocks) if blocks else np.zeros((0, *graph.shapes[target]), np.float32)


def _evaluate_block(graph: Graph, x: Array, hook: Hook | None) -> Array:
    values = {graph.inputs[0].name: x}
    readers = {name: len(graph.consumers(name)) for name in graph.shapes}
    readers[graph.outputs[0]] += 1
    for node in graph:
        y = node.op.evaluate(*(values[name] for name in node.inputs))
        if hook is not None:
            hook(node.name, y)
        values[node.name] = y
        for name in set(node.inputs):
            readers[name] -= 1
            if not readers[name]:
                del values[name]
    return values[graph.outputs[0]]
