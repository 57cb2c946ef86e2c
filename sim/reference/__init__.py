"""The reference engine: semantics in pure Python and numpy, written to be read."""

from thresher.sim.reference.engine import ReferenceEngine

__all__ = ["ReferenceEngine"]
