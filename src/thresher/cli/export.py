"""`thresher export`: a network as what others run, a trace as what others read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from thresher import ir
from thresher.cli import options
from thresher.cli.paths import check_output
from thresher.cli.trace_export import Format, Population, StepMs, write_in_format
from thresher.export import EXPORTERS, PROFILES, UNTRIED
from thresher.sim.trace_formats import readable_suffixes

SPECS = (".yaml", ".yml")
SCHEDULES = ("lockstep", "async")

Source = Annotated[
    Path,
    typer.Argument(
        metavar="SPEC|TRACE",
        help=f"A converted network's spec (YAML), or a trace ({', '.join(readable_suffixes())}).",
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The file to write.")]
Target = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="|".join(EXPORTERS),
        parser=options.one_of(EXPORTERS.names()),
        help="What the network is written as.",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps",
        metavar="T",
        parser=options.whole(1),
        help="The most steps of a run; by default those that the network was converted for.",
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="|".join(SCHEDULES),
        parser=options.one_of(SCHEDULES),
        help="The schedule that a C file runs unless it is compiled for the other.",
    ),
]
Tool = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="|".join((*PROFILES, *UNTRIED)),
        help="The tool that is to read a NIR file.",
    ),
]


def export(
    source: Source,
    output: Output,
    target: Target = None,
    steps: Steps = None,
    schedule: Schedule = None,
    ticks_per_step: options.TicksPerStep = None,
    refractory: options.Refractory = None,
    delay: options.Delay = None,
    settle: options.Settle = False,
    settle_limit: options.SettleLimit = None,
    tool: Tool = None,
    trace_format: Format = None,
    step_ms: StepMs = None,
    population: Population = None,
) -> None:
    """Write a converted network as a file that runs elsewhere, or a trace as others read it."""
    of_network = {"to": target, "steps": steps, "schedule": schedule} | {
        "ticks_per_step": ticks_per_step,
        "refractory": refractory,
        "delay": delay,
        "settle": settle or None,
        "settle_limit": settle_limit,
        "for": tool,
    }
    of_trace = {"format": trace_format, "step_ms": step_ms, "population": population}
    if source.suffix in readable_suffixes():
        _refuse(of_network, "a trace")
        write_in_format(source, output, trace_format, step_ms, population)
        return
    if source.suffix not in SPECS:
        raise typer.BadParameter(
            f"'{source}' has the suffix '{source.suffix}'; expected the spec of a network, "
            f"{' or '.join(SPECS)}, or a trace, {', '.join(readable_suffixes())}",
            param_hint="'SPEC|TRACE'",
        )
    _refuse(of_trace, "a network")
    if target is None:
        raise typer.BadParameter(
            f"what is the network to be written as? Give one of {', '.join(EXPORTERS)}",
            param_hint="'--to'",
        )
    exporter = EXPORTERS.get(target)
    given = {name: value for name, value in of_network.items() if name != "to"}
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in chosen.keys() - exporter.takes:
        raise typer.BadParameter(
            f"has no meaning for --to {target}; leave it out",
            param_hint=f"'--{name.replace('_', '-')}'",
        )
    check_output(output, "--output", [exporter.suffix], keep=[source])
    if "for" in chosen:  # no name of a parameter in Python
        chosen["profile"] = chosen.pop("for")
    facts = exporter.write(ir.load(source), output, **chosen)
    print(f"wrote {output}")
    for fact in facts:
        print(f"  {fact}")


def _refuse(given: Mapping[str, object], what: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise typer.BadParameter(
                f"has no meaning for {what}; leave it out",
                param_hint=f"'--{name.replace('_', '-')}'",
            )
