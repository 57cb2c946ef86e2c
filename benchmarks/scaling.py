"""Measure how a synaptic operation's cost depends on what is run: python -m benchmarks.scaling

One thing is varied at a time: images, steps, width, depth, activity, threads, and, in `async`, the
ticks a step at the same thresholds and steps. Networks are drawn by the script; no data is needed.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.common import (
    describe_machine,
    describe_versions,
    figures,
    markdown,
    write_csv,
    write_section,
)
from benchmarks.networks import random_images, random_network
from thresher import simulate

ROUNDS = 5
SCHEDULES = ("lockstep", "async")
HEADER = (
    "varied",
    "value",
    "schedule",
    "spikes an image",
    "million SOPs an image",
    "ms an image",
    "ns an SOP",
    "set-up ms a call",
)


@dataclass(frozen=True)
class Case:
    """One simulation; the defaults are what the others are compared with."""

    schedule: str
    images: int = 16
    steps: int = 32
    width: int = 32
    depth: int = 3
    rate: float = 0.1
    threads: int = 1
    ticks_per_step: int = 64


SWEEPS: dict[str, tuple[float, ...]] = {
    "images": (1, 4, 16, 64),
    "steps": (8, 32, 128),
    "width": (8, 16, 32, 64),
    "depth": (1, 2, 4, 8),
    "rate": (0.01, 0.03, 0.1, 0.3),
    "threads": (1, 2),
    "ticks_per_step": (16, 64, 256, 1024),
}
LABELS = {"rate": "spikes a neuron and step", "ticks_per_step": "ticks a step"}


@dataclass(frozen=True)
class Measured:
    """A case's counts an image, and the times of its call: the simulation, and what precedes."""

    spikes: float
    sops: float
    seconds: float
    setup_seconds: float


def cases(varied: str) -> Iterator[tuple[float, Case]]:
    """Yield each value of what is varied, with the cases that it makes."""
    schedules = ("async",) if varied == "ticks_per_step" else SCHEDULES
    for schedule in schedules:
        for value in SWEEPS[varied]:
            changed: dict[str, Any] = {varied: value}
            yield value, replace(Case(schedule), **changed)


def run(case: Case) -> Measured:
    """Simulate the case once."""
    graph = random_network(case.width, case.depth, case.rate)
    images = random_images(case.images)
    started = time.perf_counter()
    result = simulate(
        graph,
        images,
        steps=case.steps,
        schedule=case.schedule,
        ticks_per_step=case.ticks_per_step if case.schedule == "async" else None,
        threads=case.threads,
    )
    return Measured(
        sum(float(counts.mean()) for counts in result.spike_counts.values()),
        float(result.synaptic_operations.mean()),
        result.wall_seconds,
        time.perf_counter() - started - result.wall_seconds,
    )


def median(runs: Sequence[Measured]) -> Measured:
    """Take the median of the times; the counts are the same in every run."""
    return replace(
        runs[0],
        seconds=statistics.median(run.seconds for run in runs),
        setup_seconds=statistics.median(run.setup_seconds for run in runs),
    )


def row(varied: str, value: float, case: Case, measured: Measured) -> list[str]:
    """Return the table's row of a case."""
    seconds = measured.seconds / case.images
    return [
        LABELS.get(varied, varied),
        f"{value:g}",
        case.schedule,
        f"{measured.spikes:,.0f}",
        figures(measured.sops / 1e6),
        figures(seconds * 1e3),
        figures(seconds / measured.sops * 1e9),
        figures(measured.setup_seconds * 1e3),
    ]


def main() -> None:
    """Measure, print the table, and write it where it is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="one round: to see that all runs")
    parser.add_argument("--only", nargs="+", choices=SWEEPS, default=list(SWEEPS))
    parser.add_argument("--write", action="store_true", help="write results/ and docs/")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    listed = [(varied, *pair) for varied in arguments.only for pair in cases(varied)]
    turns = [[run(case) for _, _, case in listed] for _ in range(rounds)]
    rows = [
        row(*item, median(runs))
        for item, runs in zip(listed, zip(*turns, strict=True), strict=True)
    ]
    fixed = ", ".join(f"{name} {value}" for name, value in list(vars(Case("lockstep")).items())[1:])
    conditions = f"{describe_machine()}. {describe_versions(['thresher', 'numpy'])}. "
    conditions += f"Not varied: {fixed}; float32; medians of {rounds} rounds."
    text = f"{conditions}\n\n{markdown(HEADER, rows)}"
    print(text)
    if arguments.write:
        write_csv("scaling", HEADER, rows)
        write_section("scaling", text)


if __name__ == "__main__":
    main()
