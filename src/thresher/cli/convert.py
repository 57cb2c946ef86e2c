"""`thresher convert`: an ANN's spec to an SNN's."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from thresher import conversion, converters, datasets, ir
from thresher.cli import options
from thresher.cli.ann import check_samples
from thresher.cli.output import print_table
from thresher.cli.paths import check_output
from thresher.cli.search import convert_by_search
from thresher.search.budget import EXPECTED
from thresher.search.plan import SCHEDULES
from thresher.sim import suggest_options

AUTO = "auto"
Recipe = Annotated[
    str,
    typer.Option(
        "--recipe",
        metavar="NAME|FILE|auto",
        help="A recipe's name, or its file; auto tries those that apply.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="steps=T|spikes=N|loss=X",
        help="With --recipe auto: at most T steps, N spikes an image, or X points below the ANN.",
    ),
]
MultiBit = Annotated[
    bool,
    typer.Option(
        "--multi-bit", help="With --recipe auto: try spikes that carry more than one bit too."
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="|".join(SCHEDULES),
        parser=options.one_of(SCHEDULES),
        help="With --recipe auto: the schedule in which recipes are judged; by default lockstep.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PASS.FIELD=VALUE", help="Change a pass's parameter; may be repeated."
    ),
]
Calibration = Annotated[
    str | None,
    typer.Option("--data", metavar="D", help="Images to calibrate on, from the training set."),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps", metavar="T", parser=options.whole(1), help="Time steps that the SNN is made for."
    ),
]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="OUT.yaml", help="The SNN's spec; tensors beside it."),
]


def convert(
    spec: options.Spec,
    output: Output,
    recipe: Recipe = "default",
    settings: Settings = None,
    data: Calibration = None,
    limit: options.Limit = None,
    offset: options.Offset = 0,
    steps: Steps = None,
    budget: Budget = None,
    multi_bit: MultiBit = False,
    schedule: Schedule = None,
) -> None:
    """Convert an ANN to an SNN, print what became of every node, and write the SNN's spec."""
    check_search(recipe, budget, multi_bit, schedule, data, settings, steps)
    changes = parse_settings(settings or ())
    check_output(output, "--output", [".yaml", ".yml"], keep=[spec])
    check_tensors(output)
    graph = ir.load(spec)
    samples = None
    if data is not None:
        shape = graph.inputs[0].shape
        samples = datasets.load(data, part="train", offset=offset, limit=limit, shape=shape)
    if budget is not None and samples is not None:
        check_samples(graph, samples)
        snn = convert_by_search(
            graph, budget, samples, multi_bit=multi_bit, schedule=schedule or "lockstep"
        )
        steps = snn.meta["steps"]
    else:
        snn = conversion.convert(
            graph,
            recipe,
            calibration=None if samples is None else samples.x[:],
            labels=None if samples is None else samples.y,
            steps=steps,
            settings=changes,
        )
    ir.save(snn, output)
    print_account(snn)
    beside = f" and {output.with_suffix('.safetensors').name}" if snn.tensors else ""
    print(f"wrote {output}{beside}")
    print(f"next: {_next(output, data, snn, steps)}")


def _next(output: Path, data: str | None, snn: ir.Graph, steps: int | None) -> str:
    """Write the command that simulates what was written, as its recipe counts on."""
    given = "D" if data is None else shlex.quote(data)
    parts = ["thresher simulate", shlex.quote(str(output)), "--data", given]
    parts += [] if steps is None else ["--steps", str(steps)]
    return " ".join([*parts, *suggest_options(snn).arguments()])


def check_search(
    recipe: str,
    budget: str | None,
    multi_bit: bool,
    schedule: str | None,
    data: str | None,
    settings: Sequence[str] | None,
    steps: int | None,
) -> None:
    """Raise a usage error where options of a search and of a named recipe meet, or one lacks."""
    if recipe != AUTO:
        given = {"budget": budget, "multi-bit": multi_bit, "schedule": schedule}
        option = next((name for name, value in given.items() if value), None)
        if option is not None:
            raise typer.BadParameter(
                f"goes with --recipe {AUTO}; the recipe is '{recipe}'",
                param_hint=f"'--{option}'",
            )
        return
    if budget is None:
        raise typer.BadParameter(f"is missing; {EXPECTED}", param_hint="'--budget'")
    if data is None:
        raise typer.BadParameter(
            "is missing; recipes are calibrated and judged on it", param_hint="'--data'"
        )
    if settings:
        raise typer.BadParameter(
            f"changes one recipe, and --recipe {AUTO} tries many; name the recipe",
            param_hint="'--set'",
        )
    if steps is not None:
        raise typer.BadParameter(
            f"stands for one number of steps; give --budget steps={steps}", param_hint="'--steps'"
        )


def check_tensors(output: Path) -> None:
    """Raise a usage error where the file beside `output` holds the tensors of another spec."""
    tensors = output.with_suffix(".safetensors")
    if tensors.exists() and not output.exists():
        raise typer.BadParameter(
            f"'{tensors}', which would be written beside '{output}', is there already without it, "
            "so another spec may read it; expected another name",
            param_hint="'--output'",
        )


def print_account(snn: ir.Graph) -> None:
    """Print what became of every node of the ANN, and why."""
    rows = [(row.node, row.became, row.why) for row in converters.account(snn)]
    print_table(("node", "became", "why"), rows)


def parse_settings(texts: Sequence[str]) -> dict[str, str]:
    """Split PASS.FIELD=VALUE texts; raise a usage error where one is not of this form."""
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        step, dot, field = key.partition(".")
        if not (equals and dot and step and field):
            raise typer.BadParameter(f"'{text}'; expected PASS.FIELD=VALUE", param_hint="'--set'")
        settings[key] = value
    return settings
