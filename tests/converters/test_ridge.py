"""Refitted weights against least squares over more rows and against what must come out."""

import numpy as np
import pytest
from small_graphs import tensor

from thresher.converters import ridge
from thresher.converters.ridge import refit
from thresher.ir.ops import Conv2d, Linear

RNG = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def test_a_linear_layer_changes_as_least_squares_over_rows_of_the_penalty_do() -> None:
    x, residual, penalty = normal(50, 7), normal(50, 3), 0.1
    op = Linear(weight=tensor("w", normal(3, 7)), bias=tensor("b", normal(3)))

    weight, bias = refit(op, x, residual, penalty)

    # mean |r - dw x - db|^2 + p |dw|^2 is a sum of squares: 7 rows more, of sqrt(50 p) each.
    p = penalty * (x.astype(np.float64) ** 2).mean()
    rows = np.block([[x, np.ones((50, 1))], [np.sqrt(50 * p) * np.eye(7), np.zeros((7, 1))]])
    found, *_ = np.linalg.lstsq(rows, np.vstack([residual, np.zeros((7, 3))]))
    np.testing.assert_allclose(weight - op.weight.values, found[:7].T, atol=1e-5)
    np.testing.assert_allclose(bias - op.bias.values, found[7], atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_a_convolution_takes_a_residual_away_that_its_inputs_explain(groups: int) -> None:
    geometry = {"stride": (2, 1), "padding": ((1, 0), (1, 2)), "groups": groups}
    op = Conv2d(weight=tensor("w", normal(4, 4 // groups, 3, 2)), **geometry)
    wanted = Conv2d(
        weight=tensor("v", normal(4, 4 // groups, 3, 2)), bias=tensor("b", normal(4)), **geometry
    )
    x = normal(60, 4, 6, 5)

    weight, bias = refit(op, x, wanted.evaluate(x) - op.evaluate(x), 1e-9)

    np.testing.assert_allclose(weight, wanted.weight.values, atol=1e-4)
    np.testing.assert_allclose(bias, wanted.bias.values, atol=1e-4)


def test_a_large_penalty_leaves_the_weights_and_takes_the_mean_away() -> None:
    op = Linear(weight=tensor("w", normal(2, 3)))
    residual = normal(40, 2)
    weight, bias = refit(op, normal(40, 3), residual, 1e9)
    np.testing.assert_allclose(weight, op.weight.values, atol=1e-6)
    np.testing.assert_allclose(bias, residual.mean(0), atol=1e-5)


def test_inputs_that_are_silent_or_constant_leave_finite_weights() -> None:
    op = Linear(weight=tensor("w", normal(2, 3)))
    x = np.zeros((10, 3), np.float32)
    x[:, 1] = 1
    weight, _ = refit(op, x, normal(10, 2), 0.01)
    assert np.isfinite(weight).all()
    silent, _ = refit(op, np.zeros((10, 3), np.float32), normal(10, 2), 0.01)
    np.testing.assert_array_equal(silent, op.weight.values)


def test_rows_that_are_left_out_change_little(monkeypatch: pytest.MonkeyPatch) -> None:
    op = Conv2d(weight=tensor("w", normal(2, 2, 3, 3)), padding=1)
    wanted = Conv2d(weight=tensor("v", normal(2, 2, 3, 3)), padding=1)
    x = normal(200, 2, 8, 8)
    residual = wanted.evaluate(x) - op.evaluate(x) + 0.1 * normal(200, 2, 8, 8)
    every, _ = refit(op, x, residual, 1e-6)
    monkeypatch.setattr(ridge, "SAMPLES_A_WEIGHT", 1000)
    all_rows, _ = refit(op, x, residual, 1e-6)
    assert not np.array_equal(every, all_rows)
    np.testing.assert_allclose(every, all_rows, atol=0.02)
