"""ONNX files as graphs, from opset 11 to 28."""

from pathlib import Path

from thresher.converters.importers.builder import GraphBuilder
from thresher.converters.importers.onnx.file import read_onnx
from thresher.converters.importers.onnx.fold import FOLDERS
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.patterns import with_layers
from thresher.converters.importers.onnx.walk import OnnxWalk
from thresher.ir import Graph
from thresher.ir.op import Shape


def import_onnx(path: str | Path, shape: Shape | None = None) -> Graph:
    """Turn an ONNX file into a graph; needs the package `onnx` alone.

    Parameters
    ----------
    path : path
        The file; data outside it are read from its folder only.
    shape : tuple of int, optional
        The input's shape without the batch axis, where the file leaves axes open.

    Raises
    ------
    SpecError
        Where the file is not an ONNX model of opset 11 to 28, is damaged, or leaves axes open.
    UnsupportedError
        Where a node is beyond what a graph can say; all that are are listed.
    """
    path = Path(path)
    model = with_layers(read_onnx(path))
    builder = GraphBuilder(path.stem, f"'{path}'")
    return OnnxWalk(model, builder, HANDLERS, FOLDERS).graph(shape)
