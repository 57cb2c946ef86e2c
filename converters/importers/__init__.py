"""Importers of models of other tools; importing this fills the registry."""

from thresher.converters.importers.importer import IMPORTERS, Importer, import_model
from thresher.converters.importers.keras import import_keras
from thresher.converters.importers.nir import import_nir, import_nir_file
from thresher.converters.importers.onnx import import_onnx
from thresher.converters.importers.state_dict import WEIGHTS, with_weights
from thresher.converters.importers.torch import import_torch, import_torch_archive

IMPORTERS.register(".pt2", import_torch_archive)
IMPORTERS.register(".onnx", import_onnx)
IMPORTERS.register(".nir", import_nir_file)
for suffix in (".keras", ".h5", ".hdf5"):
    IMPORTERS.register(suffix, import_keras)

__all__ = [
    "IMPORTERS",
    "WEIGHTS",
    "Importer",
    "import_keras",
    "import_model",
    "import_nir",
    "import_onnx",
    "import_torch",
    "with_weights",
]
