"""`thresher validate`: whether a spec file can be used, and as what."""

from thresher import ir, sim
from thresher.cli import options
from thresher.ir import Graph

CONVERTED = "a converted SNN"


def validate(spec: options.Spec) -> None:
    """Check a spec file with its tensors; say what is wrong, or what it is."""
    graph = ir.load(spec)
    found = kind(graph)
    if found == CONVERTED and len(graph.inputs) == len(graph.outputs) == 1:
        sim.compile_graph(graph)
    shapes = [str(list(item.shape)) for item in graph.inputs]
    outputs = [str(list(graph.shapes[name])) for name in graph.outputs]
    parameters = sum(values.size for values in graph.tensors.values())
    print(
        f"{spec}: fine: '{graph.name}' is {found}, {len(graph.nodes)} nodes, "
        f"{parameters:,} parameters, {', '.join(shapes)} -> {', '.join(outputs)}"
    )


def kind(graph: Graph) -> str:
    """Say whether a graph is an ANN, or a converted SNN, or lacks thresholds to be one."""
    activations = [node for node in graph.nodes if node.op.can_spike]
    bare = [node.name for node in activations if node.spiking is None]
    if not any(node.spiking for node in graph.nodes):
        return "an ANN (not converted)"
    if bare:
        names = ", ".join(f"'{name}'" for name in bare)
        return f"a partly converted SNN (no threshold at {names})"
    return CONVERTED
