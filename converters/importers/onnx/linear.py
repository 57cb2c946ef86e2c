"""ONNX's matrix products."""

from typing import Any

import numpy as np

from thresher.converters.importers import placed
from thresher.converters.importers.layout import Placed
from thresher.converters.importers.onnx.handlers import HANDLERS
from thresher.converters.importers.onnx.walk import Here
from thresher.errors import GraphError
from thresher.ir import Tensor


@HANDLERS.of("Gemm")
def _gemm(here: Here) -> Placed:
    """Compute alpha * x @ weight + beta * bias."""
    if here.get("transA", 0):
        raise GraphError("transposes its input; expected (N, features)")
    alpha, beta = np.float32(here.get("alpha", 1.0)), np.float32(here.get("beta", 1.0))
    weight = here.constant(1)
    if here.get("transB", 0) and alpha == 1:
        tensor = here.tensor(1)
    else:
        ours = weight if here.get("transB", 0) else weight.T
        tensor = here.b.tensor(f"{here.name}.weight", ours if alpha == 1 else ours * alpha)
    bias = _row(here, 2, tensor.shape[0], beta) if here.has(2) and beta != 0 else None
    return placed.linear(here.b, here.name, here.placed(), tensor, bias)


@HANDLERS.of("MatMul")
def _matrix_product(here: Here) -> Placed:
    """Multiply by a constant (in, out), or by values."""
    x = here.placed()
    if not here.is_constant(1):
        return placed.matrix_product(here.b, here.name, x, here.placed(1))
    weight = here.constant(1)
    if weight.ndim != 2:
        raise GraphError(f"multiplies by {list(weight.shape)}; expected a constant (in, out)")
    tensor = here.b.tensor(f"{here.name}.weight", weight.T)
    return placed.linear(here.b, here.name, x, tensor, None)


def _row(here: Here, place: int, n: int, factor: Any) -> Tensor:
    """Return a constant that broadcasts over (N, n) as a bias (n,)."""
    values = here.constant(place)
    if values.shape == (n,) and factor == 1:
        return here.tensor(place)
    if values.ndim == 2 and values.shape[0] != 1:
        raise GraphError(f"its bias is {list(values.shape)}, another for each sample")
    row = np.broadcast_to(values.reshape(values.shape[-1:]), (n,))
    return here.b.tensor(f"{here.name}.bias", row * factor)
