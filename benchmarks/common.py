"""What the benchmarks share: the workload, the machine's description, tables and their files."""

import csv
import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import thresher

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
STEPS = 64


@dataclass(frozen=True, eq=False)
class Workload:
    """The network and the images that every contender of the speed comparison runs.

    The images are (N, 1, 28, 28); steps 64, integrate-and-fire, soft reset, v(0) = 0.
    """

    graph: thresher.Graph
    images: NDArray[np.float32]

    def subset(self, n: int) -> "Workload":
        """Return the workload with n of its images, evenly spaced."""
        return Workload(self.graph, self.images[:: len(self.images) // n][:n])

    @cached_property
    def expected(self) -> thresher.Result:
        """What lockstep makes of the images: the work that every contender must do."""
        return thresher.simulate(self.graph, self.images, steps=STEPS)

    @property
    def spikes(self) -> int:
        return sum(int(counts.sum()) for counts in self.expected.spike_counts.values())

    @property
    def synaptic_operations(self) -> int:
        return int(self.expected.synaptic_operations.sum())


def find_data(name: str) -> Path:
    """Return the path of a file of the data folder; exit with its name where it is missing."""
    folder = Path(os.environ.get("THRESHER_DATA", ROOT.parent / "shared" / "data"))
    path = folder / name
    if not path.exists():
        raise SystemExit(f"{path} is missing; THRESHER_DATA names the folder that holds it")
    return path


def load_workload() -> Workload:
    """Load the network and the 64 images of the speed comparison."""
    with np.load(find_data("bench_images.npz"), allow_pickle=False) as arrays:
        images = arrays["x"]
    return Workload(thresher.load(find_data("bench_cnn.snn.yaml")), images)


def describe_machine() -> str:
    """Name the processor, its cores, the interpreter and the date."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, "
        f"Python {platform.python_version()}, {date.today().isoformat()}"
    )


def describe_versions(packages: Iterable[str]) -> str:
    """Name the packages that are installed, with their versions."""
    return ", ".join(f"{name} {found}" for name in packages if (found := installed(name)))


def installed(package: str) -> str | None:
    """Return the version of a distribution, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        listing = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"^model name\s*:\s*(.+)$", listing, re.MULTILINE)
    return model.group(1) if model else platform.machine()


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out a table in Markdown; numbers are aligned by the reader's renderer."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a table to benchmarks/results/NAME.csv."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return path


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between the page's marks `<!-- NAME: begin -->` and `end`.

    Raises
    ------
    SystemExit
        Where the page has no such marks.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    content = page.read_text("utf-8")
    if begin not in content or end not in content:
        raise SystemExit(f"{page}: expected the marks '{begin}' and '{end}'")
    before, rest = content.split(begin, 1)
    after = rest.split(end, 1)[1]
    page.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}", "utf-8")


def figures(value: float, digits: int = 3) -> str:
    """Write a number with so many significant digits, without an exponent."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:,.{decimals}f}"
