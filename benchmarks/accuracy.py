"""Measure the accuracy and the cost of every recipe: python -m benchmarks.accuracy

Each number of steps is a conversion of its own, calibrated on training images and judged on test
images. A cell is written to results/accuracy.jsonl as soon as it is done and is not measured again
while the version, the network and the recipe are the same, so a table may be filled in many runs.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import thresher
from benchmarks.accuracy_cells import Cell, Key, Store, ablations, every_recipe, key_of, measure
from benchmarks.accuracy_subjects import DIGITS, FINE_TUNED, TITLES, Subject, load_subject
from benchmarks.accuracy_tables import CSV_HEADER, csv_row, report
from benchmarks.common import (
    RESULTS,
    ROOT,
    describe_machine,
    describe_versions,
    write_csv,
    write_section,
)
from thresher.sim.compiled import compiled_available

PAGE = ROOT / "docs" / "accuracy.md"
CELLS = RESULTS / "accuracy.jsonl"
MAIN = ("default", "deng2021", "rueckauer2017", "exact")
"""Measured on all test images and at every number of steps, and in async too."""
MAIN_IMAGES, IMAGES = 8000, 1000
STEPS = (1, 2, 4, 8, 16, 32, 64)
LONGEST = 32
"""The most steps of recipes that are not `MAIN`."""
ASYNC_STEPS = (8, 16, 32)
CALIBRATION = 1000


def keys(subject: Subject, arguments: argparse.Namespace) -> Iterator[Key]:
    """Yield the keys of the cells that were asked for, or that belong in the table by default."""
    for recipe in arguments.recipes or _recipes(arguments.schedule):
        is_main = recipe in MAIN
        images = arguments.images or (MAIN_IMAGES if is_main else IMAGES)
        by_default = ASYNC_STEPS if arguments.schedule == "async" else STEPS
        for steps in arguments.steps or [t for t in by_default if is_main or t <= LONGEST]:
            judged = min(images, len(subject.x))
            yield key_of(subject, recipe, arguments.schedule, steps, judged)


def fill(subject: Subject, wanted: Sequence[Key], store: Store, threads: int | None) -> None:
    """Measure the cells that the store lacks, and say on stderr what each came to."""
    missing = [key for key in wanted if key not in store]
    if not missing:
        return
    most = max(key.images for key in missing)
    ann_predictions = np.argmax(thresher.evaluate(subject.graph, subject.x[:most]), axis=1)
    for done, key in enumerate(missing, 1):
        cell = measure(subject, key, ann_predictions, threads)
        store.add(cell)
        print(f"{done}/{len(missing)} {_told(cell)}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure what is missing, print the tables, and write them where it is asked for."""
    arguments = parse(sys.argv[1:])
    store = Store(CELLS)
    compiled, why_not = compiled_available()
    if not (compiled or arguments.table):
        raise SystemExit(f"times would be those of the reference engine: {why_not}")
    for name in [] if arguments.table else arguments.networks:
        most = arguments.images or MAIN_IMAGES
        subject = load_subject(name, most, arguments.calibration, arguments.unpacked)
        fill(subject, list(keys(subject, arguments)), store, arguments.threads)
    cells = store.current(arguments.calibration)
    if not cells:
        raise SystemExit(
            f"{CELLS} holds no cell of the recipes as they are, of {arguments.calibration:,} "
            "calibration images; run without --table"
        )
    text = f"{_conditions(cells)}\n\n{report(cells)}"
    print(text)
    if arguments.write:
        write_csv("accuracy", CSV_HEADER, [csv_row(cell) for cell in cells])
        write_section("accuracy", text, PAGE)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the options; usage errors end the program."""
    networks = [name for name in TITLES if name not in (DIGITS, *FINE_TUNED)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=TITLES, default=networks)
    parser.add_argument("--recipes", nargs="+", choices=every_recipe(), metavar="RECIPE")
    parser.add_argument("--schedule", choices=("lockstep", "async"), default="lockstep")
    parser.add_argument("--steps", nargs="+", type=_positive, metavar="T")
    parser.add_argument("--images", type=_positive, help="test images, the first ones")
    parser.add_argument("--calibration", type=_positive, default=CALIBRATION)
    parser.add_argument("--unpacked", type=Path, help="folder of CIFAR-10, fine-tuned networks")
    parser.add_argument("--threads", type=_positive)
    parser.add_argument("--table", action="store_true", help="measure nothing, make the tables")
    parser.add_argument("--write", action="store_true", help="write results/ and docs/")
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}'; expected a whole number of at least 1")
    return int(text)


def _recipes(schedule: str) -> list[str]:
    """List the recipes of the table; `async` is there for the asynchronous schedule alone."""
    if schedule == "async":
        return [name for name in (*MAIN, "async") if name in every_recipe()]
    others = [name for name in every_recipe() if name not in (*MAIN, *ablations(), "async")]
    return [*MAIN, *others, *ablations()]


def _told(cell: Cell) -> str:
    key = cell.key
    head = f"{key.network} {key.recipe} {key.schedule} T={key.steps} ({key.images} images): "
    if cell.refused:
        return f"{head}refused: {cell.refused}"
    seconds = f"{cell.convert_seconds:.0f} + {cell.simulate_seconds:.0f} s"
    return f"{head}{cell.accuracy:.2f} %, ANN {cell.ann_accuracy:.2f} %, {seconds}"


def _conditions(cells: Sequence[Cell]) -> str:
    dates = sorted({cell.measured for cell in cells})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return (
        f"Last measured on: {describe_machine()}. thresher {thresher.__version__}, "
        f"{describe_versions(['numpy'])}. {len(cells)} cells, measured {when}; "
        f"float32 but where 'int' is said; {cells[0].key.calibration:,} calibration images."
    )


if __name__ == "__main__":
    main()
