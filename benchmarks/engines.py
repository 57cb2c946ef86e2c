"""Compare the reference engine with the compiled ones: python -m benchmarks.engines

Both schedules, all precisions, on the digits CNN that comes with the package, of integrate-and-fire
neurons, of signed ones that settle (`digits_exact`) and of leaky ones (`digits_lif`); with the data
folder also on the network of the speed comparison. `int` is 8 bits by layer. The reference runs a
few images only, once.
"""

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import (
    describe_machine,
    describe_versions,
    figures,
    load_workload,
    markdown,
    write_csv,
    write_section,
)
from thresher import Graph, convert, digits, load, simulate
from thresher.converters.pass_ import Context
from thresher.converters.passes import Quantize

ROUNDS = 5
STEPS = 16
LEAK = 16.0
"""Time constant of the leaky neurons, in steps."""
HEADER = (
    "network",
    "schedule",
    "precision",
    "engine",
    "images",
    "ms an image",
    "ns an SOP",
    "times as fast as the reference",
)


@dataclass(frozen=True, eq=False)
class Subject:
    """A network and images (N, *shape) to run it on; the reference runs the first few."""

    graph: Graph
    images: NDArray[np.generic]
    reference_images: int
    settle: bool = False
    precisions: tuple[str, ...] = ("float32", "float64", "int")


def digits_cnn() -> Subject:
    """Convert the CNN that comes with the package."""
    x_train, _, x_test, _ = digits.load()
    graph = convert(load(digits.cnn_spec()), "deng2021", calibration=x_train, steps=STEPS)
    return Subject(graph, x_test[:64], 4)


def digits_exact() -> Subject:
    """Convert the same CNN to signed neurons, which settle."""
    x_train, _, x_test, _ = digits.load()
    graph = convert(load(digits.cnn_spec()), "exact", calibration=x_train, steps=STEPS)
    return Subject(replace(graph, name="digits_exact"), x_test[:64], 4, settle=True)


def digits_lif() -> Subject:
    """Let the neurons of the digits CNN leak; `int` has no leak."""
    subject = digits_cnn()
    leaky = {
        node.name: replace(node, spiking=replace(node.spiking, neuron="lif", tau=LEAK))
        for node in subject.graph
        if node.spiking is not None
    }
    graph = replace(subject.graph.replace_all(leaky), name="digits_lif")
    return replace(subject, graph=graph, precisions=("float32", "float64"))


def bench_cnn() -> Subject:
    """Load the network of the speed comparison."""
    workload = load_workload()
    return Subject(workload.graph, workload.images[:16], 1)


def with_scales(subject: Subject) -> Subject:
    """Give the network the scales of precision `int`, which the others ignore."""
    return replace(subject, graph=Quantize().apply(subject.graph, Context()))


SUBJECTS = {
    "digits_cnn": digits_cnn,
    "digits_exact": digits_exact,
    "digits_lif": digits_lif,
    "bench_cnn": bench_cnn,
}


def compare(subject: Subject, schedule: str, precision: str, rounds: int) -> Iterator[list[str]]:
    """Yield the reference's row and the compiled engine's; they are compared by the SOP."""
    costs = []
    for engine in ("reference", "cython"):
        compiled = engine == "cython"
        images = subject.images if compiled else subject.images[: subject.reference_images]
        runs = [
            simulate(
                subject.graph,
                images,
                steps=STEPS,
                schedule=schedule,
                precision=precision,
                engine=engine,
                threads=1,
                settle=subject.settle,
            )
            for _ in range(rounds + 1 if compiled else 1)
        ]
        seconds = statistics.median(run.wall_seconds for run in runs[-rounds:])
        costs.append(seconds / float(runs[0].synaptic_operations.sum()) * 1e9)
        yield [
            subject.graph.name,
            schedule,
            precision,
            engine,
            str(len(images)),
            figures(seconds / len(images) * 1e3),
            figures(costs[-1]),
            figures(costs[0] / costs[-1]),
        ]


def main() -> None:
    """Measure, print the table, and write it where it is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the compiled engines")
    parser.add_argument("--quick", action="store_true", help="one round: to see that all runs")
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--write", action="store_true", help="write results/ and docs/")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    subjects = [with_scales(SUBJECTS[name]()) for name in arguments.only]
    rows = [
        row
        for subject in subjects
        for schedule in ("lockstep", "async")
        for precision in subject.precisions
        for row in compare(subject, schedule, precision, rounds)
    ]
    text = (
        f"{describe_machine()}. {describe_versions(['thresher', 'numpy'])}. {STEPS} steps, one "
        f"thread; the reference once, the compiled engines' median of {rounds} rounds."
        f"\n\n{markdown(HEADER, rows)}"
    )
    print(text)
    if arguments.write:
        write_csv("engines", HEADER, rows)
        write_section("engines", text)


if __name__ == "__main__":
    main()
