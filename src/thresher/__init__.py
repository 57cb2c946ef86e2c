"""Convert trained neural networks to spiking ones and simulate them spike by spike."""

__version__ = "0.1.0"

from thresher.conversion import convert
from thresher.converters import (
    Pass,
    Recipe,
    account,
    import_keras,
    import_model,
    import_nir,
    import_onnx,
    import_torch,
    load_recipe,
    with_weights,
)
from thresher.diagnosis import Diagnosis, diagnose
from thresher.errors import (
    DataError,
    GraphError,
    MissingExtraError,
    PassError,
    SimulationError,
    SpecError,
    ThresherError,
    TrainingError,
    UnsupportedError,
)
from thresher.export import export_c, export_nir, export_torch
from thresher.ir import Graph, Input, Node, Op, Spiking, Tensor, evaluate, load, save, schema
from thresher.search import Selection, convert_within, selection
from thresher.sim import Result, Trace, export_trace, load_trace, simulate
from thresher.training import Training, TrainingSettings, train

__all__ = [
    "DataError",
    "Diagnosis",
    "Graph",
    "GraphError",
    "Input",
    "MissingExtraError",
    "Node",
    "Op",
    "Pass",
    "PassError",
    "Recipe",
    "Result",
    "Selection",
    "SimulationError",
    "SpecError",
    "Spiking",
    "Tensor",
    "ThresherError",
    "Trace",
    "Training",
    "TrainingError",
    "TrainingSettings",
    "UnsupportedError",
    "__version__",
    "account",
    "convert",
    "convert_within",
    "diagnose",
    "evaluate",
    "export_c",
    "export_nir",
    "export_torch",
    "export_trace",
    "import_keras",
    "import_model",
    "import_nir",
    "import_onnx",
    "import_torch",
    "load",
    "load_recipe",
    "load_trace",
    "save",
    "schema",
    "selection",
    "simulate",
    "train",
    "with_weights",
]
