"""What training learnt, written back into the graph."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thresher.ir import Graph, Node, Op, Tensor
from thresher.ir.ops import ClippedRelu, Qcfs, SlipRelu


def with_trained(
    graph: Graph,
    tensors: Mapping[str, NDArray[np.float32]],
    ceilings: Mapping[str, float],
    provenance: Mapping[str, object],
) -> Graph:
    """Return the graph with its tensors, by name, and ceilings, by node, replaced.

    `provenance` becomes the part 'training' of `meta`.
    """
    made = {name: Tensor(name, values) for name, values in tensors.items()}

    def trained(node: Node) -> Op:
        op = replace(
            node.op, **{role: made[tensor.name] for role, tensor in node.op.tensors.items()}
        )
        if isinstance(op, (ClippedRelu, Qcfs, SlipRelu)):
            return replace(op, max=ceilings[node.name])
        return op

    nodes = {node.name: replace(node, op=trained(node)) for node in graph}
    meta = {**graph.meta, "training": dict(provenance)}
    return replace(graph.replace_all(nodes), meta=meta)
