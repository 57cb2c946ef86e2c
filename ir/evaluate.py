"""Dense evaluation of the ANN in numpy; annotations are ignored."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import GraphError
from thresher.ir.graph import Graph
from thresher.ir.images import Images, check_images, image_blocks
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


def evaluate(graph: Graph, x: Images, *, hook: Hook | None = None, batch: int = 64) -> Array:
    """Compute the outputs (N, *shape) of raw images x (N, *shape); `preprocess` is applied.

    Parameters
    ----------
    x : array, or what reads `x[start:stop]` from a file
    hook : callable, optional
        Called with every node's name and its values (n, *shape), batch by batch, in order.
    batch : int
        Samples held at a time; results do not depend on it.
    """
    _, target = single_input_output(graph)
    blocks = [*_outputs(graph, check_images(graph, x), hook, batch)]
    return np.concatenate(blocks) if blocks else np.zeros((0, *graph.shapes[target]), np.float32)


def evaluate_blocks(graph: Graph, x: Images, *, batch: int = 64) -> Iterator[Array]:
    """Yield what `evaluate` would return, some samples at a time, as x is read."""
    single_input_output(graph)
    return _outputs(graph, check_images(graph, x), None, batch)


def _outputs(graph: Graph, x: Images, hook: Hook | None, batch: int) -> Iterator[Array]:
    parts = (
        block[start : start + batch]
        for block in image_blocks(graph, x)
        for start in range(0, len(block), batch)
    )

    def evaluate_part(part: Array) -> Array:
        return _evaluate_part(graph, part, hook)

    if hook is None:
        yield from map_in_threads(evaluate_part, parts)
        return
    with one_blas_thread():
        yield from map(evaluate_part, parts)


def _evaluate_part(graph: Graph, x: Array, hook: Hook | None) -> Array:
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
