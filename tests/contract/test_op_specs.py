"""Every registered op goes through a spec file and comes back the same, byte by byte."""

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from thresher.ir import OPS, Graph, Input, Node, load, save, schema

every_op = pytest.mark.parametrize("kind", OPS.names())


def example_graph(kind: str) -> Graph:
    """Return the op's example as a graph of one node."""
    op, shapes = OPS.get(kind).example()
    inputs = tuple(Input(f"in{port}", shape) for port, shape in enumerate(shapes))
    node = Node("node", op, tuple(item.name for item in inputs))
    return Graph(kind, inputs, (node,), ("node",))


@every_op
def test_the_op_comes_back_from_its_spec(kind: str, tmp_path: Path) -> None:
    graph = example_graph(kind)
    save(graph, tmp_path / "g.yaml")
    assert load(tmp_path / "g.yaml") == graph


@every_op
def test_the_same_graph_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    save(example_graph(kind), tmp_path / "g.yaml")
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    save(load(tmp_path / "g.yaml"), tmp_path / "g.yaml")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


@every_op
def test_the_spec_obeys_the_json_schema(kind: str, tmp_path: Path) -> None:
    save(example_graph(kind), tmp_path / "g.yaml")
    spec = yaml.safe_load((tmp_path / "g.yaml").read_text("utf-8"))
    assert list(Draft202012Validator(schema()).iter_errors(spec)) == []


@every_op
def test_a_node_takes_one_line(kind: str, tmp_path: Path) -> None:
    save(example_graph(kind), tmp_path / "g.yaml")
    lines = (tmp_path / "g.yaml").read_text("utf-8").splitlines()
    assert lines[lines.index("nodes:") + 1].startswith(f"  node: {{op: {kind}, from: ")
    assert lines[lines.index("nodes:") + 2] == "outputs: [node]"
