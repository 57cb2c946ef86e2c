"""Peers on PyTorch: the workload's layers in torch, the neurons by each library.

All are clock-driven and differ in their neurons only. The input is constant, so that its
convolution is computed once. "Step by step" takes every layer at step 1, then at step 2; "layer by
layer" takes a layer over all steps, with the steps joined to the batch for its weights, before the
next. Between feed-forward layers without delay both give the same spikes.
"""

import os
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from benchmarks.common import STEPS, Workload
from benchmarks.contenders.contender import Run
from benchmarks.contenders.torch_neurons import NEURONS

Tensor = torch.Tensor


class Layers:
    """The weights of the workload's four layers, and what lies between the populations.

    `scale`, a power of two, multiplies what a neuron receives: Norse's neuron divides by it.
    """

    def __init__(self, workload: Workload, scale: float = 1.0) -> None:
        def tensor(node: str, name: str) -> Tensor:
            values = workload.graph[node].op.tensors[name].values
            return torch.from_numpy(np.array(values, np.float32))

        names = ("conv1", "conv2", "fc1", "fc2")
        self.weight = {name: tensor(name, "weight") * scale for name in names}
        self.bias = {name: tensor(name, "bias") * scale for name in names}

    def into_first(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight["conv1"], self.bias["conv1"], padding=1)

    def into_second(self, spikes: Tensor) -> Tensor:
        pooled = functional.avg_pool2d(spikes, 2)
        return functional.conv2d(pooled, self.weight["conv2"], self.bias["conv2"], padding=1)

    def into_third(self, spikes: Tensor) -> Tensor:
        pooled = functional.avg_pool2d(spikes, 2).flatten(1)
        return functional.linear(pooled, self.weight["fc1"], self.bias["fc1"])

    def into_readout(self, spikes: Tensor) -> Tensor:
        return functional.linear(spikes, self.weight["fc2"], self.bias["fc2"])


class Tally:
    """Counts spikes in the untimed run; the timed ones are spared it."""

    def __init__(self) -> None:
        self.counting = True
        self.spikes = 0

    def add(self, spikes: Tensor) -> Tensor:
        if self.counting:
            self.spikes += int(spikes.sum(dtype=torch.float64))
        return spikes


Pass = Callable[[Tensor, Tally], Tensor]


def step_by_step(workload: Workload, name: str, batch: int) -> Run:
    """Prepare a loop over steps: three neurons of the library, called at each."""
    library = NEURONS[name]
    layers = Layers(workload, library.scale)

    def forward(x: Tensor, tally: Tally) -> Tensor:
        first, second, third = (library.make() for _ in range(3))
        current = layers.into_first(x)
        logits = torch.zeros(len(x), 10)
        for _ in range(STEPS):
            spikes = tally.add(first(current))
            spikes = tally.add(second(layers.into_second(spikes)))
            spikes = tally.add(third(layers.into_third(spikes)))
            logits += layers.into_readout(spikes)
        return logits

    return _timed(workload, forward, batch)


def layer_by_layer(workload: Workload, name: str, batch: int) -> Run:
    """Prepare a pass over layers: a neuron of the library sees all steps in one call."""
    library = NEURONS[name]
    layers = Layers(workload, library.scale)
    axis = library.time_axis

    def weigh(layer: Callable[[Tensor], Tensor], spikes: Tensor) -> Tensor:
        return layer(spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2])

    def forward(x: Tensor, tally: Tally) -> Tensor:
        first, second, third = (library.make() for _ in range(3))
        current = layers.into_first(x).unsqueeze(axis)
        spikes = tally.add(first(current.repeat_interleave(STEPS, axis)))
        spikes = tally.add(second(weigh(layers.into_second, spikes)))
        spikes = tally.add(third(weigh(layers.into_third, spikes)))
        return weigh(layers.into_readout, spikes).sum(axis)

    return _timed(workload, forward, batch)


def _timed(workload: Workload, forward: Pass, batch: int) -> Run:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    batches = torch.from_numpy(workload.images).split(batch)
    tally = Tally()

    @torch.no_grad()
    def run() -> tuple[float, int]:
        started = time.perf_counter()
        for x in batches:
            forward(x, tally)
        return time.perf_counter() - started, tally.spikes

    run()
    tally.counting = False
    return run
