"""The registry of ATen's operators that become nodes."""

from thresher.converters.importers.aten.walk import Handler
from thresher.converters.importers.handlers import Handlers

HANDLERS: Handlers[Handler] = Handlers("operator of ATen")
