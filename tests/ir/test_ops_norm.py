"""Batch norm and scale: their formulas on every shape, and what they refuse."""

import numpy as np
import pytest

from thresher.errors import GraphError
from thresher.ir import Tensor, ops
from thresher.ir.linear_map import IndexMap

MEAN = Tensor("mean", np.array([1.0, -2.0]))
VAR = Tensor("var", np.array([0.25, 4.0]))
WEIGHT = Tensor("gamma", np.array([3.0, -1.0]))
BIAS = Tensor("beta", np.array([0.5, 10.0]))


def column(values: np.ndarray, axes: int) -> np.ndarray:
    return values.reshape(-1, *[1] * (axes - 1))


@pytest.mark.parametrize("shape", [(2,), (2, 5), (2, 3, 4)])
def test_batch_norm_works_channelwise_on_every_shape(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(size=(3, *shape))
    op = ops.BatchNorm(running_mean=MEAN, running_var=VAR, weight=WEIGHT, bias=BIAS, eps=0.0)
    mean, deviation = column(MEAN.values, len(shape)), column(np.array([0.5, 2.0]), len(shape))
    weight, bias = column(WEIGHT.values, len(shape)), column(BIAS.values, len(shape))
    expected = (x - mean) / deviation * weight + bias
    np.testing.assert_allclose(op.evaluate(x), expected, rtol=0, atol=1e-12)
    (linear,) = op.to_linear_maps(shape)
    assert isinstance(linear, IndexMap)
    np.testing.assert_allclose(linear.apply(x), expected, rtol=0, atol=1e-12)


def test_batch_norm_without_weight_and_bias_only_normalises() -> None:
    op = ops.BatchNorm(running_mean=MEAN, running_var=VAR, eps=0.0)
    np.testing.assert_array_equal(op.evaluate(np.array([[2.0, 2.0]])), [[2.0, 2.0]])


def test_eps_is_added_to_the_variance() -> None:
    op = ops.BatchNorm(running_mean=MEAN, running_var=VAR, eps=2.0)
    np.testing.assert_allclose(op.evaluate(np.array([[2.5, -2.0]])), [[1.0, 0.0]], atol=1e-15)


@pytest.mark.parametrize("values", [[0.25, -1.0], [0.25, np.nan], [0.25, 0.0]])
def test_a_variance_without_a_root_is_refused(values: list[float]) -> None:
    var = Tensor("bn.var", np.array(values))
    with pytest.raises(GraphError, match=r"running_var 'bn.var' \+ eps \(0\) is not above 0"):
        ops.BatchNorm(running_mean=MEAN, running_var=var, eps=0.0)


def test_a_channel_count_that_differs_is_refused() -> None:
    op = ops.BatchNorm(running_mean=MEAN, running_var=VAR)
    with pytest.raises(GraphError, match=r"running_mean 'mean' is \[2\]; expected \[3\], since"):
        op.infer_shape((3, 4, 4))


def test_scale_without_bias_only_multiplies() -> None:
    x = np.ones((1, 2, 2))
    np.testing.assert_array_equal(
        ops.Scale(weight=WEIGHT).evaluate(x), [[[3.0, 3.0], [-1.0, -1.0]]]
    )


def test_scale_takes_a_value_for_each_value_of_the_input() -> None:
    rng = np.random.default_rng(2)
    x, weight, bias = rng.normal(size=(4, 2, 3)), *rng.normal(size=(2, 2, 3))
    op = ops.Scale(weight=Tensor("w", weight), bias=Tensor("b", bias))
    np.testing.assert_array_equal(op.evaluate(x), x * weight + bias)
    (linear,) = op.to_linear_maps((2, 3))
    np.testing.assert_array_equal(linear.apply(x), x * weight + bias)


def test_scale_of_another_shape_is_refused_with_both_that_fit() -> None:
    op = ops.Scale(weight=WEIGHT, bias=Tensor("b", np.ones((3, 2))))
    with pytest.raises(GraphError, match=r"bias 'b' is \[3, 2\]; expected \[2\].*or \[2, 3\]"):
        op.infer_shape((2, 3))


def test_layer_norm_normalises_each_place_over_the_last_axes() -> None:
    x = np.random.default_rng(3).normal(2.0, 3.0, (5, 2, 3, 4))
    mean, variance = x.mean(axis=(2, 3), keepdims=True), x.var(axis=(2, 3), keepdims=True)
    found = ops.LayerNorm(axes=2, eps=0.5).evaluate(x)
    np.testing.assert_allclose(found, (x - mean) / np.sqrt(variance + 0.5), rtol=0, atol=1e-12)


def test_a_group_for_each_channel_makes_an_instance_norm() -> None:
    x = np.random.default_rng(4).normal(-1.0, 2.0, (5, 2, 3, 4))
    mean, variance = x.mean(axis=(2, 3), keepdims=True), x.var(axis=(2, 3), keepdims=True)
    expected = (x - mean) / np.sqrt(variance + 1e-5) * column(WEIGHT.values, 3)
    found = ops.GroupNorm(groups=2, weight=WEIGHT).evaluate(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (ops.LayerNorm(axes=3), r"over 3 axes, and the input is \[2, 5\]"),
        (ops.LayerNorm(weight=WEIGHT), r"weight 'gamma' is \[2\]; expected \[5\]"),
        (ops.GroupNorm(groups=3), "3 groups do not divide the 2 channels"),
        (ops.GroupNorm(bias=Tensor("b", np.ones(5))), r"bias 'b' is \[5\]; expected \[2\]"),
    ],
)
def test_a_norm_that_does_not_fit_its_input_is_refused(op: ops.SampleNorm, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        op.infer_shape((2, 5))


@pytest.mark.parametrize("norm", [ops.LayerNorm(axes=2, eps=0.0), ops.GroupNorm(eps=0.0)], ids=str)
@pytest.mark.filterwarnings("error")
def test_values_that_are_all_alike_are_normalised_to_0(norm: ops.SampleNorm) -> None:
    x = np.stack([np.full((2, 3), 0.75), np.arange(6.0).reshape(2, 3)])
    found = norm.evaluate(x)
    np.testing.assert_array_equal(found[0], np.zeros((2, 3)))
    assert found[1].std() == pytest.approx(1.0)
