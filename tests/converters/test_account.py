"""account: one row for every node of the source network."""

from dataclasses import replace

import numpy as np
import pytest
from small_graphs import (
    batch_norm,
    chain,
    identity_linear,
    relu_net,
    spiking_net,
    tensor,
    with_nodes,
)

from thresher import convert
from thresher.converters import Account, account
from thresher.converters.passes import BalanceThresholds
from thresher.errors import PassError
from thresher.ir import Graph, Node, Spiking
from thresher.ir.ops import Add, AvgPool2d, Dropout, MaxPool2d, Relu, Softmax

X = np.array([[1.0, 2.0], [0.5, 4.0]], np.float32)


def became(graph: Graph) -> dict[str, str]:
    return {row.node: row.became for row in account(graph)}


def test_every_source_node_has_its_row_in_order() -> None:
    graph = chain(
        (2,),
        ("fc1", identity_linear("fc1", 2)),
        ("bn1", batch_norm("bn1", 2)),
        ("relu1", Relu()),
        ("drop", Dropout()),
        ("fc2", identity_linear("fc2", 2)),
        ("prob", Softmax()),
    )

    snn = convert(graph, "deng2021", calibration=X, steps=4)

    rows = account(snn)
    assert [row.node for row in rows] == list(graph.order)
    assert [row.became.partition(" (")[0] for row in rows] == [
        "synapses to 'relu1'",
        "folded into 'fc1'",
        "population",
        "removed",
        "population",
        "removed",
    ]
    assert rows[0].why == "linear: 'bn1' is folded in"


def test_a_population_shows_its_parameters() -> None:
    spiking = Spiking(threshold=tensor("t", [0.25, 2.0]), v_init=0.5, reset="hard")

    assert became(spiking_net(spiking))["relu1"] == (
        "population (if, threshold 0.25 to 2, v_init 0.5, hard reset)"
    )


def test_synapses_name_every_population_that_they_reach() -> None:
    graph = with_nodes(
        relu_net(2),
        [
            Node("relu2", Relu(), ("fc2",)),
            Node("relu3", Relu(), ("fc2",)),
            Node("sum", Add(), ("relu2", "relu3")),
        ],
        "sum",
    )

    rows = became(convert(graph, [BalanceThresholds()], calibration=X))

    assert rows["fc1"] == "synapses to 'relu1'"
    assert rows["fc2"] == "synapses to 'relu2', 'relu3'"
    assert rows["sum"] == "synapses to the readout"


def test_a_node_that_nothing_reads_is_unused() -> None:
    graph = relu_net(2)
    graph = with_nodes(graph, [Node("spare", identity_linear("spare", 2), ("relu1",))], "fc2")

    assert became(convert(graph, [BalanceThresholds()], calibration=X))["spare"] == "unused"


def test_a_firing_readout_is_said_to_be_one() -> None:
    snn = convert(relu_net(2, readout="spikes"), [BalanceThresholds()], calibration=X)

    assert became(snn)["fc2"] == "population (if, threshold 4, soft reset), the readout"


def test_an_activation_at_an_integrating_readout_never_fires() -> None:
    graph = chain((2,), ("fc", identity_linear("fc", 2)), ("relu", Relu()))

    snn = convert(graph, [BalanceThresholds()], calibration=X)

    assert account(snn)[1] == Account(
        "relu", "the readout", "its membrane decides, without the relu"
    )


def test_a_replaced_pool_says_by_what() -> None:
    graph = chain((1, 2, 2), ("relu", Relu()), ("pool", MaxPool2d(kernel=2)))
    x = np.ones((2, 1, 2, 2), np.float32)

    snn = convert(
        graph,
        "plain",
        calibration=x,
        steps=4,
        settings={"replace-unsupported.max_pool": "average"},
    )

    assert isinstance(snn["pool"].op, AvgPool2d)
    assert account(snn)[1] == Account(
        "pool", "synapses to the readout", "average pool: in place of a max pool, as max_pool asks"
    )


def test_a_graph_annotated_by_hand_is_described_as_it_stands() -> None:
    graph = spiking_net(Spiking(threshold=1.0))

    assert became(graph) == {
        "fc1": "synapses to 'relu1'",
        "relu1": "population (if, threshold 1, soft reset)",
        "fc2": "synapses to the readout",
    }


def test_provenance_that_was_edited_is_refused() -> None:
    graph = replace(relu_net(2), meta={"nodes": [{"node": "fc1"}]})

    with pytest.raises(PassError, match="'nodes' is no list of node, became, why"):
        account(graph)
