"""Decision: what the readout says at every tick, and since when."""

import numpy as np
from numpy.typing import NDArray

from thresher.sim.contract import NEVER, Options
from thresher.sim.network import Network, Reals


def first_decision(network: Network, options: Options) -> int:
    """Return the tick from which the readout decides without a spike: the image reaches it."""
    output = network.populations[-1]
    if output.fires or all(rank != output.rank for rank, _ in network.analog):
        return NEVER
    return network.readout.t_start * options.ticks_per_step + 1


class Decision:
    """Follow the output's potentials (membrane) or spike counts (spikes) through a run.

    Logits at tick k are psp (y(k) - y(k_start)) / scale / (t - t_start) with t = k / R, where psp
    is a population's (theta, mostly) for a count and 1 for a potential. The class is that of the
    largest y(k) - y(k_start), which needs no rounding where potentials are whole; ties go to the
    lower one. Evidence is a spike that reaches the output (membrane) or leaves it (spikes) after
    `t_start`; a readout that the analog input reaches has it at once. In a run that settles t stops
    at T, and one more prediction is the last.
    """

    def __init__(self, network: Network, options: Options) -> None:
        output = network.populations[-1]
        self._ticks_per_step = options.ticks_per_step
        self._start = network.readout.t_start * options.ticks_per_step
        self._confidence = options.confidence
        self._psp = output.psp if output.fires else 1.0
        self._scale = network.scale[network.offsets[output.rank] :]
        self._base: NDArray[np.float64] = np.zeros(output.size)
        self._class = NEVER
        self._ticks = options.ticks
        self.predictions = np.full(options.steps + options.settles, NEVER, np.int64)
        self.settled = self.confident = NEVER
        self.first_evidence = first_decision(network, options)

    def saw_evidence(self, tick: int) -> None:
        """Note that a spike reached (or left) the output."""
        if self.first_evidence == NEVER and tick > self._start:
            self.first_evidence = tick

    def observe(self, tick: int, output: Reals) -> None:
        """Take the output's potentials or counts after everything that happened at a tick."""
        values = output.astype(np.float64)
        if tick == self._start:
            self._base = values
        if self.first_evidence != NEVER and tick >= self.first_evidence:
            self._decide(tick, values - self._base)
        step, within = divmod(tick, self._ticks_per_step)
        if tick > self._ticks:
            self.predictions[-1] = self._class
        elif not within:
            self.predictions[step - 1 :] = self._class

    def _decide(self, tick: int, values: NDArray[np.float64]) -> None:
        chosen = int(np.argmax(values))
        if chosen != self._class:
            self._class, self.settled = chosen, tick
        if self.confident == NEVER:
            weighed = values * self._psp / self._scale
            elapsed = min(tick, self._ticks) - self._start
            logits = weighed / (elapsed / self._ticks_per_step)
            raised = np.exp(logits - logits.max())
            best = np.sort(raised / raised.sum())[::-1]
            if best[0] - (best[1] if len(best) > 1 else 0.0) >= self._confidence:
                self.confident = tick
