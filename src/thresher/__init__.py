"""Convert trained neural networks to spiking ones and simulate them spike by spike."""

__version__ = "0.1.0"

from thresher.errors import (
    DataError,
    GraphError,
    MissingExtraError,
    PassError,
    SimulationError,
    SpecError,
    ThresherError,
)
from thresher.ir import Graph, Node, Spiking, Tensor, evaluate

__all__ = [
    "DataError",
    "Graph",
    "GraphError",
    "MissingExtraError",
    "Node",
    "PassError",
    "SimulationError",
    "SpecError",
    "Spiking",
    "Tensor",
    "ThresherError",
    "__version__",
    "evaluate",
]
