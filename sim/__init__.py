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
from thresher.sim.stored_trace import export_trace
from thresher.sim.suggestion import Suggestion, suggest_options
from thresher.sim.trace import Trace, load_trace
from thresher.sim.trace_formats import TRACE_FORMATS

__all__ = [
    "ENCODERS",
    "ENGINES",
    "NEURONS",
    "TRACE_FORMATS",
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
    "export_trace",
    "load_trace",
    "simulate",
    "suggest_options",
]
