"""NIR out: networks in the neuromorphic intermediate representation."""

from thresher.export.nir.export import export_nir
from thresher.export.nir.profiles import PROFILES, UNTRIED

__all__ = ["PROFILES", "UNTRIED", "export_nir"]
