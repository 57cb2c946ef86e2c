"""Encoders: how images or events enter the network; importing this fills the registry."""

from thresher.sim.encoders.constant import Constant
from thresher.sim.encoders.encoder import ENCODERS, Encoder, IntensityEncoder, SpikeTimes
from thresher.sim.encoders.events import Events
from thresher.sim.encoders.poisson import Poisson
from thresher.sim.encoders.regular import Regular
from thresher.sim.encoders.ttfs import TimeToFirstSpike

__all__ = [
    "ENCODERS",
    "Constant",
    "Encoder",
    "Events",
    "IntensityEncoder",
    "Poisson",
    "Regular",
    "SpikeTimes",
    "TimeToFirstSpike",
]
