"""`thresher export`: a network as what others run."""

from pathlib import Path
from typing import Annotated

import typer

from thresher import ir
from thresher.cli import options
from thresher.cli.paths import check_output
from thresher.export import EXPORTERS

SPECS = (".yaml", ".yml")
SCHEDULES = ("lockstep", "async")

Source = Annotated[Path, typer.Argument(metavar="SPEC", help="A converted network's spec (YAML).")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The file to write.")]
Target = Annotated[
    str,
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
TicksPerStep = Annotated[
    int | None,
    typer.Option(
        "--ticks-per-step",
        metavar="R",
        parser=options.whole(1),
        help="Ticks of a step in the schedule async; by default 64.",
    ),
]
Refractory = Annotated[
    int | None,
    typer.Option(
        "--refractory",
        metavar="TICKS",
        parser=options.whole(0),
        help="Ticks after a spike in which a neuron is barred (async); by default R - 1.",
    ),
]
Delay = Annotated[
    int | None,
    typer.Option(
        "--delay",
        metavar="TICKS",
        parser=options.whole(0),
        help="From a spike to its arrival (steps in lockstep) where the spec sets none.",
    ),
]


def export(
    source: Source,
    output: Output,
    target: Target,
    steps: Steps = None,
    schedule: Schedule = None,
    ticks_per_step: TicksPerStep = None,
    refractory: Refractory = None,
    delay: Delay = None,
) -> None:
    """Write a converted network as a file that runs, or is read, elsewhere."""
    if source.suffix not in SPECS:
        raise typer.BadParameter(
            f"'{source}' has the suffix '{source.suffix}'; expected the spec of a network, "
            f"{' or '.join(SPECS)}",
            param_hint="'SPEC'",
        )
    exporter = EXPORTERS.get(target)
    given = {
        "steps": steps,
        "schedule": schedule,
        "ticks_per_step": ticks_per_step,
        "refractory": refractory,
        "delay": delay,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in chosen.keys() - exporter.takes:
        raise typer.BadParameter(
            f"has no meaning for --to {target}; leave it out",
            param_hint=f"'--{name.replace('_', '-')}'",
        )
    check_output(output, "--output", [exporter.suffix], keep=[source])
    facts = exporter.write(ir.load(source), output, **chosen)
    print(f"wrote {output}")
    for fact in facts:
        print(f"  {fact}")
