"""Encoders: how an image enters the network; importing this fills the registry."""

from thresher.sim.encoders.constant import Constant
from thresher.sim.encoders.encoder import ENCODERS, Encoder, SpikeTimes
from thresher.sim.encoders.poisson import Poisson
from thresher.sim.encoders.regular import Regular

__all__ = ["ENCODERS", "Constant", "Encoder", "Poisson", "Regular", "SpikeTimes"]
