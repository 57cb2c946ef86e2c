"""State dicts: the weights of a network whose spec is known."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from thresher.converters.importers.archive import Archive
from thresher.converters.importers.builder import Array
from thresher.errors import MissingExtraError, SpecError, ThresherError
from thresher.ir import Graph, Node, Tensor
from thresher.ir.fields import TensorRule, rules_of
from thresher.ir.tensors import FLOATS, expect_finite, open_tensors

PICKLED = (".pt", ".pth", ".ckpt", ".bin")
STORED = (".safetensors", ".npz")
WEIGHTS = (*PICKLED, *STORED)
"""Suffixes of files that hold weights without their network."""
_NESTED = ("state_dict", "model_state_dict", "model")
_COUNTS = ".num_batches_tracked"
_PREFIX = "module."


def with_weights(graph: Graph, path: str | Path) -> Graph:
    """Return a graph with its tensors taken from a file, by their names.

    Parameters
    ----------
    path : path
        A state dict that `torch.save` wrote (.pt, .pth; read with `weights_only=True`), or a
        safetensors or npz file. What `DataParallel` puts before the names is taken off.

    Raises
    ------
    SpecError
        Where the file holds anything but tensors, or they are not the graph's; every name that is
        missing or too many, and every shape that differs, is listed.
    """
    path = Path(path)
    found = _plain(_read(path))
    _expect_the_same(graph, found, path)
    return replace(graph, nodes=tuple(_node(node, found) for node in graph.nodes))


def _read(path: Path) -> Mapping[str, Array]:
    if path.suffix.lower() in STORED:
        return {name: item.read() for name, item in open_tensors(path.parent, path.name).items()}
    if path.suffix.lower() not in PICKLED:
        raise SpecError(f"'{path}' has the suffix '{path.suffix}'; expected {', '.join(WEIGHTS)}")
    if not path.is_file():
        raise SpecError(f"'{path}' does not exist, or is no file; expected a state dict")
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError("torch", "torch", f"reading '{path}'") from error
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip:
        Archive(path, "a state dict of torch.save").close()
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged or hostile file makes of it
        raise SpecError(
            f"'{path}' is no state dict, or is damaged, or holds more than tensors, which could "
            f"run code and is not read ({_first_sentence(error)}); save the module's state_dict()"
        ) from error
    return _tensors(content, path)


def _tensors(content: Any, path: Path) -> Mapping[str, Array]:
    for key in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    plain = isinstance(content, Mapping) and all(
        isinstance(name, str) and hasattr(value, "detach") for name, value in content.items()
    )
    if not plain:
        raise SpecError(f"'{path}' holds no names with tensors; save the module's state_dict()")
    return {name: _array(value) for name, value in content.items()}


def _array(tensor: Any) -> Array:
    plain = tensor.detach()
    if plain.dtype.is_floating_point and str(plain.dtype).removeprefix("torch.") not in FLOATS:
        plain = plain.float()
    values: Array = plain.numpy()
    return values


def _plain(found: Mapping[str, Array]) -> dict[str, Array]:
    """Leave out batch norms' counts, and what DataParallel puts before names."""
    kept = {name: item for name, item in found.items() if not name.endswith(_COUNTS)}
    if kept and all(name.startswith(_PREFIX) for name in kept):
        return {name.removeprefix(_PREFIX): item for name, item in kept.items()}
    return kept


def _expect_the_same(graph: Graph, found: Mapping[str, Array], path: Path) -> None:
    wanted = graph.tensors
    problems = [f"'{name}' is missing" for name in wanted if name not in found]
    problems += [f"'{name}' is of no node" for name in found if name not in wanted]
    for name in wanted.keys() & found.keys():
        if found[name].shape != wanted[name].shape:
            problems.append(
                f"'{name}' is {list(found[name].shape)}, expected {list(wanted[name].shape)}"
            )
        elif found[name].dtype.name not in FLOATS:
            problems.append(f"'{name}' is of type {found[name].dtype}, expected floats")
    if problems:
        raise SpecError(
            f"'{path}' does not hold the weights of '{graph.name}': {'; '.join(sorted(problems))}"
        )
    for name, values in found.items():
        try:
            expect_finite(name, values)
        except ThresherError as error:
            raise SpecError(f"'{path}': {error}") from error


def _node(node: Node, found: Mapping[str, Array]) -> Node:
    changes: dict[str, Any] = {
        field.name: Tensor(tensor.name, found[tensor.name])
        for field, rule in rules_of(node.op)
        if isinstance(rule, TensorRule) and (tensor := getattr(node.op, field.name)) is not None
    }
    if node.spiking is not None or node.synapses is not None:
        raise SpecError(
            f"node '{node.name}' was converted for the weights that it has; expected an ANN: give "
            "the weights to it, and convert it again"
        )
    return replace(node, op=replace(node.op, **changes)) if changes else node


def _first_sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
