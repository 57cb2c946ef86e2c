"""PyTorch's modules and `.pt2` files as graphs."""

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from thresher.converters.importers.aten import HANDLERS
from thresher.converters.importers.aten.archive import read_archive
from thresher.converters.importers.aten.fold import FOLDERS
from thresher.converters.importers.aten.patterns import without_masked_rows
from thresher.converters.importers.aten.program import Program
from thresher.converters.importers.aten.walk import Walk
from thresher.converters.importers.builder import GraphBuilder
from thresher.errors import (
    GraphError,
    MissingExtraError,
    SpecError,
    ThresherError,
    UnsupportedError,
)
from thresher.ir import Graph
from thresher.ir.op import Shape


def import_torch(module: Any, example: Any) -> Graph:
    """Turn a PyTorch module into a graph, through `torch.export`.

    Nodes are called by the paths of their modules, tensors as in the state dict.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode; hand-written `forward`s, functions and reused layers are followed.
    example : torch.Tensor or numpy.ndarray, or a tuple of them
        An input with its batch axis, (N, *shape); its values do not matter.

    Raises
    ------
    GraphError
        Where a layer is in training mode, or PyTorch cannot export the module.
    UnsupportedError
        Where it calls what a graph cannot say; every call is listed, with its source line.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "torch", "importing a PyTorch module") from error
    if not isinstance(module, torch.nn.Module):
        raise GraphError(
            f"got {type(module).__name__} '{str(module)[:60]}'; expected a torch.nn.Module (of a "
            "file: import_model)"
        )
    what = f"module '{type(module).__name__}'"
    _expect_evaluation(what, module)
    given = example if isinstance(example, (tuple, list)) else (example,)
    inputs = tuple(_example(item) for item in given)
    try:
        exported = torch.export.export(module, inputs)
        program = _read_back(exported)
        in_place = any(program.shared_change(call) for call in program.calls)
        if in_place:
            program = _read_back(exported.run_decompositions({}))  # nothing works in place there
    except ThresherError:
        raise
    except Exception as error:
        raise GraphError(
            f"PyTorch cannot export {what}: {_first_line(error)}; expected a module that "
            "torch.export.export takes"
        ) from error
    try:
        return _graph(program, type(module).__name__, what)
    except UnsupportedError:
        simpler = None if in_place else _of_core(exported)
        if simpler is None:
            raise
        try:
            return _graph(simpler, type(module).__name__, what)
        except UnsupportedError:
            pass  # the module's own calls say it better
        raise


def _of_core(exported: Any) -> Program | None:
    """Return the program in ATen's core operators, of which an einsum is made, for example."""
    try:
        return _read_back(exported.run_decompositions())
    except Exception:  # PyTorch's own, of every kind
        return None


def import_torch_archive(path: Path, shape: Shape | None = None) -> Graph:
    """Read a `.pt2` file of `torch.export.save`; PyTorch is not needed, and no pickle is opened."""
    graph = _graph(read_archive(path), path.stem, f"'{path}'")
    if shape is not None and shape != graph.inputs[0].shape:
        raise SpecError(
            f"'{path}' was exported for an input of {list(graph.inputs[0].shape)}, not "
            f"{list(shape)}; export it again for another shape"
        )
    return graph


def _graph(program: Program, name: str, what: str) -> Graph:
    plain = without_masked_rows(program)
    return Walk(plain, GraphBuilder(name, what), HANDLERS, FOLDERS).graph()


def _read_back(exported: Any) -> Program:
    """Return an exported program as its file tells it."""
    import torch

    content = BytesIO()
    torch.export.save(exported, content)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "module.pt2"
        path.write_bytes(content.getbuffer())
        return read_archive(path)


def _expect_evaluation(what: str, module: Any) -> None:
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.dropout import _DropoutNd

    training = [
        name or "itself"
        for name, layer in module.named_modules()
        if layer.training and isinstance(layer, (_BatchNorm, _DropoutNd))
    ]
    if training:
        raise GraphError(
            f"{what} is in training mode at {', '.join(training[:8])}"
            f"{', ...' if len(training) > 8 else ''}, where it does not compute what it does when "
            "it is used; call its eval() first"
        )


def _example(given: Any) -> Any:
    """Return a tensor with a batch of two or more: one could not be told from an axis of one."""
    import torch

    try:
        example = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise GraphError(
            f"the example is {type(given).__name__} '{str(given)[:60]}'; expected a tensor or an "
            "array (N, *shape)"
        ) from error
    if example.dim() < 2 or not len(example):
        raise GraphError(
            f"the example is {list(example.shape)}; expected a batch axis and the axes of a sample"
        )
    return torch.cat([example, example]) if len(example) == 1 else example


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason'}"
