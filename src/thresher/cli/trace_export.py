"""The options of `thresher export TRACE`, and the trace in another format."""

from pathlib import Path
from typing import Annotated, Any

import typer

from thresher import sim
from thresher.cli import options
from thresher.cli.paths import check_output
from thresher.sim.trace_formats import trace_suffixes

Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="|".join(sim.TRACE_FORMATS),
        parser=options.one_of(sim.TRACE_FORMATS.names()),
        help=f"Of a trace; by default what the suffix stands for ({', '.join(trace_suffixes())}).",
    ),
]
StepMs = Annotated[
    float | None,
    typer.Option(
        "--step-ms",
        metavar="MS",
        help="How long a step is, where a format's times are physical; by default 1 ms.",
    ),
]
Population = Annotated[
    str | None,
    typer.Option("--population", metavar="NODE", help="Whose spikes become events (events)."),
]


def write_in_format(
    source: Path, output: Path, trace_format: str | None, step_ms: float | None, node: str | None
) -> None:
    """Write a trace file in another format, and say so."""
    suffixes: tuple[str, ...] = trace_suffixes()
    if trace_format is not None:
        suffixes = sim.TRACE_FORMATS.get(trace_format).suffixes
    check_output(output, "--output", suffixes, keep=[source])
    given: dict[str, Any] = {"step_ms": step_ms, "population": node}
    chosen = {name: value for name, value in given.items() if value is not None}
    sim.export_trace(source, output, trace_format, **chosen)
    print(f"wrote {output}")
