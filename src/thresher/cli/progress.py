"""Progress on stderr while images are worked on, and what Ctrl-C says was done."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from thresher.cli.output import short
from thresher.sim import Progress

Report = Callable[[Progress], None]

UPDATES_A_SECOND = 4


class StoppedError(Exception):
    """Ctrl-C: the message says how much was done."""


@contextmanager
def progress(what: str, images: int) -> Iterator[Report]:
    """Yield what is told how far the block is; where stderr is a terminal, a bar shows it.

    Raises
    ------
    StoppedError
        On Ctrl-C.
    """
    done = 0

    def report(reached: Progress) -> None:
        nonlocal done
        done = reached.done
        show(reached)

    try:
        with _shown(what, images) as show:
            yield report
    except KeyboardInterrupt as error:
        raise StoppedError(f"after {done:,} of {images:,} images ({what})") from error


def describe(reached: Progress, seconds: float) -> str:
    """Write counts, rates, the time taken and the time left at the rate so far."""
    parts = [f"{reached.done:,}/{reached.total:,}", f"{short(reached.done / seconds)} images/s"]
    if reached.synaptic_operations:
        parts.append(f"{short(reached.synaptic_operations / seconds)} SOP/s")
        parts.append(f"{short(reached.spikes)} spikes")
    left = seconds / reached.done * (reached.total - reached.done)
    return ", ".join([*parts, _clock(seconds), f"{_clock(left)} left"])


@contextmanager
def _shown(what: str, images: int) -> Iterator[Report]:
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

        def show(reached: Progress) -> None:
            nonlocal shown
            seconds = time.monotonic() - started
            if seconds - shown < 1 / UPDATES_A_SECOND and reached.done < reached.total:
                return
            shown = seconds
            bar.update(task, completed=reached.done, state=describe(reached, seconds))

        yield show


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
