"""Activations: their values at the edges, and the ceilings that conversion reads."""

import numpy as np
import pytest

from thresher.ir import ops

X = np.array([[-1.0, -0.0, 0.25, 0.5, 1.0, 7.0]])


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (ops.Relu(), [0, 0, 0.25, 0.5, 1, 7]),
        (ops.ClippedRelu(max=0.5), [0, 0, 0.25, 0.5, 0.5, 0.5]),
        (ops.LeakyRelu(slope=0.5), [-0.5, 0, 0.25, 0.5, 1, 7]),
        # floor(x * 2 / 1 + 1/2) / 2: halves round up.
        (ops.Qcfs(levels=2, max=1.0), [0, 0, 0.5, 0.5, 1, 1]),
        # a quarter of the threshold ReLU, three quarters of that staircase
        (ops.SlipRelu(levels=2, max=1.0, slope=0.25), [0, 0, 0.4375, 0.5, 1, 1]),
    ],
)
def test_an_activation_has_its_formulas_values(op: ops.Activation, expected: list[float]) -> None:
    np.testing.assert_array_equal(op.evaluate(X), [expected])


@pytest.mark.parametrize(
    ("op", "ceiling"),
    [
        (ops.Relu(), None),
        (ops.LeakyRelu(slope=0.5), None),
        (ops.ClippedRelu(max=1.5), 1.5),
        (ops.Qcfs(levels=4, max=2.0), 2.0),
        (ops.SlipRelu(levels=4, max=2.0), 2.0),
    ],
)
def test_the_ceiling_is_the_largest_value(op: ops.Activation, ceiling: float | None) -> None:
    assert op.ceiling == ceiling


def test_softmax_survives_large_values() -> None:
    np.testing.assert_array_equal(ops.Softmax().evaluate(np.array([[1e4, 0.0]])), [[1.0, 0.0]])


def test_only_activations_with_a_neuron_may_spike() -> None:
    assert all(op.can_spike for op in (ops.Relu, ops.ClippedRelu, ops.Qcfs, ops.LeakyRelu))
    assert not ops.Softmax.can_spike
