"""The simulator: from a converted graph to spikes, decisions and what they cost."""

from thresher.sim.compile import compile_graph
from thresher.sim.compiled import compiled_available
from thresher.sim.contract import ENGINES
from thresher.sim.encoders import ENCODERS
from thresher.sim.gathered import Progress
from thresher.sim.network import Network, Population, Projection
from thresher.sim.neurons import NEURONS
from thresher.sim.reference import ReferenceEngine
from thresher.sim.result import Latency, Result
from thresher.sim.simulate import simulate
from thresher.sim.suggestion import Suggestion, suggest_options
from thresher.sim.trace import Trace, load_trace

__all__ = [
    "ENCODERS",
    "ENGINES",
    "NEURONS",
    "Latency",
    "Network",
    "Population",
    "Progress",
    "Projection",
    "ReferenceEngine",
    "Result",
    "Suggestion",
    "Trace",
    "compile_graph",
    "compiled_available",
    "load_trace",
    "simulate",
    "suggest_options",
]
