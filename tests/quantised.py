"""The quantised ANN that a spiking network stands for, computed without the simulator."""

import numpy as np
from numpy.typing import NDArray

from thresher.ir import Graph
from thresher.ir.spiking import spread

Floats = NDArray[np.float64]


def quantised_ann(graph: Graph, image: NDArray[np.floating], steps: int) -> dict[str, Floats]:
    """Evaluate T times the quantised ANN, node by node: every value is then exact.

    An op without neurons is affine, so T f(x) = f(T x) + (T - 1) f(0); so is the T of a maximum.
    Time-coded neurons divide theta by 2^T (few_spikes, K = T bits), T (ttfs) or T - 1 (two_spike).
    """
    values = {graph.inputs[0].name: steps * image.astype(np.float64)[None]}
    for node in graph:
        x = [values[name] for name in node.inputs]
        if node.spiking is None:
            bias = node.op.evaluate(*(np.zeros_like(part) for part in x))
            values[node.name] = node.op.evaluate(*x) + (steps - 1) * bias
            continue
        shape = graph.shapes[node.name]
        theta, v_init, shift = (
            spread(value, shape)
            for value in (node.spiking.threshold, node.spiking.v_init, node.spiking.shift)
        )
        unit, most = theta, node.spiking.levels or steps
        if node.spiking.neuron == "few_spikes":
            unit, most = theta * steps / 2**steps, 2**steps - 1
        elif node.spiking.neuron == "two_spike":
            unit, most = theta * (steps / (steps - 1)), steps - 1
        level = np.floor((x[0] + steps * shift + v_init) / unit)
        values[node.name] = unit * np.clip(level, 0, most)
    return {name: value[0] for name, value in values.items()}
