"""Source: the text of the C file, from a layout."""

import re
from dataclasses import dataclass
from importlib.resources import files
from math import prod

import numpy as np

from thresher.export.c99.constants import Constants, real
from thresher.export.c99.layout import BLOCK, Layout
from thresher.export.c99.state import fields_of, nbytes_of, struct_of
from thresher.export.c99.structs import Structs
from thresher.ir.graph import Graph
from thresher.ir.node import Preprocess
from thresher.sim.recording import tensors_sha256
from thresher.version import package_version

PARTS = ("tables.h", "neurons.h", "delivery.h", "image.h", "run.h")
"""What follows the head, the same for every network; the tables stand in the first."""
SETTLING = """
   or, for what it says once nothing is pending, decision = {prefix}_settle() in place of the loop.
"""


@dataclass(frozen=True)
class Source:
    """The file's text, and what it takes: bytes of memory in each schedule, and of constants."""

    text: str
    prefix: str
    lockstep_bytes: int
    async_bytes: int
    constant_bytes: int


def write(graph: Graph, layout: Layout, *, event_driven: bool) -> Source:
    """Write a layout as one C99 file; `event_driven` says which schedule is its default."""
    prefix, network = identifier(graph.name), layout.network
    constants = Constants(prefix)
    membrane = network.dtype
    narrow = all(np.abs(link.weights.astype(int)).max(initial=0) < 2**7 for link in layout.links)
    weight = np.dtype(np.int8 if narrow else np.int16)
    largest = max(prod(graph.inputs[0].shape), *(p.size for p in network.populations))
    index = np.dtype(np.uint16 if largest <= 2**16 else np.uint32)
    single = all((f.weights.astype(np.float32) == f.weights).all() for f in layout.feeds)
    types = {
        "membrane": (f"{prefix}_membrane", membrane),
        "weight": (f"{prefix}_weight", weight),
        "index": (f"{prefix}_index", index),
        "count": ("uint32_t", np.dtype(np.uint32)),
        "place": ("int32_t", np.dtype(np.int32)),
        "real": (f"{prefix}_real", np.dtype(np.float32 if single else np.float64)),
        "double": ("double", np.dtype(np.float64)),
    }
    ctypes = {kind: f"{dtype.name}_t" for kind, (_, dtype) in types.items()}
    pixel = _pixel(graph.inputs[0].preprocess, constants)
    structs = Structs(layout, constants, types).text()
    fields = fields_of(layout, ctypes["membrane"], ctypes["index"])
    lockstep, event = (nbytes_of(fields, asynchronous=ticks) for ticks in (False, True))
    values = _settings(graph, layout) | {
        "ASYNC_DEFAULT": str(int(event_driven)),
        "SCHEDULE": "the event-driven" if event_driven else "the lockstep",
        "LOCKSTEP_BYTES": str(lockstep),
        "ASYNC_BYTES": str(event),
        "CONSTANT_BYTES": str(constants.nbytes),
        "SETTLING": SETTLING.format(prefix=prefix) if layout.timing.settle_limit else "",
        "PIXEL": pixel,
        "MEMBRANE": ctypes["membrane"],
        "WEIGHT": ctypes["weight"],
        "INDEX": ctypes["index"],
        "REAL": "float" if single else "double",
    }
    head, run = _template("head.h", prefix), "\n".join(_template(n, prefix) for n in PARTS)
    upper = prefix.upper()
    head = re.sub(r"@([A-Z0-9_]+)@", lambda match: values[match.group(1)], head)
    struct = struct_of(fields, f"{prefix}_state", f"{upper}_ASYNC")
    tables = [*struct, "", constants.text, "", *structs, ""]
    text = head + run.replace(f"{upper}_DATA\n", "\n".join(tables), 1)
    return Source(text, prefix, lockstep, event, constants.nbytes)


def identifier(name: str) -> str:
    """Return a network's name as C takes it, in lower case."""
    found = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "network"
    return found if found[0].isalpha() else f"net_{found}"


def plain(text: str) -> str:
    """Return a name such that it can stand in a comment."""
    return re.sub(r"[^A-Za-z0-9_.+-]", "_", text)


def _settings(graph: Graph, layout: Layout) -> dict[str, str]:
    """Return what stands in the head, by the name of its place."""
    network, timing, shape = layout.network, layout.timing, graph.inputs[0].shape
    output = network.populations[-1]
    populations = "\n".join(
        f"     {p.rank:3}  {plain(p.name):24} {p.size:9} neurons {list(p.shape)}"
        for p in network.populations
    )
    scale = real(float(network.scale[-1]))
    potentials = f"potentials, which divided by\n   {scale} and by the steps since then are logits"
    names = "".join(f" {n} {plain(label)}" for n, label in enumerate(graph.labels))
    return {
        "NAME": plain(graph.name),
        "VERSION": package_version(),
        "SHA256": tensors_sha256(graph),
        "SHAPE": str(list(shape)),
        "POPULATIONS": populations,
        "LABELS": f"\n   Classes:{names}" if names else "",
        "N_PIXELS": str(prod(shape)),
        "N_CHANNELS": str(shape[0]),
        "N_CLASSES": str(output.size),
        "N_POPULATIONS": str(len(network.populations)),
        "N_FEEDS": str(len(layout.feeds)),
        "FED_OUTPUT": str(int(layout.feeds_output)),
        "STEPS": str(timing.steps),
        "START": str(network.readout.t_start),
        "SETTLE": str(timing.settle_limit),
        "GRADED": str(int(layout.graded)),
        "TICKS": str(timing.ticks_per_step),
        "REFRACTORY": str(timing.refractory),
        "MARKS": str(layout.longest_delay + 1),
        "BLOCK": str(BLOCK),
        "OUTPUT": "spike counts" if output.fires else potentials,
    }


def _pixel(preprocess: Preprocess | None, constants: Constants) -> str:
    """Return how a stored pixel becomes what the network was trained on, in float."""
    if preprocess is None:
        return "(pixel)"
    terms = []
    for values in (preprocess.mean, preprocess.std):
        numbers = np.array(values, np.float32)
        alike = len(set(values)) == 1
        number = f"{real(float(numbers[0]))}f"
        terms.append(number if alike else f"{constants.add('float', numbers)}[channel]")
    divide = real(float(np.float32(preprocess.divide)))
    return f"(((pixel) / {divide}f - {terms[0]}) / {terms[1]})"


def _template(name: str, prefix: str) -> str:
    text = files("thresher.export.c99").joinpath(name).read_text("utf-8")
    text = re.sub(r"\bnet_", f"{prefix}_", text)
    return re.sub(r"\bNET_", f"{prefix.upper()}_", text)
