"""The model that a command is given: a spec, another tool's file, or a spec with other weights."""

from pathlib import Path
from typing import Annotated

import typer

from thresher import converters, ir
from thresher.ir import Graph

Weights = Annotated[
    Path | None,
    typer.Option(
        "--weights",
        metavar="F",
        help="Take the tensors from a state dict (.pt, .pth), safetensors or .npz file, by name.",
    ),
]


def read_model(path: Path, shape: tuple[int, ...] | None, weights: Path | None) -> Graph:
    """Read a spec, or a model of another tool; with weights, in place of its own.

    Raises
    ------
    SpecError
        Where a file is damaged, holds weights alone, or does not hold these weights.
    UnsupportedError
        Where a model holds what a graph cannot say.
    """
    is_model = path.suffix.lower() in (*converters.IMPORTERS, *converters.WEIGHTS)
    graph = converters.import_model(path, shape) if is_model else ir.load(path)
    return graph if weights is None else converters.with_weights(graph, weights)
