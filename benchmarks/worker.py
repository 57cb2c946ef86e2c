"""Worker: a contender in a process of its own, that prepares once and runs when it is told to.

The process answers each line on its standard input with a line of JSON on its standard output;
what libraries print goes to standard error.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.common import ROOT, load_workload
from benchmarks.contenders import Contender

LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Measurement:
    """One run of a contender's images."""

    seconds: float
    spikes: int
    peak_mib: float
    """The most memory that the process and its children took so far."""


class Worker:
    """The parent's end of a contender's process.

    Raises
    ------
    WorkerError
        Where the contender cannot be prepared; the message is the reason.
    """

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        options = ["--worker", contender.name, "--images", str(contender.images)]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.peers", *options],
            cwd=ROOT,
            env={**os.environ, **dict.fromkeys(LIMITS, str(contender.threads))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answer()

    def run(self) -> Measurement:
        """Let the contender run its images once, and wait."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # `_answer` tells what became of it
                self._process.stdin.write("run\n")
                self._process.stdin.flush()
        return Measurement(**self._answer())

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise WorkerError(f"its process ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            self.close()
            raise WorkerError(answer["failed"])
        return answer


class WorkerError(Exception):
    """A contender could not be prepared or run; says why."""


def serve(contender: Contender) -> None:
    """Be the contender's process: prepare, then run at each line that comes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(values: dict[str, Any]) -> None:
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    try:
        run = contender.prepare(load_workload().subset(contender.images))
    except (Exception, SystemExit) as error:  # whatever a peer raises is why it is skipped
        return answer({"failed": f"{type(error).__name__}: {error}".splitlines()[0]})
    answer({})
    for _ in sys.stdin:
        seconds, spikes = run()
        answer(asdict(Measurement(seconds, spikes, peak_mib())))


def peak_mib() -> float:
    """Return the peak memory of this process or, where that is more, of one of its children."""
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    per_mib = 2**20 if sys.platform == "darwin" else 2**10
    return max(use.ru_maxrss for use in usage) / per_mib
