"""Threshold ReLU and QCFS: their values and their gradients, by the papers' formulas."""

import numpy as np
import pytest

from thresher.ir import ops

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from thresher.training.functions import (  # noqa: E402
    ClipFloorShift,
    ThresholdRelu,
    positive,
    raw_of,
)

CEILING = 1.5
X = [-2.0, -0.25, 0.0, 0.1875, 0.7, 1.3125, 1.499, 1.5, 1.75, 40.0]
ABOVE = np.array(X) >= CEILING
INSIDE = (np.array(X) > 0) & ~ABOVE
INCOMING = np.arange(1.0, 11.0, dtype=np.float32)


def gradients(function, *rest: int):
    x = torch.tensor(X, requires_grad=True)
    ceiling = torch.tensor(CEILING, requires_grad=True)
    y = function.apply(x, ceiling, *rest)
    y.backward(torch.from_numpy(INCOMING))
    return y.detach().numpy(), x.grad.numpy(), ceiling.grad.item()


def test_threshold_relu_is_the_ops_and_sends_each_gradient_to_x_or_to_the_ceiling() -> None:
    y, to_x, to_ceiling = gradients(ThresholdRelu)
    np.testing.assert_array_equal(y, ops.ClippedRelu(max=CEILING).evaluate(np.array(X, np.float32)))
    np.testing.assert_array_equal(to_x, INCOMING * INSIDE)
    assert to_ceiling == (INCOMING * ABOVE).sum()


@pytest.mark.parametrize("levels", [1, 4, 7])
def test_qcfs_sends_the_gradients_of_its_formula_with_the_floor_passed_over(levels: int) -> None:
    _, to_x, to_ceiling = gradients(ClipFloorShift, levels)
    x = np.array(X)
    staircase = CEILING * np.clip(np.floor(x * levels / CEILING + 0.5) / levels, 0, 1)
    by_ceiling = np.where(ABOVE, 1.0, np.where(INSIDE, (staircase - x) / CEILING, 0.0))
    np.testing.assert_array_equal(to_x, INCOMING * INSIDE)
    assert to_ceiling == pytest.approx((INCOMING * by_ceiling).sum(), rel=1e-5)


@pytest.mark.parametrize(("levels", "ceiling"), [(1, 1.0), (4, 1.5), (8, 0.3), (7, 3.1415927)])
def test_qcfs_is_the_op_to_the_last_bit(levels: int, ceiling: float) -> None:
    rng = np.random.default_rng(1)
    steps = np.arange(-2, 2 * levels) / 2 * ceiling / levels  # where the staircase jumps
    x = np.concatenate([steps, rng.normal(0, 2 * ceiling, 5000)]).astype(np.float32)
    found = ClipFloorShift.apply(torch.from_numpy(x), torch.tensor(ceiling), levels).numpy()
    expected = ops.Qcfs(levels=levels, max=float(np.float32(ceiling))).evaluate(x)
    np.testing.assert_array_equal(found, expected)


def test_a_gradient_in_another_layout_is_the_same_gradient() -> None:
    rng = np.random.default_rng(2)
    x = torch.from_numpy(rng.normal(1, 1, (2, 3, 4, 5)).astype(np.float32))
    incoming = torch.from_numpy(rng.normal(size=(2, 3, 4, 5)).astype(np.float32))
    moved = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    ThresholdRelu.apply(moved, torch.tensor(1.0)).backward(incoming)
    inside = (x > 0) & (x < 1)
    np.testing.assert_array_equal(moved.grad.numpy(), (incoming * inside).numpy())


@pytest.mark.parametrize("ceiling", [1e-3, 0.5, 1.0, 8.0, 300.0])
def test_a_ceiling_comes_back_from_its_parameter(ceiling: float) -> None:
    raw = torch.tensor(raw_of(ceiling), dtype=torch.float32)
    assert positive(raw).item() == pytest.approx(ceiling, rel=1e-6)


def test_a_ceiling_stays_positive_however_far_its_parameter_goes() -> None:
    assert positive(torch.tensor(-80.0)).item() > 0
