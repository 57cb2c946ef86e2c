"""Stimuli: from preprocessed images to what the engines are fed."""

import numpy as np
from numpy.typing import NDArray

from thresher.errors import DataError, SimulationError
from thresher.ir.graph import Graph
from thresher.sim.contract import Stimulus
from thresher.sim.encoders import Encoder, IntensityEncoder
from thresher.sim.network import Floats, Network, Reals


class Stimuli:
    """Make the stimulus of each sample; draws depend on (seed, position) alone."""

    def __init__(
        self,
        graph: Graph,
        network: Network,
        encoder: Encoder,
        steps: int,
        ticks_per_step: int,
        seed: int,
    ) -> None:
        self._network = network
        self._encoder = encoder
        self._time = (steps, ticks_per_step)
        self._seed = seed
        self._threshold = graph.inputs[0].threshold
        self._current = np.concatenate([p.current for p in network.populations])

    def of(self, image: NDArray[np.floating], position: int) -> tuple[Stimulus, int]:
        """Return the stimulus of one preprocessed image, and how many pixels were clipped."""
        current = self._current.copy()
        offsets, populations = self._network.offsets, self._network.populations
        for rank, linear in self._network.analog:
            analog = linear.apply(image[None])[0].ravel()
            current[offsets[rank] : offsets[rank + 1]] += analog[populations[rank].row_major]
        rounded = self._round(current, position)
        encoder = self._encoder
        if not encoder.spikes or self._threshold is None:
            return Stimulus(rounded), 0
        if not isinstance(encoder, IntensityEncoder):
            raise TypeError(f"encoder '{encoder.name}' takes no images")
        intensity = image.ravel().astype(np.float64)[populations[0].row_major]
        rate = np.abs(intensity) / self._threshold
        rng = np.random.default_rng([self._seed, position])
        ticks, neurons = encoder.encode(np.minimum(rate, 1.0), *self._time, rng)
        signs = np.where(intensity < 0, -1, 1).astype(np.int8)[neurons]
        return Stimulus(rounded, ticks, neurons, signs), int((rate > 1).sum())

    def _round(self, current: Floats, position: int) -> Reals:
        """Round currents per step to the network's precision."""
        network = self._network
        if network.most_current is None:
            with np.errstate(over="ignore"):
                rounded = current.astype(network.dtype)
            if not np.isfinite(rounded).all():
                raise DataError(
                    f"image {position} drives a current beyond {network.dtype}; its pixels and "
                    "the weights are too large: scale them down, or take --precision float64"
                )
            return rounded
        whole = np.rint(current * network.scale)
        if not (np.abs(whole) <= network.most_current).all():
            raise DataError(
                f"image {position} drives a current with which a membrane of {network.dtype} may "
                "overflow: its pixels are far beyond those of the calibration. Scale them down, or "
                "take --precision float32"
            )
        return whole.astype(network.dtype)


def expect_threshold(graph: Graph, encoder: str) -> None:
    """Raise SimulationError where a spiking encoder does not know what one spike stands for."""
    item = graph.inputs[0]
    if item.threshold is None:
        raise SimulationError(
            f"encoder '{encoder}' needs the threshold of input '{item.name}', the largest |pixel| "
            "that a rate of one spike per step stands for; convert with calibration data, which "
            f"measures it, or write 'threshold:' beside the shape of '{item.name}' in the spec"
        )
