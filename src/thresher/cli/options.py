"""Arguments and options that several commands share."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from thresher.sim.options import SETTLE_STEPS, TICKS_PER_STEP


def whole(least: int) -> Callable[[str], int]:
    """Return a parser of whole numbers that are not below `least`."""

    def parse(text: str) -> int:
        if not str(text).isdecimal() or int(text) < least:
            raise typer.BadParameter(f"'{text}'; expected a whole number of at least {least}")
        return int(text)

    return parse


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    """Return a parser that takes one of the choices."""

    def parse(text: str) -> str:
        if text not in choices:
            raise typer.BadParameter(f"'{text}'; expected one of {', '.join(choices)}")
        return text

    return parse


def sizes(text: str) -> tuple[int, ...]:
    """Parse a shape: sizes of at least 1, with commas between."""
    items = str(text).split(",")
    if not all(item.strip().isdecimal() and int(item) > 0 for item in items):
        raise typer.BadParameter(f"'{text}'; expected sizes with commas, such as 3,32,32")
    return tuple(map(int, items))


Spec = Annotated[Path, typer.Argument(metavar="SPEC", help="The network's spec file (YAML).")]

InputShape = Annotated[
    Any,
    typer.Option(
        "--shape",
        metavar="C,H,W",
        parser=sizes,
        help="The input's shape without the batch axis, where the model leaves axes open.",
    ),
]

Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="D",
        help="An .npz file with x and y, a folder with CIFAR-10/100 (binary) or MNIST (idx), "
        "'digits', or events (.npy, .npz with events, .es, .aedat4). Of a folder and of the "
        "digits, training and conversion take the part to train on, everything else the part to "
        "test on.",
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", metavar="N", parser=whole(1), help="Take N samples.")
]
Offset = Annotated[
    int,
    typer.Option("--offset", metavar="N", parser=whole(0), help="Leave out the first N samples."),
]
Metrics = Annotated[
    Path | None, typer.Option("--metrics", metavar="F.json", help="Write the measures as JSON.")
]
TicksPerStep = Annotated[
    int | None,
    typer.Option(
        "--ticks-per-step",
        metavar="R",
        parser=whole(1),
        help=f"Ticks of a step (async); by default {TICKS_PER_STEP}.",
    ),
]
Delay = Annotated[
    int | None,
    typer.Option(
        "--delay",
        metavar="TICKS",
        parser=whole(0),
        help="From a spike to its arrival (steps in lockstep) where the spec sets none.",
    ),
]
Refractory = Annotated[
    int | None,
    typer.Option(
        "--refractory",
        metavar="TICKS",
        parser=whole(0),
        help="Ticks after a spike in which a neuron is barred (async); by default R - 1.",
    ),
]
Settle = Annotated[
    bool,
    typer.Option("--settle", help="Go on after T steps, without input, until no spike is pending."),
]
SettleLimit = Annotated[
    int | None,
    typer.Option(
        "--settle-limit",
        metavar="STEPS",
        parser=whole(1),
        help=f"Steps that settling may take; by default as the spec says, or {SETTLE_STEPS} T.",
    ),
]
