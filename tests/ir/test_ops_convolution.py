"""Convolutions and the linear layer: geometry against PyTorch, forms, and what they refuse."""

import numpy as np
import pytest

from thresher.errors import GraphError
from thresher.ir import Tensor, ops
from thresher.ir.op import Array
from thresher.ir.weighted_map import ConvMap


def tensor(name: str, *shape: int) -> Tensor:
    values = np.random.default_rng(len(name)).normal(size=shape)
    return Tensor(name, values.astype(np.float32))


def images(*shape: int) -> Array:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def assert_as_torch(found: Array, expected: Array) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"padding": 1},
        {"stride": 2, "padding": (1, 2)},
        {"dilation": (2, 1)},
        {"groups": 2},
        {"groups": 4},
        {"stride": (3, 1), "padding": 2, "dilation": 2, "groups": 2},
    ],
    ids=str,
)
def test_conv2d_is_pytorchs(geometry: dict) -> None:
    torch = pytest.importorskip("torch")
    weight = tensor("weight", 8, 4 // geometry.get("groups", 1), 3, 3)
    x = images(2, 4, 9, 8)
    expected = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(weight.values), **geometry)
    assert_as_torch(ops.Conv2d(weight=weight, **geometry).evaluate(x), expected.numpy())


def test_a_pointwise_convolution_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    weight, x = tensor("weight", 5, 4, 1, 1), images(2, 4, 6, 6)
    expected = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(weight.values), stride=2)
    assert_as_torch(ops.Conv2d(weight=weight, stride=2).evaluate(x), expected.numpy())


@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"stride": 2},
        {"stride": 2, "padding": 1, "output_padding": 1},
        {"stride": 3, "padding": 3},
        {"stride": (1, 2), "dilation": (2, 1), "padding": (0, 1), "groups": 2},
        {"dilation": 3, "output_padding": 2},
    ],
    ids=str,
)
def test_conv_transpose2d_is_pytorchs(geometry: dict) -> None:
    torch = pytest.importorskip("torch")
    weight, x = tensor("weight", 4, 3, 3, 3), images(2, 4, 5, 4)
    op = ops.ConvTranspose2d(weight=weight, **geometry)
    expected = torch.nn.functional.conv_transpose2d(
        torch.tensor(x), torch.tensor(weight.values), **geometry
    ).numpy()
    assert_as_torch(op.evaluate(x), expected)
    (linear,) = op.to_linear_maps((4, 5, 4))
    assert isinstance(linear, ConvMap)
    assert_as_torch(linear.apply(x), expected)


def test_a_transposed_convolution_whose_padding_cuts_everything_gives_the_bias() -> None:
    bias = Tensor("bias", np.array([2.0]))
    op = ops.ConvTranspose2d(
        weight=tensor("weight", 1, 1, 1, 1),
        bias=bias,
        stride=2,
        padding=((1, 0), (1, 0)),
        output_padding=1,
    )
    x = np.ones((1, 1, 1, 1))
    (linear,) = op.to_linear_maps((1, 1, 1))
    np.testing.assert_array_equal(op.evaluate(x), [[[[2.0]]]])
    np.testing.assert_array_equal(linear.apply(x), [[[[2.0]]]])
    np.testing.assert_array_equal(linear.fan_out(), [0])


@pytest.mark.parametrize("side", [0, 1, 2, 3])
def test_conv1d_pads_each_side_by_its_own_number(side: int) -> None:
    torch = pytest.importorskip("torch")
    weight, x = tensor("weight", 3, 2, 3), images(2, 2, 7)
    padded = torch.nn.functional.pad(torch.tensor(x), (side, 1))
    expected = torch.nn.functional.conv1d(padded, torch.tensor(weight.values))
    assert_as_torch(ops.Conv1d(weight=weight, padding=(side, 1)).evaluate(x), expected.numpy())


def test_sizes_left_out_are_taken_from_the_weight() -> None:
    conv = ops.Conv2d(weight=tensor("weight", 6, 2, 3, 5))
    assert (conv.out_channels, conv.kernel) == (6, (3, 5))
    transposed = ops.ConvTranspose2d(weight=tensor("weight", 6, 2, 3, 5), groups=3)
    assert (transposed.out_channels, transposed.kernel) == (6, (3, 5))
    line = ops.Conv1d(weight=tensor("weight", 6, 2, 3))
    assert (line.out_channels, line.kernel) == (6, 3)
    assert ops.Linear(weight=tensor("weight", 6, 2)).out_features == 6


