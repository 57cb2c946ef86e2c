"""`export_c`: from a quantized graph to a C99 file."""

from pathlib import Path

from thresher.export.c99.layout import Layout, Timing
from thresher.export.c99.source import write
from thresher.export.exporter import EXPORTERS, Exporter
from thresher.files import replacing
from thresher.ir.graph import Graph
from thresher.sim import options as checks
from thresher.sim.compile import expect_converted


def export_c(
    graph: Graph,
    path: str | Path,
    *,
    steps: int | None = None,
    schedule: str = "lockstep",
    ticks_per_step: int | None = None,
    refractory: int | None = None,
    delay: int | None = None,
    settle: bool = False,
    settle_limit: int | None = None,
) -> tuple[str, ...]:
    """Write a network of precision `int` as one C99 file, and return what is to be told of it.

    The file holds the lockstep and the event-driven (async, individual arrivals) schedule; a macro
    chooses. Compiled by any C99 compiler it fires the spikes that `simulate(..., precision="int")`
    does, as long as no current is within float64's rounding of half a unit.

    Parameters
    ----------
    graph : Graph
        Converted, with scales from the pass 'quantize' (recipes 'int8' and 'exact-int8'); its
        neurons integrate without leak.
    steps : int, optional
        The most steps that a run may take; by default those of the conversion. A bound of the net
        count that nothing else says is as many.
    schedule : {"lockstep", "async"}
        The one that the file runs unless told otherwise.
    ticks_per_step, refractory, delay : int, optional
        As `simulate` takes them. `delay` counts steps in lockstep.
    settle, settle_limit : optional
        Whether the file has a function that goes on until nothing is pending, and at most so many
        steps, as `simulate` takes them.

    Raises
    ------
    SimulationError
        Where the graph is not converted or quantized, or needs what the file does not have.
    """
    checks.choice("schedule", schedule, ("lockstep", "async"))
    ticks, rest, _, delay_ticks = checks.timing("async", ticks_per_step, refractory, None, delay)
    expect_converted(graph)
    n_steps = checks.steps_of(graph, steps)
    limit = checks.settling(graph, settle, settle_limit, n_steps, ticks)
    checks.expect_duration(n_steps + limit, ticks)
    layout = Layout.of(graph, Timing(n_steps, ticks, rest, delay_ticks, limit))
    source = write(graph, layout, event_driven=schedule == "async")
    with replacing(path) as temporary:
        temporary.write_text(source.text, encoding="ascii")
    functions = ("start", "step", *(("settle",) if limit else ()), "outputs")
    return (
        "functions " + ", ".join(f"{source.prefix}_{name}" for name in functions),
        f"static memory {source.lockstep_bytes:,} bytes in lockstep, {source.async_bytes:,} "
        f"event-driven; {source.constant_bytes:,} bytes of constants",
    )


TIMING = frozenset(
    {"steps", "schedule", "ticks_per_step", "refractory", "delay", "settle", "settle_limit"}
)
EXPORTERS.register("c", Exporter(".c", export_c, TIMING))
