"""`thresher import`: a model of another tool to a spec."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from thresher import converters, ir
from thresher.cli import options
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
Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="F",
        help="Take the tensors from a state dict (.pt, .pth), safetensors or .npz file, by name.",
    ),
]
SPECS = (".yaml", ".yml")


def import_(
    model: Model,
    output: Output,
    shape: options.InputShape = None,
    weights: Weights = None,
) -> None:
    """Read a model of another tool and write it as a spec, with its tensors beside it."""
    check_output(output, "--output", [".yaml", ".yml"], keep=[model])
    check_tensors(output)
    graph = _read(model, shape, weights)
    ir.save(graph, output)
    beside = f" and {output.with_suffix('.safetensors').name}" if graph.tensors else ""
    print(f"wrote {output}{beside}: {len(graph.nodes)} nodes from {model}")
    print(f"next: thresher inspect {shlex.quote(str(output))}")


def _read(model: Path, shape: tuple[int, ...] | None, weights: Path | None) -> ir.Graph:
    if weights is None and model.suffix in SPECS:
        raise typer.BadParameter(
            f"'{model}' is a spec already; expected a model of another tool, or --weights",
            param_hint="'FILE'",
        )
    is_spec = model.suffix in SPECS
    graph = ir.load(model) if is_spec else converters.import_model(model, shape)
    return graph if weights is None else converters.with_weights(graph, weights)
