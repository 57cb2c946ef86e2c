"""Threshold ReLU and QCFS in PyTorch, with gradients for their learnt ceilings."""

import math
from typing import Any

import torch


class ThresholdRelu(torch.autograd.Function):
    """min(max(x, 0), y_th) (Deng and Gu 2021).

    A value's gradient goes on to x where 0 < x < y_th and to y_th where x >= y_th.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, y_th: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, y_th)
        return x.clamp(0.0, y_th.item())

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, y_th = ctx.saved_tensors
        gradient = _laid_out_as(x, gradient)
        return _inside(gradient, x, y_th), _above(gradient, x, y_th).sum()


class ClipFloorShift(torch.autograd.Function):
    """lambda * clip(floor(x L / lambda + 1/2) / L, 0, 1) (Bu et al. 2022).

    The floor passes gradients as if it were not there. With y the result, a value's gradient goes
    to x where 0 < x < lambda; to lambda goes (y - x) / lambda of it there and all of it where
    x >= lambda.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, ceiling: torch.Tensor, levels: int) -> torch.Tensor:
        # in the order of ir.ops.Qcfs, so that both round alike
        y = (x * levels).div_(ceiling).add_(0.5).floor_().clamp_(0, levels)
        y = y.div_(levels).mul_(ceiling)
        ctx.save_for_backward(x, y, ceiling)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        x, y, ceiling = ctx.saved_tensors
        gradient = _laid_out_as(x, gradient)
        rounding = (y - x.clamp(0.0, ceiling.item())).mul_(gradient).sum() / ceiling
        to_ceiling = rounding + _above(gradient, x, ceiling).sum()
        return _inside(gradient, x, ceiling), to_ceiling, None


def _laid_out_as(x: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Lay a gradient out as x is: all layers before, batch norms above all, are slow on others."""
    if gradient.stride() == x.stride():
        return gradient
    return torch.empty_like(x).copy_(gradient)


def _inside(gradient: torch.Tensor, x: torch.Tensor, ceiling: torch.Tensor) -> torch.Tensor:
    """Keep the gradient where 0 < x < ceiling."""
    return torch.ops.aten.hardtanh_backward(gradient, x, 0.0, ceiling.item())


def _above(gradient: torch.Tensor, x: torch.Tensor, ceiling: torch.Tensor) -> torch.Tensor:
    """Keep the gradient where x >= ceiling, in one pass: where x is above the float below it."""
    below = torch.nextafter(ceiling, torch.zeros_like(ceiling)).item()
    return torch.ops.aten.threshold_backward(gradient, x, below)


def positive(raw: torch.Tensor) -> torch.Tensor:
    """Return log(1 + exp(raw)), which is above 0 whatever a step of training makes of raw.

    Learnt as they are, ceilings that start low can turn negative. Well above 1 the function is
    nearly raw itself, so that ceilings of the usual size move as in the papers.
    """
    return torch.nn.functional.softplus(raw)


def raw_of(ceiling: float) -> float:
    """Return what `positive` makes a ceiling of."""
    return ceiling + math.log(-math.expm1(-ceiling))
