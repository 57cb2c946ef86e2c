"""fold-batch-norm: put batch norms into the weights before them."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thresher.converters.names import tensor_name
from thresher.converters.pass_ import Context, Pass, register_pass
from thresher.ir import Graph, Tensor
from thresher.ir.ops import BatchNorm, Convolution, ConvTranspose2d, Linear, Scale

Floats = NDArray[np.float64]
Weighted = Convolution | Linear


@register_pass
@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """Fold each batch norm into the convolution or linear layer that feeds it and nothing else.

    W' = W g and b' = (b - mean) g + beta with g = gamma / sqrt(var + eps), computed in float64 and
    stored in the weight's dtype. A batch norm that cannot be folded becomes a `scale` node.
    """

    name: ClassVar[str] = "fold-batch-norm"

    def apply(self, graph: Graph, context: Context) -> Graph:
        for node in context.walk(graph):
            if isinstance(node.op, BatchNorm):
                graph = _fold(graph, node.name, node.op, context)
        return graph


def _fold(graph: Graph, name: str, norm: BatchNorm, context: Context) -> Graph:
    gain, offset = norm.affine()
    shift = np.zeros_like(gain) if offset is None else offset
    (source,) = graph[name].inputs
    host = graph[source].op if source in graph else None
    obstacle = _obstacle(graph, name, source)
    if not isinstance(host, Weighted) or obstacle:
        context.note(name, "scale", obstacle)
        return graph.replace(name, op=_scale(graph, name, norm, gain, shift))
    context.note(name, f"folded into '{source}'", f"'{source}' feeds nothing else")
    context.note(source, host.kind, f"'{name}' is folded in")
    return graph.replace(source, op=_weighted(graph, source, host, gain, shift)).without(name)


def _obstacle(graph: Graph, name: str, source: str) -> str:
    """Say why a batch norm cannot be folded into its source; nothing where it can."""
    if source not in graph:
        return f"it reads the input '{source}'"
    if not isinstance(graph[source].op, Weighted):
        return f"{graph[source].op.kind} '{source}' before it has no weights by channel"
    if graph[source].spiking is not None:
        return f"'{source}' before it is a population"
    others = [f"'{reader}'" for reader in graph.consumers(source) if reader != name]
    others += ["the output"] if source in graph.outputs else []
    if others:
        return f"'{source}' also feeds {', '.join(others)}"
    return "it carries a delay of its own" if graph[name].delay is not None else ""


def _scale(graph: Graph, name: str, norm: BatchNorm, gain: Floats, shift: Floats) -> Scale:
    dtype = norm.running_mean.values.dtype
    return Scale(
        weight=Tensor(tensor_name(graph, name, "weight"), gain.astype(dtype)),
        bias=Tensor(tensor_name(graph, name, "bias"), shift.astype(dtype)),
    )


def _weighted(graph: Graph, name: str, host: Weighted, gain: Floats, shift: Floats) -> Weighted:
    weight = host.weight.values
    bias = shift if host.bias is None else host.bias.values * gain + shift
    folded = (weight * _over_weight(host, gain)).astype(weight.dtype)
    return replace(
        host,
        weight=Tensor(tensor_name(graph, name, "weight"), folded),
        bias=Tensor(tensor_name(graph, name, "bias"), bias.astype(weight.dtype)),
    )


def _over_weight(host: Weighted, gain: Floats) -> Floats:
    """Shape the output channels' gain (out,) so that it multiplies the weight."""
    shape = host.weight.shape
    if not isinstance(host, ConvTranspose2d):
        return gain.reshape(-1, *[1] * (len(shape) - 1))
    # The weight is (in, out/groups, kh, kw): group g of the inputs makes group g of the outputs.
    per_input = np.repeat(gain.reshape(host.groups, -1), shape[0] // host.groups, axis=0)
    return per_input[:, :, None, None]
