"""The network that training starts from: its activations and pools, as the settings ask."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thresher.converters.calibrate import histograms, maxima, percentile
from thresher.errors import GraphError
from thresher.ir import Graph, Node, Op
from thresher.ir.ops import Activation, AvgPool2d, ClippedRelu, MaxPool2d, Qcfs, Relu, SlipRelu
from thresher.training.settings import LEVELS, SLOPE, TrainingSettings

Array = NDArray[np.generic]

TRAINED = (Relu, ClippedRelu, Qcfs, SlipRelu)


def prepared(graph: Graph, settings: TrainingSettings, images: Array) -> Graph:
    """Return the graph whose activations and pools are those that are trained.

    A node's ceiling is the one that it has, or a percentile of its nonzero values over the raw
    `images`, so that training starts where the network is; 1 where none is positive.

    Raises
    ------
    GraphError
        Where a max pool that has to be replaced is dilated.
    """
    if settings.replace_max_pool:
        graph = _with_ops(
            graph,
            {
                node.name: _average(node.name, node.op)
                for node in graph
                if isinstance(node.op, MaxPool2d)
            },
        )
    nodes = [node for node in graph if isinstance(node.op, TRAINED)]
    if settings.activation == "relu":
        return _with_ops(graph, {node.name: Relu() for node in nodes})
    ceilings = _ceilings(graph, nodes, settings.percent, images)
    return _with_ops(
        graph, {node.name: _activation(node.op, ceilings[node.name], settings) for node in nodes}
    )


def _ceilings(
    graph: Graph, nodes: list[Node], percent: float, images: Array
) -> Mapping[str, float]:
    own = {node.name: node.op.ceiling for node in nodes if isinstance(node.op, Activation)}
    highest = maxima(graph, {name for name, found in own.items() if found is None}, images)
    tops = {name: top.max(keepdims=True) for name, top in highest.items()}
    fitted = {
        name: float(percentile(histogram, percent, "nonzero")[0]) or 1.0
        for name, histogram in histograms(graph, tops, images).items()
    }
    return {name: fitted[name] if found is None else found for name, found in own.items()}


def _activation(op: Op, ceiling: float, settings: TrainingSettings) -> Op:
    if settings.activation == "threshold_relu":
        return ClippedRelu(max=ceiling)
    own = op.levels if isinstance(op, (Qcfs, SlipRelu)) else LEVELS
    levels = settings.levels or own
    if settings.activation == "qcfs":
        return Qcfs(levels=levels, max=ceiling)
    slope = op.slope if isinstance(op, SlipRelu) else SLOPE
    return SlipRelu(levels, ceiling, slope if settings.slope is None else settings.slope)


def _average(name: str, op: MaxPool2d) -> Op:
    if op.dilation != (1, 1):
        raise GraphError(
            f"node '{name}' (max_pool2d): no average pool is dilated; expected dilation 1 "
            "where max pools are replaced"
        )
    return AvgPool2d(
        kernel=op.kernel, stride=op.stride, padding=op.padding, count_include_pad=False
    )


def _with_ops(graph: Graph, ops: Mapping[str, Op]) -> Graph:
    return graph.replace_all({name: replace(graph[name], op=op) for name, op in ops.items()})
