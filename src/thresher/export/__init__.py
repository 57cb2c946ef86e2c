"""Networks out: converted graphs as files that others run; importing this fills the registry."""

from thresher.export.c99 import export_c
from thresher.export.exporter import EXPORTERS, Exporter
from thresher.export.nir import PROFILES, UNTRIED, export_nir
from thresher.export.pytorch import export_torch

__all__ = ["EXPORTERS", "PROFILES", "UNTRIED", "Exporter", "export_c", "export_nir", "export_torch"]