@pytest.mark.parametrize(
    ("op", "shape", "message"),
    [
        (
            ops.Conv2d(weight=tensor("k", 6, 2, 3, 3)),
            (3, 8, 8),
            r"weight 'k' is \[6, 2, 3, 3\]; expected \[6, 3, 3, 3\], since the input is",
        ),
        (
            ops.Conv2d(weight=tensor("k", 6, 2, 3, 3), bias=tensor("b", 5)),
            (2, 8, 8),
            r"bias 'b' is \[5\]; expected \[6\], since there are 6 channels",
        ),
        (
            ops.Conv2d(weight=tensor("k", 6, 2, 3, 3), groups=4),
            (8, 8, 8),
            "8 channels in and 6 out do not divide into 4 groups",
        ),
        (
            ops.Conv2d(weight=tensor("k", 6, 2, 3, 3)),
            (2, 8, 2),
            r"kernel \[3, 3\] does not fit into an input of \[2, 8, 2\]",
        ),
        (
            ops.Conv2d(weight=tensor("k", 6, 2, 3, 3)),
            (128,),
            r"takes an input of shape \(C, H, W\), got \[128\]",
        ),
        (
            ops.Conv1d(weight=tensor("k", 6, 2, 3)),
            (2, 8, 8),
            r"takes an input of shape \(C, L\), got \[2, 8, 8\]",
        ),
        (
            ops.ConvTranspose2d(weight=tensor("k", 2, 6, 3, 3), output_padding=1),
            (2, 8, 8),
            r"output_padding \[1, 1\] must be smaller than the stride \[1, 1\] or the dilation",
        ),
        (
            ops.ConvTranspose2d(weight=tensor("k", 2, 6, 3, 3), padding=2),
            (2, 1, 1),
            r"kernel \[3, 3\] does not fit into an input of \[2, 1, 1\]",
        ),
        (
            ops.Linear(weight=tensor("k", 10, 80)),
            (64,),
            r"weight 'k' is \[10, 80\]; expected \[10, 64\], since the input has 64 values",
        ),
        (
            ops.Linear(weight=tensor("k", 10, 64)),
            (4, 4, 4),
            r"takes an input of shape \(N,\); put a flatten before it, got \[4, 4, 4\]",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_both_shapes(
    op: ops.Convolution, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(GraphError, match=message):
        op.infer_shape(shape)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (ops.Conv1d, r"weight 'w' is \[3\]; expected 3 axes, \(out, in/groups, kernel\)"),
        (ops.Conv2d, r"weight 'w' is \[3\]; expected 4 axes, \(out, in/groups, kernel height"),
        (ops.ConvTranspose2d, r"weight 'w' is \[3\]; expected 4 axes, \(in, out/groups, kernel"),
        (ops.Linear, r"weight 'w' is \[3\]; expected \(out, in\)"),
    ],
)
def test_a_weight_with_the_wrong_axes_is_refused(op: type, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        op(weight=tensor("w", 3))


@pytest.mark.parametrize(
    ("op", "settings", "shape", "field"),
    [
        (ops.Conv2d, {"kernel": (3, 3)}, (2, 8, 8), "out_channels"),
        (ops.Conv2d, {"out_channels": 4}, (2, 8, 8), "kernel"),
        (ops.Conv1d, {"out_channels": 4, "kernel": 0}, (2, 8), "kernel"),
        (ops.ConvTranspose2d, {"kernel": (3, 3)}, (2, 8, 8), "out_channels"),
        (ops.Linear, {}, (8,), "out_features"),
    ],
)
def test_an_untrained_layer_asks_for_the_size_it_lacks(
    op: type[ops.Convolution], settings: dict, shape: tuple[int, ...], field: str
) -> None:
    with pytest.raises(GraphError, match=f"needs '{field}' where its weight is not in a file"):
        op.tensor_shapes(settings, shape)
