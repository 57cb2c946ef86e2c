"""C out: a whole-number network as one C99 file that needs nothing beside it."""

from thresher.export.c99.export import export_c

__all__ = ["export_c"]
