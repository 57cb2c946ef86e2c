"""Keras' files as graphs."""

from pathlib import Path

from thresher.converters.importers.builder import GraphBuilder
from thresher.converters.importers.keras.file import read_keras
from thresher.converters.importers.keras.walk import KerasWalk
from thresher.ir import Graph
from thresher.ir.op import Shape


def import_keras(path: str | Path, shape: Shape | None = None) -> Graph:
    """Turn a `.keras` or `.h5` file into a graph, whose images are (C, H, W); needs `h5py` alone.

    Parameters
    ----------
    path : path
        What `model.save` wrote, with Keras 2 or 3: a Sequential or a Functional model.
    shape : tuple of int, optional
        The input's shape as the graph has it, channels first and without the batch axis, where the
        file leaves axes open.

    Raises
    ------
    SpecError
        Where the file is no such model, or is damaged.
    UnsupportedError
        Where a layer is beyond what a graph can say; all that are are listed.
    """
    path = Path(path)
    model = read_keras(path)
    return KerasWalk(model, GraphBuilder(path.stem, f"'{path}'"), shape).graph()
