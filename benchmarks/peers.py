"""Compare Thresher's speed with other simulators on one network: python -m benchmarks.peers

Every contender lives in a process of its own and runs once a round, in turn; ratios are taken
within a round, and medians over the rounds. A contender whose package is absent is skipped by name.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.common import (
    STEPS,
    Workload,
    describe_machine,
    describe_versions,
    figures,
    find_data,
    installed,
    load_workload,
    markdown,
    write_csv,
    write_section,
)
from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.memory import command_peak_mib
from benchmarks.worker import Measurement, Worker, WorkerError, serve

ROUNDS = 5
IMAGES = 64
QUICK_IMAGES = 4
HEADER = (
    "simulator",
    "images together",
    "threads",
    "ms an image",
    "GSOP/s",
    "times Thresher's time (least-most)",
    "spikes, against lockstep",
    "peak MiB",
)
RAW = ("round", "contender", "images", "seconds", "sops", "spikes", "expected_spikes", "peak_mib")


@dataclass(frozen=True)
class Work:
    """What a contender's images come to in lockstep."""

    images: int
    spikes: int
    sops: int


@dataclass(frozen=True)
class Series:
    """A contender's measurements, round by round, and the work of each."""

    contender: Contender
    work: Work
    rounds: tuple[Measurement, ...]

    def nanoseconds_per_sop(self) -> list[float]:
        return [run.seconds / self.work.sops * 1e9 for run in self.rounds]


def main() -> None:
    """Measure, print the table, and write it where it is asked for."""
    arguments = parse(sys.argv[1:])
    contenders = [replace(c, images=min(c.images, arguments.images)) for c in CONTENDERS]
    if arguments.worker:
        return serve(next(c for c in contenders if c.name == arguments.worker))
    chosen = [c for c in contenders if not arguments.only or c.name in arguments.only]
    workload = load_workload()
    series, skipped = measure(chosen, arguments.rounds, workload)
    text = report(series, skipped, workload)
    print(text)
    if arguments.write:
        print(write_csv("peers", RAW, raw_rows(series)), file=sys.stderr)
        write_section("peers", text)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    names = [contender.name for contender in CONTENDERS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--images", type=int, default=IMAGES, help="at most so many of the 64")
    parser.add_argument("--quick", action="store_true", help="see that all runs: one round of few")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--write", action="store_true", help="write results/ and docs/")
    parser.add_argument("--worker", choices=names, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.quick:
        arguments.rounds, arguments.images = 1, QUICK_IMAGES
    if arguments.rounds < 1:
        parser.error(f"--rounds is {arguments.rounds}; expected at least 1")
    if not 1 <= arguments.images <= IMAGES:
        parser.error(f"--images is {arguments.images}; expected 1 to {IMAGES}")
    return arguments


def measure(
    chosen: Sequence[Contender], rounds: int, workload: Workload
) -> tuple[list[Series], dict[str, str]]:
    """Prepare the contenders one after the other, then run them in turn, round by round."""
    workers: dict[str, Worker] = {}
    skipped: dict[str, str] = {}
    for contender in chosen:
        if installed(contender.package) is None:
            skipped[contender.name] = f"{contender.package} is not installed"
            continue
        try:
            print(f"preparing {contender.name}", file=sys.stderr)
            workers[contender.name] = Worker(contender)
        except WorkerError as error:
            skipped[contender.name] = str(error)
    measured: dict[str, list[Measurement]] = {name: [] for name in workers}
    for turn in range(rounds):
        print(f"round {turn + 1} of {rounds}", file=sys.stderr)
        for name in [name for name in workers if name not in skipped]:
            try:
                measured[name].append(workers[name].run())
            except WorkerError as error:
                skipped[name] = f"in round {turn + 1}: {error}"
    finished = [worker for name, worker in workers.items() if name not in skipped]
    for worker in finished:
        worker.close()
    works = {n: work_of(workload.subset(n)) for n in {w.contender.images for w in finished}}
    return [
        Series(w.contender, works[w.contender.images], tuple(measured[w.contender.name]))
        for w in finished
    ], skipped


def work_of(workload: Workload) -> Work:
    """Count what the images come to."""
    return Work(len(workload.images), workload.spikes, workload.synaptic_operations)


def report(series: Sequence[Series], skipped: dict[str, str], workload: Workload) -> str:
    """Lay out the table, with its conditions before it and what was skipped after it."""
    packages = dict.fromkeys(["thresher", "numpy", "torch", *(c.package for c in CONTENDERS)])
    rounds = len(series[0].rounds) if series else 0
    conditions = (
        f"{describe_machine()}. {describe_versions(packages)}. "
        f"{workload.graph.name}, {STEPS} steps, float32 (NEST: float64), "
        f"medians of {rounds} rounds."
    )
    lines = [conditions, "", markdown(HEADER, rows(series, work_of(workload)))]
    peak = command_peak_mib(find_data("bench_cnn.snn.yaml"), find_data("bench_images.npz"), STEPS)
    lines += ["", f"Peak memory of `thresher simulate` on the 64 images: {peak:.0f} MiB."]
    if skipped:
        reasons = "; ".join(f"{name} ({reason})" for name, reason in skipped.items())
        lines += ["", f"Skipped: {reasons}."]
    return "\n".join(lines)


def rows(series: Sequence[Series], whole: Work) -> list[list[str]]:
    """Return a row for each contender: medians over the rounds.

    A contender that ran fewer images is brought to an image of average work by its cost per SOP.
    """
    costs = {item.contender.name: item.nanoseconds_per_sop() for item in series}
    table = []
    for item in series:
        contender = item.contender
        cost = statistics.median(costs[contender.name])
        table.append(
            [
                contender.label,
                contender.batch,
                str(contender.threads),
                figures(cost * whole.sops / whole.images / 1e6),
                figures(1 / cost),
                ratio(costs[contender.name], costs.get(contender.against, [])),
                difference(item),
                f"{item.rounds[-1].peak_mib:.0f}",
            ]
        )
    return table


def ratio(costs: Sequence[float], ours: Sequence[float]) -> str:
    """Return the median of the ratios within a round, and their range."""
    ratios = [cost / our for cost, our in zip(costs, ours, strict=False)]
    if not ratios:
        return "-"
    middle = figures(statistics.median(ratios), 2)
    return f"{middle} ({figures(min(ratios), 2)}-{figures(max(ratios), 2)})"


def difference(item: Series) -> str:
    """Say how many spikes were fired, and how many more or fewer than lockstep's."""
    fired = item.rounds[-1].spikes
    return f"{fired:,} ({fired - item.work.spikes:+,})"


def raw_rows(series: Sequence[Series]) -> list[list[object]]:
    """Return a row for each round of each contender."""
    return [
        [
            turn + 1,
            item.contender.name,
            item.work.images,
            f"{run.seconds:.4f}",
            item.work.sops,
            run.spikes,
            item.work.spikes,
            f"{run.peak_mib:.0f}",
        ]
        for item in series
        for turn, run in enumerate(item.rounds)
    ]


if __name__ == "__main__":
    main()
