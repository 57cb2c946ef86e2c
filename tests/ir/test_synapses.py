"""Weights of the SNN's own, beside the ANN's: who reads which, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thresher import GraphError, SpecError, evaluate, load, save, simulate
from thresher.ir import Graph, Input, Node, Spiking, Synapses, Tensor
from thresher.ir.ops import Linear, Relu

X = np.array([[1.0, 0.5]], np.float32)


def tensor(name: str, values: object) -> Tensor:
    return Tensor(name, np.asarray(values, np.float32))


def network(synapses: Synapses | None) -> Graph:
    """x -> relu (threshold 1) -> fc, whose weight is the identity -> out."""
    nodes = (
        Node("relu", Relu(), ("x",), Spiking(threshold=1.0)),
        Node("fc", Linear(weight=tensor("fc.weight", np.eye(2))), ("relu",), synapses=synapses),
    )
    return Graph("own", (Input("x", (2,)),), nodes, ("fc",))


def own() -> Synapses:
    """They swap the two values, double one and add 4 to the other."""
    return Synapses(tensor("fc.own.weight", [[0, 2], [1, 0]]), tensor("fc.own.bias", [0, 4]))


@pytest.mark.parametrize("engine", ["reference", "auto"])
def test_the_ann_has_the_op_s_weights_and_the_snn_its_synapses_own(engine: str) -> None:
    graph = network(own())

    run = simulate(graph, X, steps=4, membranes={"fc": [0, 1]}, engine=engine)

    np.testing.assert_array_equal(evaluate(graph, X), X)
    # 1 fires at every step, 0.5 at 2 and 4: twice 2, and 4 more than 4 times 4.
    np.testing.assert_array_equal(run.trace.membranes["fc"][0, -1], [4.0, 20.0])


def test_they_survive_a_spec_file(tmp_path: Path) -> None:
    save(network(own()), tmp_path / "own.yaml")
    assert load(tmp_path / "own.yaml") == network(own())
    assert load(tmp_path / "own.yaml") != network(None)


def test_synapses_on_a_node_without_weights_are_refused() -> None:
    graph = network(None)
    with pytest.raises(GraphError, match="node 'relu': synapses stand on op 'relu'"):
        graph.replace("relu", synapses=own())


@pytest.mark.parametrize(
    ("synapses", "message"),
    [
        (replace(own(), weight=tensor("w", [[1, 2]])), r"weight is \[1, 2\]; expected \[2, 2\]"),
        (replace(own(), bias=tensor("b", [1])), r"synapses: bias 'b' is \[1\]; expected \[2\]"),
    ],
)
def test_synapses_of_another_shape_than_the_op_s_are_refused(
    synapses: Synapses, message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        network(synapses)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fc.own.weight", "fc.no.weight", r"own\.yaml:\d+: node 'fc': .*fc\.no\.weight"),
        ("bias: fc.own.bias", "biass: fc.own.bias", r"own\.yaml:\d+: .*'biass'"),
    ],
)
def test_a_mistake_is_answered_with_its_line(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    save(network(own()), tmp_path / "own.yaml")
    text = (tmp_path / "own.yaml").read_text("utf-8")
    (tmp_path / "own.yaml").write_text(text.replace(old, new), "utf-8")
    with pytest.raises(SpecError, match=message):
        load(tmp_path / "own.yaml")
