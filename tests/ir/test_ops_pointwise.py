"""Pointwise functions: their values, the error function's accuracy, and no overflow far out."""

import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from thresher.ir import OPS, ops
from thresher.ir.erf import erf

X = [-20.0, -4.0, -1.25, -0.5, 0.0, 0.3, 1.0, 2.5, 4.0, 20.0]

FORMULAS: list[tuple[ops.Pointwise, Callable[[float], float]]] = [
    (ops.Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
    (ops.Tanh(), math.tanh),
    (ops.Silu(), lambda x: x / (1 + math.exp(-x))),
    (ops.Gelu(), lambda x: x / 2 * (1 + math.erf(x / math.sqrt(2)))),
    (
        ops.Gelu(approximate="tanh"),
        lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    (ops.HardSigmoid(), lambda x: min(max(x + 3, 0), 6) / 6),
    (ops.HardSigmoid(slope=0.2, offset=0.25), lambda x: min(max(0.2 * x + 0.25, 0), 1)),
    (ops.HardSwish(), lambda x: x * min(max(x + 3, 0), 6) / 6),
    (ops.Elu(alpha=0.75), lambda x: x if x > 0 else 0.75 * (math.exp(x) - 1)),
]


@pytest.mark.parametrize(("op", "formula"), FORMULAS)
def test_a_pointwise_op_has_its_formulas_values(
    op: ops.Pointwise, formula: Callable[[float], float]
) -> None:
    found = op.evaluate(np.array([X]))
    np.testing.assert_allclose(found, [[formula(x) for x in X]], rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("kind", [kind for kind in OPS if issubclass(OPS.get(kind), ops.Pointwise)])
def test_a_pointwise_op_survives_large_values(kind: str) -> None:
    op, _ = OPS.get(kind).example()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dtype in (np.float32, np.float64):
            assert np.isfinite(op.evaluate(np.array([[-1e6, 1e6]], dtype))).all()


def test_operators_may_stand_for_a_pointwise_op_and_spiking_neurons_may_not() -> None:
    assert ops.Gelu.can_operate
    assert not ops.Gelu.can_spike
    assert not ops.Gelu.is_linear()
    assert not ops.Relu.can_operate


@pytest.mark.parametrize(("dtype", "accuracy"), [(np.float64, 1e-15), (np.float32, 4e-7)])
def test_erf_is_accurate_to_a_few_units_in_the_last_place(dtype: type, accuracy: float) -> None:
    special = pytest.importorskip("scipy.special")
    near = np.geomspace(1e-30, 1e-2, 500)
    x = np.concatenate([np.linspace(-7, 7, 200_001), near, -near]).astype(dtype)
    np.testing.assert_allclose(erf(x), special.erf(x.astype(np.float64)), rtol=accuracy, atol=0)


def test_erf_has_its_limits_and_keeps_zeros_sign_and_nan() -> None:
    y = erf(np.array([np.inf, -np.inf, -0.0, np.nan]))
    np.testing.assert_array_equal(y, [1.0, -1.0, -0.0, np.nan])
    assert np.signbit(y[2])
