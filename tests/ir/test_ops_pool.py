"""Pools: windows against PyTorch, the form of their linear maps, and what they refuse."""

import numpy as np
import pytest

from thresher.errors import GraphError
from thresher.ir import ops
from thresher.ir.linear_map import IndexMap, LinearMap, SparseMap
from thresher.ir.weighted_map import ConvMap

X = np.random.default_rng(5).normal(size=(2, 3, 7, 8))


@pytest.mark.parametrize(
    ("kernel", "geometry", "kind"),
    [
        (2, {}, IndexMap),
        (3, {}, IndexMap),
        (2, {"stride": 3}, IndexMap),
        (2, {"padding": 1}, IndexMap),
        (2, {"padding": 1, "count_include_pad": False}, IndexMap),
        ((3, 2), {"stride": (2, 1)}, ConvMap),
        (3, {"stride": 2, "padding": 1}, ConvMap),
        (3, {"stride": 1, "count_include_pad": False}, ConvMap),
        (3, {"stride": 2, "padding": 1, "count_include_pad": False}, SparseMap),
    ],
    ids=str,
)
def test_avg_pool2d_is_pytorchs_in_its_cheapest_form(
    kernel: int | tuple[int, int], geometry: dict, kind: type[LinearMap]
) -> None:
    torch = pytest.importorskip("torch")
    expected = torch.nn.functional.avg_pool2d(torch.tensor(X), kernel, **geometry).numpy()
    op = ops.AvgPool2d(kernel=kernel, **geometry)
    (linear,) = op.to_linear_maps((3, 7, 8))
    assert type(linear) is kind
    np.testing.assert_allclose(op.evaluate(X), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(linear.apply(X), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "geometry"),
    [
        (2, {}),
        (3, {"stride": 2, "padding": 1}),
        ((2, 3), {"stride": 1, "dilation": (3, 2)}),
    ],
    ids=str,
)
def test_max_pool2d_is_pytorchs(kernel: int | tuple[int, int], geometry: dict) -> None:
    torch = pytest.importorskip("torch")
    expected = torch.nn.functional.max_pool2d(torch.tensor(X), kernel, **geometry).numpy()
    np.testing.assert_array_equal(ops.MaxPool2d(kernel=kernel, **geometry).evaluate(X), expected)


def test_padding_is_never_the_largest() -> None:
    op = ops.MaxPool2d(kernel=2, padding=1)
    np.testing.assert_array_equal(
        op.evaluate(np.full((1, 1, 2, 2), -3.0)), np.full((1, 1, 2, 2), -3)
    )


def test_positions_that_fill_no_window_reach_nothing() -> None:
    (linear,) = ops.AvgPool2d(kernel=2).to_linear_maps((1, 3, 3))
    np.testing.assert_array_equal(linear.fan_out(), [1, 1, 0, 1, 1, 0, 0, 0, 0])


def test_the_stride_left_out_is_the_kernel() -> None:
    assert ops.AvgPool2d(kernel=(2, 3)) == ops.AvgPool2d(kernel=(2, 3), stride=(2, 3))


@pytest.mark.parametrize("op", [ops.AvgPool2d, ops.MaxPool2d])
def test_a_window_of_padding_alone_is_refused(op: type[ops.AvgPool2d]) -> None:
    with pytest.raises(GraphError, match=r"leaves a window of kernel \[2, 2\] nothing but padding"):
        op(kernel=2, padding=2).infer_shape((3, 7, 8))


@pytest.mark.parametrize("op", [ops.AvgPool2d, ops.MaxPool2d])
def test_a_window_larger_than_the_image_is_refused(op: type[ops.AvgPool2d]) -> None:
    with pytest.raises(GraphError, match=r"kernel \[9, 9\] does not fit .* \[3, 7, 8\]"):
        op(kernel=9).infer_shape((3, 7, 8))


def test_a_dilated_window_that_passes_over_the_image_is_refused() -> None:
    op = ops.MaxPool2d(kernel=2, padding=1, dilation=2)
    with pytest.raises(GraphError, match="nothing but padding in an input of"):
        op.infer_shape((1, 1, 1))


def test_global_avg_pool_keeps_two_axes_of_one() -> None:
    np.testing.assert_allclose(
        ops.GlobalAvgPool().evaluate(X), X.mean(axis=(2, 3)).reshape(2, 3, 1, 1), atol=1e-15
    )


def test_global_avg_pool_refuses_what_has_no_height_and_width() -> None:
    with pytest.raises(GraphError, match=r"takes an input of shape \(C, H, W\), got \[12\]"):
        ops.GlobalAvgPool().infer_shape((12,))


def test_windows_of_padding_alone_are_told_from_others_for_every_geometry() -> None:
    reads = 0
    for n, kernel, stride, before, after, dilation in np.ndindex(5, 4, 3, 5, 5, 4):
        geometry = {"stride": (stride + 1, 1), "dilation": (dilation + 1, 1)}
        sides = ((before, after), (0, 0))
        op = ops.MaxPool2d(kernel=(kernel + 1, 1), padding=sides, **geometry)
        inside = np.pad(np.ones(n + 1), (before, after))
        starts = range(0, len(inside) - (dilation + 1) * kernel, stride + 1)
        taps = np.arange(kernel + 1) * (dilation + 1)
        expected = bool(starts) and all(inside[start + taps].any() for start in starts)
        try:
            op.infer_shape((1, n + 1, 1))
            assert expected, op
            reads += 1
        except GraphError:
            assert not expected, op
    assert reads > 1000
