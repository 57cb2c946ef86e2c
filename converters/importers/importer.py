"""Importers: how files of other tools become graphs, one for each suffix."""

from collections.abc import Callable
from pathlib import Path

from thresher.converters.importers.state_dict import WEIGHTS
from thresher.errors import SpecError
from thresher.ir import Graph
from thresher.ir.op import Shape
from thresher.registry import Registry

Importer = Callable[[Path, Shape | None], Graph]
"""Read a file; the shape (without the batch axis) is for an input whose axes the file leaves open.

It raises SpecError where the file is not what its suffix says, UnsupportedError with every part
that a graph cannot say, and MissingExtraError where a package is needed to read it.
"""

IMPORTERS: Registry[Importer] = Registry("suffix of a model", SpecError)


def import_model(path: str | Path, shape: Shape | None = None) -> Graph:
    """Read a model file of another tool by its suffix; `shape` is an input's, without the batch.

    Raises
    ------
    SpecError
        Where there is no such file, no importer for its suffix, or it is damaged.
    UnsupportedError
        Where it holds what a graph cannot say; every such part is listed.
    """
    path = Path(path)
    if path.suffix.lower() in WEIGHTS:
        raise SpecError(
            f"'{path}' holds weights at most, and no network; expected a model, "
            f"{', '.join(IMPORTERS)}, or weights with the spec of their network: SPEC --weights "
            f"{path} (with_weights in Python)"
        )
    importer = IMPORTERS.get(path.suffix.lower())
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise SpecError(f"'{path}' {found}; expected a model file")
    return importer(path, shape)
