"""Peak memory of the command `thresher simulate`, measured from outside."""

import os
import subprocess
import sys
from pathlib import Path


def command_peak_mib(spec: Path, images: Path, steps: int) -> float:
    """Run the command on all images and return the most memory that its process took."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "thresher",
            "simulate",
            spec,
            "--data",
            images,
            "--steps",
            str(steps),
        ],
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"thresher simulate {spec} ended with status {process.returncode}")
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
