"""`export_torch`: from a converted graph to a PyTorch module."""

from pathlib import Path

from thresher.errors import SimulationError
from thresher.export.exporter import EXPORTERS, Exporter
from thresher.export.pytorch.source import write
from thresher.files import replacing
from thresher.ir.graph import Graph
from thresher.ir.tensors import write_tensors
from thresher.sim import compile_graph
from thresher.sim import options as checks
from thresher.sim.compile import expect_converted


def export_torch(graph: Graph, path: str | Path, *, steps: int | None = None) -> tuple[str, ...]:
    """Write a converted network as a module that needs PyTorch alone; return what to tell of it.

    The module runs the lockstep schedule from the constant currents of an image, on batches. Where
    sums are exact in its precision it fires the spikes of `simulate`; elsewhere PyTorch may add in
    another order, and a potential within rounding of the threshold may fire a step earlier or
    later. The tensors stand beside it, in '<name>_tensors.safetensors'.

    Parameters
    ----------
    graph : Graph
        Converted, of neurons 'if' and 'signed_if'; max pools follow counts.
    steps : int, optional
        The steps that it runs unless told otherwise; by default those of the conversion.

    Raises
    ------
    SimulationError
        Where the graph is not converted, or has neurons that the module does not.
    """
    path = Path(path)
    expect_converted(graph)
    n_steps = checks.steps_of(graph, steps)
    compile_graph(graph)  # refuses what no simulation runs, with the reason
    if graph.probe is not None:
        raise SimulationError(
            f"graph '{graph.name}' probes each sample before it runs (method "
            f"'{graph.probe.method}'), which the module does not; convert with another recipe"
        )
    beside = path.with_name(f"{path.stem}_tensors.safetensors")
    if beside.exists() and not path.exists():
        raise SimulationError(
            f"'{beside}', which would be written beside '{path}', is there already without it; "
            "give another name"
        )
    source = write(graph, n_steps, beside.name)
    with replacing(beside) as tensors, replacing(path) as module:
        write_tensors(source.tensors, tensors)
        module.write_text(source.text, encoding="utf-8")
    return (f"class {source.class_name}, with its tensors in {beside}",)


EXPORTERS.register("torch", Exporter(".py", export_torch, frozenset({"steps"})))
