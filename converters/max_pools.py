"""Max pools before neurons: act(max(x)) in place of max(act(x)), for one population to compute."""

from dataclasses import replace

from thresher.ir import Graph, Node
from thresher.ir.operation import pool_before
from thresher.ir.ops import MaxPool2d


def may_move(graph: Graph, pool: Node) -> bool:
    """Tell whether a node is a max pool of an activation's values that no other node reads."""
    (source, *_) = pool.inputs
    if not isinstance(pool.op, MaxPool2d) or source not in graph or pool.name in graph.outputs:
        return False
    activation = graph[source]
    return (
        activation.op.can_spike
        and graph.consumers(source) == (pool.name,)
        and pool_before(graph, activation) is None
    )


def moved(graph: Graph, pool: Node) -> Graph:
    """Let a pool read what its activation read, the activation the pool, and others that.

    max(act(x)) = act(max(x)) for an activation that never falls; all of them are such.
    """
    activation = graph[pool.inputs[0]]
    nodes: dict[str, Node] = {}
    for name in graph.consumers(pool.name):
        sources = graph[name].inputs
        inputs = tuple(activation.name if s == pool.name else s for s in sources)
        nodes[name] = replace(graph[name], inputs=inputs)
    nodes[pool.name] = replace(pool, inputs=activation.inputs)
    nodes[activation.name] = replace(activation, inputs=(pool.name,))
    return graph.replace_all(nodes)
