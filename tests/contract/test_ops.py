"""What every registered op must keep: shapes, linear maps, precision, costs, PyTorch's values."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from thresher.errors import GraphError
from thresher.ir import OPS, Op
from thresher.ir.fields import (
    BoolRule,
    ChoiceRule,
    FloatRule,
    IntRule,
    IntsRule,
    PaddingRule,
    PairRule,
    Rule,
    TensorRule,
    rules_of,
)
from thresher.ir.op import Array, Shape

every_op = pytest.mark.parametrize("kind", OPS.names())


def example(kind: str) -> tuple[Op, tuple[Shape, ...]]:
    return OPS.get(kind).example()


def batch(shapes: tuple[Shape, ...], dtype: type = np.float64, n: int = 5) -> list[Array]:
    """Draw inputs in (-1, 2), so that every activation sees all of its branches."""
    rng = np.random.default_rng(7)
    return [rng.uniform(-1.0, 2.0, (n, *shape)).astype(dtype) for shape in shapes]


@every_op
def test_the_inferred_shape_is_the_evaluated_one(kind: str) -> None:
    op, shapes = example(kind)
    assert op.evaluate(*batch(shapes)).shape == (5, *op.infer_shape(*shapes))


@every_op
def test_the_summed_linear_maps_are_the_op_or_it_is_not_affine(kind: str) -> None:
    op, shapes = example(kind)
    maps = op.to_linear_maps(*shapes)
    x = batch(shapes)
    expected = op.evaluate(*x)
    if maps is None:  # halfway between two images an affine op is halfway between its outputs
        halfway = op.evaluate(*((values + np.roll(values, 1, axis=0)) / 2 for values in x))
        assert not np.allclose(halfway, (expected + np.roll(expected, 1, axis=0)) / 2)
        return
    assert len(maps) == len(shapes)
    found = sum(part.apply(values) for part, values in zip(maps, x, strict=True))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@every_op
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_of_the_input_is_kept(kind: str, dtype: type) -> None:
    op, shapes = example(kind)
    assert op.evaluate(*batch(shapes, dtype)).dtype == dtype


@every_op
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sample_gives_the_same_bits_alone_and_in_a_batch(kind: str, dtype: type) -> None:
    op, shapes = example(kind)
    x = batch(shapes, dtype)
    alone = [op.evaluate(*(values[i : i + 1] for values in x)) for i in range(5)]
    np.testing.assert_array_equal(op.evaluate(*x), np.concatenate(alone))


@every_op
def test_the_inputs_are_left_as_they_were(kind: str) -> None:
    op, shapes = example(kind)
    x = batch(shapes)
    before = [values.copy() for values in x]
    op.evaluate(*x)
    for values, kept in zip(x, before, strict=True):
        np.testing.assert_array_equal(values, kept)


@every_op
def test_weights_have_the_shapes_that_the_op_tells_for_an_untrained_net(kind: str) -> None:
    op, shapes = example(kind)
    settings = {
        field.name: getattr(op, field.name)
        for field, rule in rules_of(op)
        if not isinstance(rule, TensorRule)
    }
    found = {role: tensor.shape for role, tensor in op.tensors.items()}
    assert type(op).tensor_shapes(settings, *shapes) == found


# How many multiplications each output value of the example takes.
PER_OUTPUT = {"conv1d": 2 * 3, "conv2d": 2 * 3 * 2, "linear": 7, "positionwise_linear": 7}
PER_OUTPUT["matmul"] = 6  # of two values of the network


@every_op
def test_macs_are_counted_where_sums_of_products_are_taken_and_nowhere_else(kind: str) -> None:
    op, shapes = example(kind)
    outputs = int(np.prod(op.infer_shape(*shapes)))
    if kind == "conv_transpose2d":  # each of 4 x 3 x 4 inputs meets 3 channels of 3 x 2 taps
        assert op.macs(*shapes) == 4 * 3 * 4 * 3 * 3 * 2
    else:
        assert op.macs(*shapes) == outputs * PER_OUTPUT.get(kind, 0)


def bad_values(rule: Rule) -> list[object]:
    """List values that the words of a rule forbid."""
    match rule:
        case BoolRule():
            return [1, "yes", None]
        case ChoiceRule():
            return ["no such choice", 1, None]
        case IntRule():
            return [rule.minimum - 1, 1.5, True, "1", None]
        case FloatRule():
            limits = [rule.minimum - 1, rule.maximum + 1] + [rule.minimum] * rule.exclusive
            return [*limits, float("nan"), float("inf"), True, "1", None]
        case PairRule():
            return [rule.minimum - 1, [1, rule.minimum - 1], [1, 1, 1], 1.5, "11", None]
        case PaddingRule():
            return [-1, [0, -1], [[0, 0], [0, -1]], [[0, 0]], 0.5, "00", None]
        case IntsRule():
            low = [] if rule.minimum is None else [[rule.minimum - 1]]
            long = [] if rule.length is None else [[1] * (rule.length + 1)]
            return [*low, *long, [1.5], ["1"], "1", 1, None]
        case TensorRule():
            return [1.0, "name", np.ones(3)] + [None] * (not rule.optional)
    pytest.fail(f"say here which values {type(rule).__name__} forbids")


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        pytest.param(kind, field.name, value, id=f"{kind}-{field.name}-{value}")
        for kind in OPS
        for field, rule in rules_of(OPS.get(kind))
        for value in bad_values(rule)
    ],
)
def test_a_bad_value_is_refused_and_names_the_op_and_the_field(
    kind: str, field: str, value: object
) -> None:
    op, _ = example(kind)
    with pytest.raises(GraphError, match=f"op '{kind}': field '{field}' is .*; expected"):
        dataclasses.replace(op, **{field: value})


@every_op
def test_an_input_with_an_axis_more_is_refused_or_evaluated(kind: str) -> None:
    op, shapes = example(kind)
    wider = tuple((2, *shape) for shape in shapes)
    try:
        inferred = op.infer_shape(*wider)
    except GraphError:
        return
    assert op.evaluate(*batch(wider)).shape == (5, *inferred)


def sides(padding: tuple[tuple[int, int], ...]) -> list[int]:
    """Write padding as torch.nn.functional.pad takes it: the last axis first."""
    return [side for axis in reversed(padding) for side in axis]


def torch_of(torch: Any) -> dict[str, Callable[..., Any]]:
    """Return PyTorch's counterpart of each op, called with the op, its tensors and the inputs."""
    f = torch.nn.functional

    def conv(op: Any, w: Any, x: Any) -> Any:
        function = f.conv2d if op.kind == "conv2d" else f.conv1d
        pad = sides(op.padding) if op.kind == "conv2d" else list(op.padding)
        return function(f.pad(x, pad), w["weight"], w["bias"], op.stride, 0, op.dilation, op.groups)

    def conv_transpose2d(op: Any, w: Any, x: Any) -> Any:
        whole = f.conv_transpose2d(
            x, w["weight"], w["bias"], op.stride, 0, op.output_padding, op.groups, op.dilation
        )
        return f.pad(whole, [-side for side in sides(op.padding)])

    def batch_norm(op: Any, w: Any, x: Any) -> Any:
        moments = w["running_mean"], w["running_var"]
        return f.batch_norm(x, *moments, w["weight"], w["bias"], eps=op.eps)

    def avg_pool2d(op: Any, w: Any, x: Any) -> Any:
        (top, _), (left, _) = op.padding
        return f.avg_pool2d(
            x,
            op.kernel,
            op.stride,
            (top, left),
            count_include_pad=op.count_include_pad,
        )

    def max_pool2d(op: Any, w: Any, x: Any) -> Any:
        padded = f.pad(x, sides(op.padding), value=-torch.inf)
        return f.max_pool2d(padded, op.kernel, op.stride, 0, op.dilation)

    def qcfs(op: Any, w: Any, x: Any) -> Any:
        return torch.clamp(torch.floor(x * op.levels / op.max + 0.5) / op.levels, 0, 1) * op.max

    def slip_relu(op: Any, w: Any, x: Any) -> Any:
        return op.slope * torch.clamp(x, 0, op.max) + (1 - op.slope) * qcfs(op, w, x)

    def sliced(op: Any, w: Any, x: Any) -> Any:
        return x[(slice(None), *map(slice, op.start, op.stop, op.step))]

    return {
        "conv1d": conv,
        "conv2d": conv,
        "conv_transpose2d": conv_transpose2d,
        "positionwise_linear": lambda op, w, x: f.linear(x, w["weight"], w["bias"]),
        "linear": lambda op, w, x: f.linear(x, w["weight"], w["bias"]),
        "batch_norm": batch_norm,
        "scale": lambda op, w, x: x * w["weight"][:, None, None] + w["bias"][:, None, None],
        "relu": lambda op, w, x: f.relu(x),
        "clipped_relu": lambda op, w, x: torch.clamp(x, 0, op.max),
        "qcfs": qcfs,
        "slip_relu": slip_relu,
        "leaky_relu": lambda op, w, x: f.leaky_relu(x, op.slope),
        "sigmoid": lambda op, w, x: torch.sigmoid(x),
        "tanh": lambda op, w, x: torch.tanh(x),
        "silu": lambda op, w, x: f.silu(x),
        "gelu": lambda op, w, x: f.gelu(x, approximate=op.approximate),
        "hard_sigmoid": lambda op, w, x: torch.clamp(x * op.slope + op.offset, 0, 1),
        "hard_swish": lambda op, w, x: f.hardswish(x),
        "elu": lambda op, w, x: f.elu(x, op.alpha),
        "softmax": lambda op, w, x: f.softmax(x, dim=op.axis),
        "layer_norm": lambda op, w, x: f.layer_norm(x, x.shape[-1:], **w, eps=op.eps),
        "group_norm": lambda op, w, x: f.group_norm(x, op.groups, **w, eps=op.eps),
        "mul": lambda op, w, x, y: x * y,
        "matmul": lambda op, w, x, y: torch.matmul(x, y.transpose(-1, -2)),
        "mean": lambda op, w, x: x.mean([axis + 1 for axis in op.axes]),
        "permute": lambda op, w, x: x.permute(0, *(axis + 1 for axis in op.order)),
        "avg_pool2d": avg_pool2d,
        "max_pool2d": max_pool2d,
        "global_avg_pool": lambda op, w, x: f.adaptive_avg_pool2d(x, 1),
        "add": lambda op, w, *x: sum(x),
        "concat": lambda op, w, *x: torch.cat(x, dim=op.axis + 1),
        "flatten": lambda op, w, x: torch.flatten(x, 1),
        "reshape": lambda op, w, x: x.reshape(len(x), *op.shape),
        "slice": sliced,
        "pad": lambda op, w, x: f.pad(x, sides((op.channels, op.height, op.width))),
        "upsample_nearest": lambda op, w, x: f.interpolate(x, scale_factor=op.scale),
        "identity": lambda op, w, x: x,
        "dropout": lambda op, w, x: f.dropout(x, op.p, training=False),
    }


@every_op
def test_the_values_are_those_of_pytorch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    op, shapes = example(kind)
    x = batch(shapes, np.float32)
    weights = {role: torch.tensor(tensor.values) for role, tensor in op.tensors.items()}
    expected = torch_of(torch)[kind](op, weights, *map(torch.tensor, x)).numpy()
    found = op.evaluate(*x)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
