"""Spec files: a graph as YAML, with its tensors beside it."""

from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

from thresher.errors import GraphError, SpecError
from thresher.files import replacing
from thresher.ir.graph import SETTLE_LIMIT, Graph
from thresher.ir.marks import YamlMap, YamlValue, expect_map, found, listed, text_of, texts_of
from thresher.ir.node import Probe, Readout
from thresher.ir.spec_fields import parse_value, read_plain_fields
from thresher.ir.spec_inputs import read_inputs
from thresher.ir.spec_nodes import read_nodes
from thresher.ir.spec_tensors import TensorSource
from thresher.ir.spec_writer import FORMAT, spec_text
from thresher.ir.tensors import write_tensors
from thresher.ir.yaml_reader import read_yaml
from thresher.registry import suggest

KEYS = (
    "thresher", "name", "tensors", "inputs", "nodes", "outputs", "labels", "readout",
    "settle_limit", "probe", "conversion",
)  # fmt: skip
REQUIRED = ("thresher", "inputs", "nodes", "outputs")


def load(path: str | Path) -> Graph:
    """Read a spec and its tensors.

    Raises
    ------
    SpecError
        Where the file, or a tensor file that it names, is not what it should be.
    GraphError
        Where the network that it describes is not valid; both name the file and the line.
    """
    path = Path(path)
    root = expect_map(read_yaml(path), "the file")
    _check_header(root)
    source = TensorSource(root.entries.get("tensors"), path.parent)
    inputs = read_inputs(expect_map(root.entries["inputs"], "'inputs'"))
    nodes = read_nodes(expect_map(root.entries["nodes"], "'nodes'"), inputs, source)
    name, labels, readout, limit, probe, conversion = (
        root.entries.get(key)
        for key in ("name", "labels", "readout", "settle_limit", "probe", "conversion")
    )
    given = {} if readout is None else read_plain_fields(Readout, readout, "'readout'")
    return Graph(
        name=path.stem if name is None else text_of(name, "'name'"),
        inputs=inputs,
        nodes=nodes,
        outputs=_read_outputs(root.entries["outputs"], [node.name for node in nodes]),
        labels=() if labels is None else texts_of(labels, "'labels'"),
        readout=Readout(**given),
        meta={} if conversion is None else expect_map(conversion, "'conversion'").plain(),
        settle_limit=None if limit is None else parse_value(SETTLE_LIMIT, limit, "'settle_limit'"),
        probe=None if probe is None else Probe(**read_plain_fields(Probe, probe, "'probe'")),
    )


def save(graph: Graph, path: str | Path) -> None:
    """Write a spec NAME.yaml and its tensors NAME.safetensors; both whole or not at all.

    The same graph gives the same bytes, and `load` gives back the same graph.

    Raises
    ------
    ThresherError
        Where the path cannot be written.
    SpecError
        Where `load` could not read the graph back: a tensor of another type than float16, float32
        or float64, or not finite; `meta` that YAML cannot write.
    """
    path = Path(path)
    if path.suffix not in (".yaml", ".yml"):
        raise SpecError(f"cannot save '{path}': expected a name that ends in .yaml")
    beside = path.with_suffix(".safetensors")
    text = spec_text(graph, beside.name if graph.tensors else None)
    with ExitStack() as stack:
        # blocks end in reverse: the tensors take their place before the spec that names them
        spec = stack.enter_context(replacing(path))
        spec.write_bytes(text)
        if graph.tensors:
            write_tensors(graph.tensors, stack.enter_context(replacing(beside)))


def _check_header(root: YamlMap) -> None:
    if "thresher" not in root.entries:
        raise SpecError(
            f"{root.mark}: field 'thresher' is missing; expected 'thresher: {FORMAT}', the version "
            "of the format, as in every spec"
        )
    version = root.entries["thresher"]
    if version.plain() != FORMAT or version.plain() is True:
        raise SpecError(
            f"{version.mark}: 'thresher' is {found(version)}; expected {FORMAT}, the only version "
            "of the format that this version of Thresher reads"
        )
    root.expect_keys(KEYS, "the spec")
    for key in REQUIRED:
        if key not in root.entries:
            raise SpecError(f"{root.mark}: field '{key}' is missing; the file may be cut off")


def _read_outputs(value: YamlValue, nodes: Collection[str]) -> tuple[str, ...]:
    outputs = texts_of(value, "'outputs'")
    if not outputs:
        raise SpecError(f"{value.mark}: 'outputs' is empty; expected at least one node's name")
    for name in outputs:
        if name not in nodes:
            raise GraphError(
                f"{value.mark}: output '{name}' is not a node: {suggest(name, nodes)}nodes are "
                f"{listed(nodes)}"
            )
    return outputs
