"""strip-dropout: nodes that do nothing go, and nothing else changes."""

import numpy as np
from small_graphs import chain, identity_linear, with_nodes

from thresher.converters import Account, Context
from thresher.converters.passes import StripDropout
from thresher.ir import Graph, Node, evaluate
from thresher.ir.ops import Add, Dropout, Identity, Relu


def strip(graph: Graph) -> Graph:
    return StripDropout().apply(graph, Context())


def test_dropout_and_identity_are_removed() -> None:
    graph = chain(
        (2,),
        ("drop", Dropout(p=0.3)),
        ("fc", identity_linear("fc", 2)),
        ("same", Identity()),
        ("relu", Relu()),
    )

    stripped = strip(graph)

    assert [(node.name, node.inputs) for node in stripped] == [
        ("fc", ("image",)),
        ("relu", ("fc",)),
    ]


def test_every_removal_is_noted() -> None:
    context = Context()

    StripDropout().apply(chain((2,), ("relu", Relu()), ("drop", Dropout())), context)

    assert context.notes == [Account("drop", "removed", "dropout does nothing at inference")]


def test_both_ports_of_an_add_may_end_up_at_one_node() -> None:
    graph = with_nodes(
        chain((2,), ("relu", Relu()), ("same", Identity())),
        [Node("sum", Add(), ("relu", "same"))],
        "sum",
    )
    x = np.array([[1.0, -2.0]], np.float32)

    stripped = strip(graph)

    assert stripped["sum"].inputs == ("relu", "relu")
    np.testing.assert_array_equal(evaluate(stripped, x), [[2.0, 0.0]])


def test_an_output_that_is_removed_hands_its_place_on() -> None:
    assert strip(chain((2,), ("relu", Relu()), ("drop", Dropout()))).outputs == ("relu",)


def test_an_output_that_reads_the_input_stays() -> None:
    graph = chain((2,), ("same", Identity()))

    assert strip(graph) == graph


def test_a_delay_keeps_its_node() -> None:
    graph = chain((2,), ("same", Identity()), ("relu", Relu())).replace("same", delay=2)

    assert strip(graph) == graph
