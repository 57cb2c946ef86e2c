"""`export_nir`: from a converted graph to a NIR file."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from thresher.errors import MissingExtraError, SimulationError
from thresher.export.exporter import EXPORTERS, Exporter
from thresher.export.nir.build import Builder
from thresher.export.nir.profiles import profile_of
from thresher.export.nir.terms import Piece, Terms
from thresher.files import replacing
from thresher.ir.graph import Graph
from thresher.sim import compile_graph
from thresher.version import package_version


def export_nir(graph: Graph, path: str | Path, *, profile: str | None = None) -> tuple[str, ...]:
    """Write a converted network as a NIR file, and return what to tell of it, by line.

    A spike is 1 in NIR, so weights take the thresholds of what they read in. The file holds Conv1d,
    Conv2d, Affine, AvgPool2d or SumPool2d, Flatten (from axis 0: there is no batch axis), IF with
    parameters of the population's shape, and Scale where nothing else can bring a factor; a sum is
    several edges that lead to one node; convolutions have no groups. Each IF's metadata say `reset`
    and, where it is not 0, `v_init`; the input's `preprocess_divide`, `_mean` and `_std`.

    Parameters
    ----------
    graph : Graph
        Converted, of neurons 'if'.
    profile : str, optional
        The tool that is to read the file: 'sinabs', 'snntorch', 'norse' or 'spikingjelly'. Other
        nodes are then written, such that its reader builds the network that the graph is.

    Raises
    ------
    SimulationError
        Where the graph cannot be said in NIR, or the tool would not read it as it is.
    MissingExtraError
        Where the package `nir` is not installed.
    """
    chosen = profile_of(profile)
    try:
        import nir
    except ImportError as error:
        raise MissingExtraError("nir", "nir", "writing a NIR file") from error
    compile_graph(graph)  # refuses what no simulation runs, with the reason
    if graph.probe is not None:
        raise SimulationError(
            f"graph '{graph.name}' probes each sample before it runs, which NIR cannot say; "
            "convert with another recipe"
        )
    builder = Builder(graph, chosen, profile or "NIR")
    terms = builder.build()
    metadata = {"name": graph.name, "written_by": f"thresher {package_version()}"}
    written = nir.NIRGraph(_nodes(terms, nir), terms.edges, metadata=metadata)
    with replacing(path) as temporary:
        nir.write(temporary, written)
        if chosen.version:
            _without_v_reset(temporary, list(terms.pieces), chosen.version)
    _warn(builder, profile)
    return tuple(_told(graph, builder, profile))


def _without_v_reset(path: Path, names: list[str], version: str) -> None:
    """Leave v_reset out, as versions before 1.0.6 do, where IF resets by subtraction."""
    import h5py

    with h5py.File(path, "r+") as file:
        for name in names:
            node = file["node/nodes"][name]
            if "v_reset" in node:
                del node["v_reset"]
        file["version"][()] = version


def _nodes(terms: Terms, nir: Any) -> dict[str, Any]:
    return {name: _node(piece, nir) for name, piece in terms.pieces.items()}


def _node(piece: Piece, nir: Any) -> Any:
    fields = dict(piece.fields)
    shape = fields.pop("shape", None)
    if piece.kind == "Input":
        return nir.Input(input_type={"input": np.array(shape)}, metadata=piece.metadata)
    if piece.kind == "Output":
        return nir.Output(output_type={"output": np.array(shape)})
    if piece.kind == "Flatten":
        fields["input_type"] = {"input": np.array(shape)}
    for name in ("weight", "bias", "scale"):
        if name in fields:
            fields[name] = fields[name].astype(np.float32)
    return getattr(nir, piece.kind)(**fields, metadata=piece.metadata)


def _told(graph: Graph, builder: Builder, profile: str | None) -> list[str]:
    """Say what a user of the file has to see to."""
    told = ["give it the image in every step; spikes are 1"]
    if graph.inputs[0].preprocess is not None:
        told = [
            "NIR has no preprocessing: give it images that are preprocessed, in every step; how "
            "stands in the input's metadata, which thresher import reads"
        ]
    after = profile_of(profile).after
    if after:
        told += [f"with {profile}, load it like this:", *(f"    {line}" for line in after)]
    return told


def _warn(builder: Builder, profile: str | None) -> None:
    """Warn of what a reader of the file does not see where it goes by NIR alone."""
    if builder.soft and profile is None:
        warnings.warn(
            "soft reset stands in the metadata of the nodes alone ('reset'): NIR's IF resets to "
            "v_reset",
            stacklevel=3,
        )
    if builder.start_values:
        warnings.warn(
            f"initial potentials of {', '.join(builder.start_values)} stand in their metadata "
            "alone ('v_init'): NIR has none",
            stacklevel=3,
        )


EXPORTERS.register("nir", Exporter(".nir", export_nir, frozenset({"for"})))
