"""Importers of models of other tools; importing this fills the registry."""

from thresher.converters.importers.importer import IMPORTERS, Importer, import_model
from thresher.converters.importers.torch import import_torch, import_torch_archive

IMPORTERS.register(".pt2", import_torch_archive)

__all__ = ["IMPORTERS", "Importer", "import_model", "import_torch"]
