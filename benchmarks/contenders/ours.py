"""Thresher's own runs: the images in one call of `simulate`, or a call for each."""

import time

from benchmarks.common import STEPS, Workload
from benchmarks.contenders.contender import Run
from thresher import Result, simulate

TICKS_PER_STEP = {"lockstep": None, "async": 64}


def simulate_images(workload: Workload, schedule: str, threads: int) -> Run:
    """Run all images in one call; each is simulated alone, `threads` of them side by side.

    What is timed is the simulation (`Result.wall_seconds`): the network is compiled before, as
    the peers' networks are built before.
    """

    def run() -> tuple[float, int]:
        result = simulate(
            workload.graph,
            workload.images,
            steps=STEPS,
            schedule=schedule,
            ticks_per_step=TICKS_PER_STEP[schedule],
            threads=threads,
        )
        return result.wall_seconds, _spikes(result)

    run()
    return run


def call_per_image(workload: Workload, schedule: str, threads: int) -> Run:
    """Run the images by a call each, timed from outside: the network is compiled every time."""

    def run() -> tuple[float, int]:
        started = time.perf_counter()
        results = [
            simulate(
                workload.graph,
                workload.images[i : i + 1],
                steps=STEPS,
                schedule=schedule,
                ticks_per_step=TICKS_PER_STEP[schedule],
                threads=threads,
            )
            for i in range(len(workload.images))
        ]
        return time.perf_counter() - started, sum(map(_spikes, results))

    return run


def _spikes(result: Result) -> int:
    return sum(int(counts.sum()) for counts in result.spike_counts.values())
