"""The network that training starts from: activations, their first ceilings, pools."""

import numpy as np
import pytest
from training_graphs import chain, clipped

from thresher.errors import GraphError, TrainingError
from thresher.ir import Graph, Op
from thresher.ir.ops import AvgPool2d, ClippedRelu, LeakyRelu, MaxPool2d, Qcfs, Relu, SlipRelu
from thresher.training.activations import prepared
from thresher.training.settings import TrainingSettings

IMAGES = np.linspace(-1, 4, 1000, dtype=np.float32).reshape(10, 1, 10, 10)


def net(op: Op) -> Graph:
    return chain((1, 10, 10), ("act", op))


def started(op: Op, **settings: object) -> Op:
    return prepared(net(op), TrainingSettings(**settings), IMAGES)["act"].op


def test_a_relu_becomes_a_threshold_relu_from_a_percentile_of_its_values() -> None:
    expected = np.percentile(IMAGES[IMAGES > 0], 90)
    found = started(Relu(), percent=90.0)
    assert isinstance(found, ClippedRelu)
    assert found.max == pytest.approx(expected, rel=0.01)


def test_a_relu_becomes_a_qcfs_of_the_levels_asked_for() -> None:
    found = started(Relu(), activation="qcfs", levels=8, percent=100.0)
    assert found == Qcfs(levels=8, max=4.0)


@pytest.mark.parametrize("op", [clipped(0.75), Qcfs(levels=6, max=0.75)])
def test_a_ceiling_that_is_there_stays(op: Op) -> None:
    assert started(op) == ClippedRelu(max=0.75)
    assert started(op, activation="relu") == Relu()


def test_a_qcfs_keeps_its_levels_unless_others_are_asked_for() -> None:
    op = Qcfs(levels=6, max=0.75)
    assert started(op, activation="qcfs") == op
    assert started(op, activation="qcfs", levels=2) == Qcfs(levels=2, max=0.75)
    assert started(clipped(0.75), activation="qcfs") == Qcfs(levels=4, max=0.75)


def test_a_slip_relu_keeps_its_levels_and_slope_unless_others_are_asked_for() -> None:
    op = SlipRelu(levels=6, max=0.75, slope=0.2)
    assert started(op, activation="slip_relu") == op
    changed = started(op, activation="slip_relu", levels=2, slope=0.0)
    assert changed == SlipRelu(levels=2, max=0.75, slope=0.0)
    new = started(Qcfs(levels=6, max=0.75), activation="slip_relu")
    assert new == SlipRelu(levels=6, max=0.75, slope=0.5)


def test_an_activation_without_positive_values_starts_at_1() -> None:
    settings = TrainingSettings()
    assert prepared(net(Relu()), settings, -np.abs(IMAGES))["act"].op == ClippedRelu(max=1.0)


def test_a_leaky_relu_is_left_alone() -> None:
    assert started(LeakyRelu(slope=0.1)) == LeakyRelu(slope=0.1)


def test_max_pools_become_average_pools_on_request_alone() -> None:
    pool = MaxPool2d(kernel=(2, 2), padding=((1, 0), (0, 0)))
    assert started(pool) == pool
    average = AvgPool2d(kernel=(2, 2), padding=((1, 0), (0, 0)), count_include_pad=False)
    assert started(pool, replace_max_pool=True) == average


def test_a_dilated_max_pool_cannot_be_replaced() -> None:
    with pytest.raises(GraphError, match=r"node 'act' \(max_pool2d\): no average pool is dilated"):
        started(MaxPool2d(kernel=(2, 2), dilation=(2, 2)), replace_max_pool=True)


def test_levels_without_qcfs_are_refused() -> None:
    with pytest.raises(TrainingError, match="'levels' is 4, but activation 'threshold_relu' has"):
        TrainingSettings(levels=4)


def test_a_slope_without_slip_relu_is_refused() -> None:
    message = "'slope' is 0.5, but activation 'qcfs' has no slope; expected activation 'slip_relu'"
    with pytest.raises(TrainingError, match=message):
        TrainingSettings(activation="qcfs", slope=0.5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("activation", "gelu"),
        ("slope", 1.5),
        ("learning_rate", 0.0),
        ("batch", 1),
        ("percent", 0),
    ],
)
def test_a_bad_setting_is_named(field: str, value: object) -> None:
    with pytest.raises(TrainingError, match=f"training: field '{field}' is .*; expected"):
        TrainingSettings(**{field: value})
