"""`thresher inspect`: a network, node by node."""

from thresher import ir
from thresher.cli import options
from thresher.cli.ann import dense_macs
from thresher.cli.output import print_table
from thresher.cli.search import print_selection
from thresher.cli.validate import kind
from thresher.converters.account import describe
from thresher.ir import Graph, Node
from thresher.search import selection

COLUMNS = ("node", "op", "from", "shape", "parameters", "MACs", "threshold", "synapses")


def inspect(spec: options.Spec) -> None:
    """Print every node with its shape, parameters, multiply-accumulates and threshold.

    Where a recipe gave synapses weights of their own, which the ANN does not have, the layer says
    so. Of a network whose recipe was chosen within a budget, print what was tried too.
    """
    graph = ir.load(spec)
    print(f"{graph.name}: {kind(graph)}")
    rows: list[tuple[str, ...]] = [
        (item.name, "input", "", _shape(item.shape), "0", "0", "", "") for item in graph.inputs
    ]
    rows += [_row(graph, node) for node in graph]
    total = sum(values.size for values in graph.tensors.values())
    rows.append(("total", "", "", "", f"{total:,}", f"{dense_macs(graph):,}", "", ""))
    shown = len(COLUMNS) if any(row[-1] for row in rows) else len(COLUMNS) - 1
    print_table(COLUMNS[:shown], [row[:shown] for row in rows], numbers=("parameters", "MACs"))
    found = selection(graph)
    if found is not None:
        print_selection(found)


def _row(graph: Graph, node: Node) -> tuple[str, ...]:
    size = sum(tensor.values.size for tensor in node.op.tensors.values())
    return (
        node.name,
        node.op.kind,
        ", ".join(node.inputs),
        _shape(graph.shapes[node.name]),
        f"{size:,}",
        f"{node.op.macs(*graph.in_shapes(node.name)):,}",
        "" if node.spiking is None else describe(node.spiking.threshold),
        "" if node.synapses is None else "its own",
    )


def _shape(shape: tuple[int, ...]) -> str:
    """Write a shape without spaces, where a narrow terminal would fold it."""
    return f"[{','.join(map(str, shape))}]"
