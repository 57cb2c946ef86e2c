"""`thresher validate`: whether a spec, or a model of another tool, can be used, and as what."""

from pathlib import Path
from typing import Annotated

import typer

from thresher import converters, sim
from thresher.cli import models, options
from thresher.cli.output import print_table
from thresher.converters.passes import ReplaceUnsupported
from thresher.errors import Refusal, SpecError, UnsupportedError
from thresher.ir import Graph

CONVERTED = "a converted SNN"
COLUMNS = ("where", "what", "why it is refused")

File = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC",
        help=f"A spec (YAML), or a model of another tool: {', '.join(converters.IMPORTERS)}.",
    ),
]


def validate(spec: File, shape: options.InputShape = None, weights: models.Weights = None) -> None:
    """Check a spec or a model with its tensors; say what is wrong, or what it is.

    Of a network that is not converted yet, list every node that conversion would refuse, and why.
    """
    graph = _read(spec, shape, weights)
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
    refused = [] if found == CONVERTED else ReplaceUnsupported().refusals(graph)
    if refused:
        print(f"{len(refused)} of its nodes are refused by conversion, unless a recipe says else:")
        print_refusals(refused)


def print_refusals(refused: list[Refusal]) -> None:
    """Print a row for each part that is refused."""
    print_table(COLUMNS, [(item.place, item.operation, item.why) for item in refused])


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


def _read(path: Path, shape: tuple[int, ...] | None, weights: Path | None) -> Graph:
    try:
        return models.read_model(path, shape, weights)
    except UnsupportedError as error:
        print_refusals(list(error.refusals))
        raise SpecError(
            f"{error.what} cannot be imported: {len(error.refusals)} of its parts, listed above, "
            "are beyond what a graph can say; replace them and export the model again"
        ) from error
