"""A graph as a PyTorch module: its tensors and ceilings are parameters, its nodes are run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from thresher.errors import GraphError
from thresher.ir import Graph, Node
from thresher.ir.evaluate import single_input_output
from thresher.ir.ops import BatchNorm, ClippedRelu, Qcfs, SlipRelu, Softmax
from thresher.training.devices import CPU
from thresher.training.functions import positive, raw_of
from thresher.training.layers import LAYERS, Layer, Mode

Array = NDArray[np.float32]

RUNNING = ("running_mean", "running_var")
TENSOR, CEILING = "tensor/", "ceiling/"
"""What the names of a module's state begin with."""


class GraphModule(nn.Module):
    """Compute what `thresher.evaluate` computes, from preprocessed inputs (N, *shape) in float32.

    Every tensor is a parameter, but for the running mean and variance of a batch norm, which are
    buffers; a tensor that several nodes share is one. The ceiling of an activation is
    `functions.positive` of a parameter of its own. `generator` is what dropouts draw from. All are
    on `device`.

    Raises
    ------
    GraphError
        Where the graph has several inputs or outputs, or an op that PyTorch has no part for here.
    """

    def __init__(self, graph: Graph, device: torch.device = CPU) -> None:
        super().__init__()
        single_input_output(graph)
        self.graph = graph
        self.generator = torch.Generator(device)
        self._layers = {node.name: _layer(node) for node in graph}
        running = {
            node.op.tensors[role].name
            for node in graph
            if isinstance(node.op, BatchNorm)
            for role in RUNNING
        }
        self._held: dict[str, str] = {}
        for number, (name, values) in enumerate(graph.tensors.items()):
            self._held[name] = f"tensor{number}"
            tensor = _laid_out(torch.from_numpy(np.array(values, np.float32)))
            if name in running:
                self.register_buffer(self._held[name], tensor)
            else:
                self.register_parameter(self._held[name], nn.Parameter(tensor))
        self._raw: dict[str, str] = {}
        for number, node in enumerate(graph):
            if isinstance(node.op, (ClippedRelu, Qcfs, SlipRelu)):
                self._raw[node.name] = f"ceiling{number}"
                raw = nn.Parameter(torch.tensor(raw_of(node.op.max), dtype=torch.float32))
                self.register_parameter(self._raw[node.name], raw)
        self.to(device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output node's values (N, *shape)."""
        return self._values(x, self.graph.outputs[0])

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output node's values, or its input's where it is a softmax."""
        output = self.graph[self.graph.outputs[0]]
        is_softmax = isinstance(output.op, Softmax)
        return self._values(x, output.inputs[0] if is_softmax else output.name)

    def ceilings(self) -> dict[str, torch.Tensor]:
        """Map nodes to their ceilings, scalars, differentiable."""
        return {node: positive(getattr(self, held)) for node, held in self._raw.items()}

    def state(self) -> dict[str, torch.Tensor]:
        """Map "tensor/NAME" and "ceiling/NODE" to what is held; the latter before `positive`."""
        tensors = {f"{TENSOR}{name}": getattr(self, held) for name, held in self._held.items()}
        return tensors | {
            f"{CEILING}{node}": getattr(self, held) for node, held in self._raw.items()
        }

    def written(self) -> tuple[dict[str, Array], dict[str, float]]:
        """Return the tensors by name, in C order, and the ceilings by node."""
        tensors = {
            name: np.array(getattr(self, held).detach().cpu().numpy(), order="C")
            for name, held in self._held.items()
        }
        return tensors, {node: ceiling.item() for node, ceiling in self.ceilings().items()}

    def _values(self, x: torch.Tensor, wanted: str) -> torch.Tensor:
        mode = Mode(self.training, self.generator)
        ceilings = self.ceilings()
        values: dict[str, torch.Tensor] = {self.graph.inputs[0].name: x}
        for node in self.graph:
            if wanted in values:
                break
            weights = self._weights(node, ceilings)
            inputs = tuple(values[name] for name in node.inputs)
            values[node.name] = self._layers[node.name](node.op, weights, inputs, mode)
        return values[wanted]

    def _weights(self, node: Node, ceilings: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        weights = {
            role: getattr(self, self._held[tensor.name]) for role, tensor in node.op.tensors.items()
        }
        return weights | ({"max": ceilings[node.name]} if node.name in ceilings else {})


def _layer(node: Node) -> Layer:
    if type(node.op) not in LAYERS:
        known = ", ".join(op.kind for op in LAYERS)
        raise GraphError(
            f"node '{node.name}' ({node.op.kind}) cannot be trained here; expected one of {known}"
        )
    return LAYERS[type(node.op)]


def _laid_out(tensor: torch.Tensor) -> torch.Tensor:
    """Lay kernels out channels last, as their images are."""
    if tensor.dim() != 4:
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)
