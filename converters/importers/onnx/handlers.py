"""The registry of ONNX's operators that become nodes."""

from thresher.converters.importers.handlers import Handlers
from thresher.converters.importers.onnx.walk import Handler

HANDLERS: Handlers[Handler] = Handlers("operator of ONNX")
