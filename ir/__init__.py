"""The graph IR: what a network is, as a value; its files; its dense evaluation."""

import thresher.ir.ops as ops
from thresher.ir.evaluate import evaluate
from thresher.ir.graph import Graph
from thresher.ir.node import Input, Node, Preprocess, Probe, Readout, Synapses
from thresher.ir.op import OPS, Op
from thresher.ir.schema import schema
from thresher.ir.spec import load, save
from thresher.ir.spiking import Spiking
from thresher.ir.tensor import Tensor

__all__ = [
    "OPS",
    "Graph",
    "Input",
    "Node",
    "Op",
    "Preprocess",
    "Probe",
    "Readout",
    "Spiking",
    "Synapses",
    "Tensor",
    "evaluate",
    "load",
    "ops",
    "save",
    "schema",
]
