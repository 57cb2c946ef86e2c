"""Cells of the accuracy table: one conversion, measured once and kept in a file of JSON lines."""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from importlib.resources import files
from math import sqrt
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

import thresher
from benchmarks.accuracy_subjects import Subject
from benchmarks.common import ROOT
from thresher.converters import recipe_names
from thresher.sim import suggest_options

TICKS_PER_STEP = 64
ABLATIONS = ROOT / "benchmarks" / "recipes"


@dataclass(frozen=True)
class Key:
    """What a cell's figures depend on; `recipe_sha256` is of its passes as they are written."""

    network: str
    recipe: str
    schedule: str
    steps: int
    images: int
    calibration: int
    spec_sha256: str
    recipe_sha256: str
    thresher: str


@dataclass(frozen=True)
class Cell:
    """What was measured: counts of images, means an image, seconds; or why it was refused.

    `lost` images the ANN alone gets right, `won` ones the SNN alone. `run` says how it was
    simulated, `quiescent` after how many steps nothing was pending any more in a run that settles,
    and `probe_steps` how many steps were run before those that count.
    """

    key: Key
    refused: str = ""
    run: str = ""
    ann_right: int = 0
    right: int = 0
    lost: int = 0
    won: int = 0
    spikes: float = 0.0
    synaptic_operations: float = 0.0
    levels: int = 2
    bits: float = 1.0
    quiescent: float | None = None
    probe_steps: int = 0
    convert_seconds: float = 0.0
    simulate_seconds: float = 0.0
    measured: str = ""

    @property
    def accuracy(self) -> float:
        """Per cent."""
        return 100 * self.right / self.key.images

    @property
    def ann_accuracy(self) -> float:
        """Per cent."""
        return 100 * self.ann_right / self.key.images

    @property
    def more_steps(self) -> float:
        """Steps beyond T: a probe's before them, and until nothing is pending after them."""
        settling = 0.0 if self.quiescent is None else max(0.0, self.quiescent - self.key.steps)
        return self.probe_steps + settling

    @property
    def loss(self) -> float:
        """Points below the ANN, on the same images."""
        return 100 * (self.lost - self.won) / self.key.images

    @property
    def loss_error(self) -> float:
        """Standard error of `loss`, from the images on which the two differ."""
        n = self.key.images
        return 100 * sqrt(self.lost + self.won - (self.lost - self.won) ** 2 / n) / n


class Store:
    """The cells measured so far; each is appended to the file as it is done."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._cells = {cell.key: cell for cell in _read(path)}

    def __contains__(self, key: Key) -> bool:
        return key in self._cells

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._cells.values())

    def add(self, cell: Cell) -> None:
        """Keep a cell, on the disk before anything else is measured."""
        self._cells[cell.key] = cell
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(cell)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def current(self, calibration: int) -> list[Cell]:
        """List the cells of this version, the recipes as they are, and so many training images."""
        digests = {name: recipe_sha256(name) for name in every_recipe()}
        return [
            cell
            for cell in self
            if (cell.key.thresher, cell.key.calibration) == (thresher.__version__, calibration)
            and digests.get(cell.key.recipe) == cell.key.recipe_sha256
        ]


def every_recipe() -> list[str]:
    """List the package's recipes, and those that stand beside the benchmark for its ablation."""
    return [*recipe_names(), *ablations()]


def ablations() -> list[str]:
    """List the recipes of the ablation."""
    return sorted(path.stem for path in ABLATIONS.glob("*.yaml"))


def key_of(subject: Subject, recipe: str, schedule: str, steps: int, images: int) -> Key:
    """Return the key of a cell."""
    return Key(
        subject.name,
        recipe,
        schedule,
        steps,
        images,
        len(subject.x_train),
        subject.sha256,
        recipe_sha256(recipe),
        thresher.__version__,
    )


def recipe_sha256(name: str) -> str:
    """Hash a recipe's passes and readout as they are written, whatever stands around them.

    What a recipe leaves to a pass's default changes with the version.
    """
    folder = (
        ABLATIONS if name in ablations() else Path(str(files("thresher.converters"))) / "recipes"
    )
    written = yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8"))
    does = [written["passes"], written.get("readout")]
    return hashlib.sha256(json.dumps(does, sort_keys=True).encode()).hexdigest()


def source_of(recipe: str) -> str | Path:
    """Return what `convert` takes for a recipe: its name, or an ablation's file."""
    return ABLATIONS / f"{recipe}.yaml" if recipe in ablations() else recipe


def measure(
    subject: Subject, key: Key, ann_predictions: NDArray[np.int64], threads: int | None
) -> Cell:
    """Convert for the key's steps, simulate as the recipe counts on, and compare with the ANN.

    `ann_predictions` (images,) are the ANN's classes of the subject's first images.
    """
    done = Cell(key, measured=date.today().isoformat())
    x, y = subject.x[: key.images], subject.y[: key.images]
    ann_right = ann_predictions[: key.images] == y
    try:
        started = time.perf_counter()
        snn = thresher.convert(
            subject.graph,
            source_of(key.recipe),
            calibration=subject.x_train,
            labels=subject.y_train,
            steps=key.steps,
        )
        converted = time.perf_counter()
        suggested = suggest_options(snn)
        schedule = "async" if key.schedule == "async" else suggested.schedule
        result = thresher.simulate(
            snn,
            x,
            y,
            steps=key.steps,
            schedule=schedule,
            ticks_per_step=TICKS_PER_STEP if schedule == "async" else None,
            settle=suggested.settle,
            precision=suggested.precision,
            threads=threads,
        )
    except thresher.ThresherError as error:
        return replace(done, refused=str(error))
    right = result.predictions[:, -1] == y
    measures = result.metrics()
    words = [
        schedule,
        "settled" if suggested.settle else "",
        "probed" if measures["probe_steps"] else "",
        suggested.precision if suggested.precision != "float32" else "",
    ]
    return replace(
        done,
        run=", ".join(word for word in words if word),
        ann_right=int(ann_right.sum()),
        right=int(right.sum()),
        lost=int((ann_right & ~right).sum()),
        won=int((right & ~ann_right).sum()),
        spikes=measures["spikes_per_sample"],
        synaptic_operations=measures["synaptic_operations_per_sample"],
        levels=measures["spike_levels"],
        bits=measures["bits_per_spike"],
        quiescent=measures["quiescent_steps"]["mean"] if suggested.settle else None,
        probe_steps=measures["probe_steps"],
        convert_seconds=converted - started,
        simulate_seconds=time.perf_counter() - converted,
    )


def _read(path: Path) -> Iterator[Cell]:
    """Yield the cells of a file; a line that a killed run left unfinished is none."""
    if not path.exists():
        return
    text = path.read_text("utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, "utf-8")
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            fields = json.loads(line)
            yield Cell(**fields | {"key": Key(**fields["key"])})
        except (ValueError, TypeError, KeyError) as error:
            raise SystemExit(f"{path}:{number}: no cell of the accuracy table: {error}") from error
