"""Ops that move or join values: what goes where, and what they refuse."""

import numpy as np
import pytest

from thresher.errors import GraphError
from thresher.ir import Op, ops
from thresher.ir.op import Shape

X = np.arange(24.0).reshape(1, 2, 3, 4)


def test_flatten_is_row_major() -> None:
    np.testing.assert_array_equal(ops.Flatten().evaluate(X), [np.arange(24.0)])


def test_reshape_works_out_the_size_written_minus_one() -> None:
    assert ops.Reshape(shape=(4, -1, 2)).infer_shape((2, 3, 4)) == (4, 3, 2)


def test_slice_counts_from_the_end_where_the_number_is_negative() -> None:
    op = ops.Slice(start=(None, -2, 1), stop=(1, None, -1), step=(None, None, 2))
    np.testing.assert_array_equal(op.evaluate(X), X[:, :1, -2:, 1:-1:2])


def test_pad_names_the_axes_of_a_signal_channels_and_width() -> None:
    padded = ops.Pad(channels=(0, 1), width=(2, 0)).evaluate(np.ones((1, 1, 2)))
    np.testing.assert_array_equal(padded, [[[0, 0, 1, 1], [0, 0, 0, 0]]])


def test_upsample_nearest_repeats_each_place() -> None:
    op = ops.UpsampleNearest(scale=(1, 2))
    np.testing.assert_array_equal(op.evaluate(X), np.repeat(X, 2, axis=3))
    (linear,) = op.to_linear_maps((2, 3, 4))
    np.testing.assert_array_equal(linear.fan_out(), np.full(24, 2))


def test_concat_keeps_the_order_of_its_inputs() -> None:
    op, a, b = ops.Concat(), np.full((1, 1, 2), 1.0), np.full((1, 2, 2), 2.0)
    np.testing.assert_array_equal(op.evaluate(b, a), [[[2, 2], [2, 2], [1, 1]]])


@pytest.mark.parametrize(
    ("op", "shapes", "message"),
    [
        (ops.Reshape(shape=(5, -1)), [(2, 3)], r"6 values of \[2, 3\] do not fill .* \[5, -1\]"),
        (ops.Reshape(shape=(2, 2)), [(2, 3)], r"6 values of \[2, 3\] do not fill .* \[2, 2\]"),
        (ops.Slice(start=(1,)), [(2, 3)], "'start' has 1 entries; expected one for each of the 2"),
        (ops.Slice(start=(2, 0)), [(2, 3)], r"leave \[0, 3\], which holds no value"),
        (ops.Pad(height=(1, 0)), [(2, 3)], r"pads the height of \[2, 3\], which has none"),
        (ops.Pad(width=(1, 0)), [(6,)], r"pads the width of \[6\], which has none"),
        (ops.Pad(), [(1, 2, 3, 4)], r"takes \(C,\), \(C, L\) or \(C, H, W\), got \[1, 2, 3, 4\]"),
        (ops.UpsampleNearest(scale=2), [(6,)], r"takes an input of shape \(C, H, W\), got \[6\]"),
        (ops.Add(), [(2, 3), (3, 2)], r"takes inputs of one shape, got \[2, 3\], \[3, 2\]"),
        (ops.Concat(axis=2), [(2, 3), (2, 3)], r"axis 2 does not exist in inputs of \[2, 3\]"),
        (ops.Concat(), [(2, 3), (2, 4)], r"differ along axis 0 alone, got \[2, 3\], \[2, 4\]"),
        (ops.Concat(), [(2,), (2, 4)], r"differ along axis 0 alone, got \[2\], \[2, 4\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(op: Op, shapes: list[Shape], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        op.infer_shape(*shapes)


@pytest.mark.parametrize("shape", [(), (0, 6), (-1, -1)])
def test_a_shape_that_tells_no_sizes_is_refused(shape: Shape) -> None:
    with pytest.raises(GraphError, match=r"op 'reshape': field 'shape' is .*; expected sizes"):
        ops.Reshape(shape=shape)


def test_permute_names_the_axis_that_comes_to_each_place() -> None:
    found = ops.Permute(order=(2, 0, 1)).evaluate(X)
    np.testing.assert_array_equal(found, np.einsum("nchw->nwch", X))


@pytest.mark.parametrize("order", [(0, 1), (0, 1, 1), (1, 2, 3)])
def test_an_order_that_does_not_name_every_axis_once_is_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(GraphError, match=r"does not name every axis of \[2, 3, 4\] once"):
        ops.Permute(order=order).infer_shape((2, 3, 4))


def test_mean_leaves_axes_of_size_1_where_it_is_asked_to() -> None:
    expected = [[5.5, 17.5]]  # of 0 to 11 and of 12 to 23
    np.testing.assert_array_equal(ops.Mean(axes=(1, 2)).evaluate(X), expected)
    kept = ops.Mean(axes=(1, 2), keep=True)
    np.testing.assert_array_equal(kept.evaluate(X), np.reshape(expected, (1, 2, 1, 1)))
    (linear,) = kept.to_linear_maps((2, 3, 4))
    np.testing.assert_allclose(linear.apply(X), kept.evaluate(X), rtol=1e-15)


def test_the_mean_of_every_axis_is_one_value() -> None:
    np.testing.assert_array_equal(ops.Mean(axes=(0, 1, 2)).evaluate(X), [[11.5]])


@pytest.mark.parametrize("axes", [(), (0, 0), (3,)])
def test_axes_that_the_input_does_not_have_are_refused(axes: tuple[int, ...]) -> None:
    with pytest.raises(GraphError, match=r"are not axes of \[2, 3, 4\], each once"):
        ops.Mean(axes=axes).infer_shape((2, 3, 4))
