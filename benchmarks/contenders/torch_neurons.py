"""Integrate-and-fire neurons, soft reset, threshold 1, of each PyTorch library."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

Tensor = torch.Tensor
Neuron = Callable[[Tensor], Tensor]
NORSE_SCALE = 2.0**30


@dataclass(frozen=True)
class Library:
    """How to make a neuron, fresh for every batch; what it is fed is in `scale`."""

    make: Callable[[], Neuron]
    scale: float = 1.0
    time_axis: int = 0


class PlainNeuron:
    """The loop that one writes by hand: three operations, in place."""

    def __init__(self) -> None:
        self.v: Tensor | None = None

    def __call__(self, current: Tensor) -> Tensor:
        self.v = current.clone() if self.v is None else self.v.add_(current)
        spikes = (self.v >= 1.0).to(self.v.dtype)
        self.v.sub_(spikes)
        return spikes


def plain_layer() -> Neuron:
    """The same over all steps of a layer (steps, batch, ...)."""

    def run(currents: Tensor) -> Tensor:
        neuron = PlainNeuron()
        return torch.stack([neuron(current) for current in currents])

    return run


def spikingjelly(step_mode: str) -> Neuron:
    """`IFNode`, "s" called at each step, "m" for all; v_reset None is the soft reset."""
    from spikingjelly.activation_based.neuron import IFNode

    return _module(IFNode(v_threshold=1.0, v_reset=None, step_mode=step_mode))


def sinabs() -> Neuron:
    """`IAF`, at most one spike a step; inputs are (batch, steps, ...)."""
    from sinabs.activation import SingleSpike
    from sinabs.layers import IAF

    return _module(IAF(spike_threshold=torch.tensor(1.0), spike_fn=SingleSpike))


def snntorch() -> Neuron:
    """`Leaky` that does not leak; it compares with > and subtracts at the next step."""
    from snntorch import Leaky

    neuron = Leaky(beta=1.0, threshold=1.0, reset_mechanism="subtract")
    state: list[Tensor] = []

    def step(current: Tensor) -> Tensor:
        spikes, membrane = neuron(current, *state)
        state[:] = [membrane]
        return spikes

    return step


def norse() -> Neuron:
    """`LIFBoxCell` with subtraction and a leak of 2^-30 a step, below float32's resolution.

    It has no neuron without leak and with soft reset; its input is divided by 2^30 in exchange.
    """
    from norse.torch import LIFBoxCell, LIFBoxFeedForwardState, LIFBoxParameters, reset_subtract

    parameters = LIFBoxParameters(
        tau_mem_inv=torch.as_tensor(1.0 / NORSE_SCALE), reset_method=reset_subtract
    )
    cell = LIFBoxCell(parameters, dt=1.0)
    state: list[Any] = []

    def step(current: Tensor) -> Tensor:
        before = state[0] if state else LIFBoxFeedForwardState(v=torch.zeros_like(current))
        spikes, after = cell(current, before)
        state[:] = [after]
        return spikes

    return step


def _module(module: torch.nn.Module) -> Neuron:
    neuron: Neuron = module.eval()
    return neuron


NEURONS = {
    "pytorch": Library(PlainNeuron),
    "pytorch-layers": Library(plain_layer),
    "spikingjelly": Library(partial(spikingjelly, "s")),
    "spikingjelly-layers": Library(partial(spikingjelly, "m")),
    "sinabs": Library(sinabs, time_axis=1),
    "snntorch": Library(snntorch),
    "norse": Library(norse, scale=NORSE_SCALE),
}
