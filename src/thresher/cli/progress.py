"""Progress on stderr while images are worked on, and what Ctrl-C says was done."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from thresher.cli.output import short
from thresher.sim import Progress

UPDATES_A_SECOND = 4


class Reached(Protocol):
    """How far something is: images (or what else there are) done, and in all."""

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...


R = TypeVar("R", bound=Reached)
Report = Callable[[R], None]
Describe = Callable[[R, float], str]


class StoppedError(Exception):
    """Ctrl-C: the message says how much was done."""


def progress(what: str, images: int) -> AbstractContextManager[Report[Progress]]:
    """Yield what is told how far the block is; where stderr is a terminal, a bar shows it.

    Raises
    ------
    StoppedError
        On Ctrl-C.
    """
    return progress_of(what, images, describe)


@contextmanager
def progress_of(
    what: str, total: int, describe: Describe[R], unit: str = "images"
) -> Iterator[Report[R]]:
    """Do as `progress` does, with a line that `describe` writes, from the seconds taken too."""
    done = 0

    def report(reached: R) -> None:
        nonlocal done, total
        done, total = reached.done, reached.total
        show(reached)

    try:
        with _shown(what, total, describe) as show:
            yield report
    except KeyboardInterrupt as error:
        raise StoppedError(f"after {done:,} of {total:,} {unit} ({what})") from error


def describe(reached: Progress, seconds: float) -> str:
    """Write counts, rates, the time taken and the time left at the rate so far."""
    parts = [f"{reached.done:,}/{reached.total:,}", f"{short(reached.done / seconds)} images/s"]
    if reached.synaptic_operations:
        parts.append(f"{short(reached.synaptic_operations / seconds)} SOP/s")
        parts.append(f"{short(reached.spikes)} spikes")
    return ", ".join([*parts, times(reached, seconds)])


def times(reached: Reached, seconds: float) -> str:
    """Write the time taken and the time left at the rate so far."""
    left = seconds / reached.done * (reached.total - reached.done)
    return f"{_clock(seconds)}, {_clock(left)} left"


@contextmanager
def _shown(what: str, images: int, describe: Describe[R]) -> Iterator[Report[R]]:
    if not sys.stderr.isatty():
        yield lambda reached: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        TextColumn("{task.fields[state]}"),
    )
    console = Console(stderr=True)
    started, shown = time.monotonic(), 0.0
    with Bar(*columns, console=console, transient=True, refresh_per_second=UPDATES_A_SECOND) as bar:
        task = bar.add_task(what, total=images, state="")

        def show(reached: R) -> None:
            nonlocal shown
            seconds = time.monotonic() - started
            if seconds - shown < 1 / UPDATES_A_SECOND and reached.done < reached.total:
                return
            shown = seconds
            bar.update(
                task, completed=reached.done, total=reached.total, state=describe(reached, seconds)
            )

        yield show


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
