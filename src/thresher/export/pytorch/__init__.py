"""PyTorch out: a network as one module that needs PyTorch alone."""

from thresher.export.pytorch.export import export_torch

__all__ = ["export_torch"]
