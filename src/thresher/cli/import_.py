"""`thresher import`: a model of another tool to a spec."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from thresher import converters, ir
from thresher.cli import models, options
from thresher.cli.convert import check_tensors
from thresher.cli.paths import check_output

Model = Annotated[
    Path,
    typer.Argument(metavar="FILE", help=f"The model: one of {', '.join(converters.IMPORTERS)}."),
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="OUT.yaml", help="The spec; tensors beside it."),
]

SPECS = (".yaml", ".yml")


def import_(
    model: Model,
    output: Output,
    shape: options.InputShape = None,
    weights: models.Weights = None,
) -> None:
    """Read a model of another tool and write it as a spec, with its tensors beside it."""
    if weights is None and model.suffix in SPECS:
        raise typer.BadParameter(
            f"'{model}' is a spec already; expected a model of another tool, or --weights",
            param_hint="'FILE'",
        )
    check_output(output, "--output", SPECS, keep=[model])
    check_tensors(output)
    graph = (
        converters.import_model(model, shape)
        if weights is None
        else models.read_model(model, shape, weights)
    )
    ir.save(graph, output)
    beside = f" and {output.with_suffix('.safetensors').name}" if graph.tensors else ""
    print(f"wrote {output}{beside}: {len(graph.nodes)} nodes from {model}")
    print(f"next: thresher inspect {shlex.quote(str(output))}")
