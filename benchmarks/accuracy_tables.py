"""The tables of docs/accuracy.md, made from the measured cells."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.accuracy_cells import Cell, ablations
from benchmarks.accuracy_subjects import TITLES
from benchmarks.common import figures, markdown

CSV_HEADER = (
    "network",
    "recipe",
    "schedule",
    "run",
    "steps",
    "images",
    "calibration images",
    "ANN accuracy %",
    "accuracy %",
    "points lost",
    "standard error",
    "spikes an image",
    "SOPs an image",
    "levels a spike",
    "bits a spike",
    "steps beyond T",
    "convert s",
    "simulate s",
    "measured",
    "refused",
)
GROUPS = {
    "binary": "Binary spikes, lockstep",
    "async": "Asynchronous, 64 ticks a step",
    "graded": "Spikes with a sign or a number, lockstep",
    "layered": "Values said by time, layer by layer",
}
ABLATION = ("maximum", "maximum-half", "plain", "default")
"""Each has one thing more than the one before."""


@dataclass(frozen=True)
class Goal:
    """So many points below the ANN at most, at so many steps, by a class of recipes.

    `recipe` is judged; where none is named the best of the group is. Where `against` names a
    recipe, points are counted from what that one has in lockstep on as many images; where `before`
    names the network that this one was fine-tuned from, from what that one's ANN has on them.
    """

    network: str
    group: str
    steps: int
    points: float
    recipe: str | None = None
    against: str | None = None
    before: str | None = None


GOALS = (
    Goal("lenet", "binary", 4, 0.3, "default"),
    Goal("lenet", "binary", 8, 0.1, "default"),
    Goal("vgg7", "binary", 4, 0.3, "default"),
    Goal("vgg7", "binary", 8, 0.1, "default"),
    Goal("resnet20", "binary", 16, 1.0, "default"),
    Goal("resnet20", "binary", 32, 0.3, "default"),
    Goal("lenet", "async", 16, 0.5, "async", against="default"),
    Goal("vgg7", "async", 16, 0.5, "async", against="default"),
    Goal("resnet20", "async", 16, 0.5, "async", against="default"),
    Goal("resnet20", "graded", 4, 0.5),
    Goal("resnet20-qcfs", "binary", 8, 0.0, before="resnet20"),
)


@dataclass(frozen=True)
class Row:
    """A recipe's cells on a network, of one number of images, by their steps."""

    network: str
    recipe: str
    images: int
    cells: dict[int, Cell]

    @property
    def first(self) -> Cell:
        return self.cells[min(self.cells)]


def group_of(cell: Cell) -> str:
    """Tell which of the `GROUPS` a cell belongs to: what is not comparable stands apart."""
    if "async" in (cell.key.schedule, cell.run.partition(",")[0]):
        return "async"
    if cell.run.startswith("layered"):
        return "layered"
    return "binary" if cell.levels == 2 else "graded"


def rows_of(cells: Iterable[Cell]) -> list[Row]:
    """Gather the cells that were not refused into rows, sorted."""
    found: dict[tuple[str, str, int], dict[int, Cell]] = {}
    for cell in cells:
        if not cell.refused:
            key = (cell.key.network, cell.key.recipe, cell.key.images)
            found.setdefault(key, {})[cell.key.steps] = cell
    return [Row(*key, cells=found[key]) for key in sorted(found)]


def report(cells: Sequence[Cell]) -> str:
    """Write every section: the groups, what was refused, the goals and the ablation."""
    shown = [cell for cell in cells if cell.key.recipe not in ablations()]
    sections = [
        f"### {title}\n\n{_group(rows_of(cell for cell in shown if group_of(cell) == group))}"
        for group, title in GROUPS.items()
        if any(group_of(cell) == group and not cell.refused for cell in shown)
    ]
    refused = _refused(shown)
    if refused:
        header = ("network", "recipe", "schedule", "T", "why it was refused")
        sections.append(f"### Refused\n\n{markdown(header, refused)}")
    sections.append(f"### Goals\n\n{_goals(shown)}")
    ablation = _ablation(cells)
    if ablation:
        sections.append(f"### What the default is made of\n\n{ablation}")
    return "\n\n".join(sections)


def csv_row(cell: Cell) -> list[str]:
    """Return a cell as a line of the CSV file."""
    key = cell.key
    fixed = [key.network, key.recipe, key.schedule, cell.run, str(key.steps), str(key.images)]
    if cell.refused:
        blanks = [""] * (len(CSV_HEADER) - len(fixed) - 3)
        return [*fixed, str(key.calibration), *blanks, cell.measured, cell.refused]
    return [
        *fixed,
        str(key.calibration),
        f"{cell.ann_accuracy:.3f}",
        f"{cell.accuracy:.3f}",
        f"{cell.loss:.3f}",
        f"{cell.loss_error:.3f}",
        f"{cell.spikes:.1f}",
        f"{cell.synaptic_operations:.0f}",
        str(cell.levels),
        f"{cell.bits:.2f}",
        f"{cell.more_steps:.2f}",
        f"{cell.convert_seconds:.1f}",
        f"{cell.simulate_seconds:.1f}",
        cell.measured,
        "",
    ]


def _group(rows: Sequence[Row]) -> str:
    """Write accuracies, then what they cost."""
    steps = sorted({t for row in rows for t in row.cells})
    over_time = [f"T = {t}" for t in steps]
    one_run = len({row.first.run for row in rows}) == 1
    one_bit = all(cell.bits == 1 for row in rows for cell in row.cells.values())
    how = [*([] if one_run else ["run"]), *([] if one_bit else ["bits a spike"])]

    def fixed(row: Row) -> list[str]:
        said = [*([] if one_run else [_run(row)]), *([] if one_bit else [_bits(row)])]
        return [TITLES[row.network], f"`{row.recipe}`", *said, f"{row.images:,}"]

    accuracy = markdown(
        ["network", "recipe", *how, "images", "ANN %", *over_time, "convert s", "simulate s"],
        [
            [
                *fixed(row),
                f"{row.first.ann_accuracy:.2f}",
                *_each(row, steps, lambda cell: f"{cell.accuracy:.2f}"),
                f"{sum(cell.convert_seconds for cell in row.cells.values()):,.0f}",
                f"{sum(cell.simulate_seconds for cell in row.cells.values()):,.0f}",
            ]
            for row in rows
        ],
    )
    cost = markdown(
        ["network", "recipe", *how, "images", *over_time],
        [[*fixed(row), *_each(row, steps, _cost)] for row in rows],
    )
    return (
        f"Accuracy in %:\n\n{accuracy}\n\n"
        f"Thousand spikes / million synaptic operations an image:\n\n{cost}"
    )


def _each(row: Row, steps: Sequence[int], write: Callable[[Cell], str]) -> list[str]:
    return [write(row.cells[t]) if t in row.cells else "" for t in steps]


def _cost(cell: Cell) -> str:
    return f"{figures(cell.spikes / 1e3)} / {figures(cell.synaptic_operations / 1e6)}"


def _run(row: Row) -> str:
    """Say how a row was run, and how many steps more than T that took at most."""
    more = max(cell.more_steps for cell in row.cells.values())
    return f"{row.first.run} (+{figures(more, 2)} steps at most)" if more else row.first.run


def _bits(row: Row) -> str:
    least, most = (figure(c.bits for c in row.cells.values()) for figure in (min, max))
    return f"{least:.1f}" if least == most else f"{least:.1f} to {most:.1f}"


def _refused(cells: Iterable[Cell]) -> list[list[str]]:
    """List each reason once, with the steps that it was given at."""
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for cell in cells:
        if cell.refused:
            key = cell.key
            why = (key.network, key.recipe, key.schedule, cell.refused)
            found.setdefault(why, []).append(key.steps)
    return [
        [TITLES[network], f"`{recipe}`", schedule, _listed(steps), why.replace("|", "\\|")]
        for (network, recipe, schedule, why), steps in sorted(found.items())
    ]


def _listed(steps: Iterable[int]) -> str:
    return ", ".join(str(t) for t in sorted(set(steps)))


def _goals(cells: Sequence[Cell]) -> str:
    header = ("network", "class", "T", "goal: points lost", "recipe", "measured", "images", "")
    return markdown(header, [_goal(goal, cells) for goal in GOALS])


def _goal(goal: Goal, cells: Sequence[Cell]) -> list[str]:
    wanted = f"at most {goal.points:g}"
    if goal.against is not None:
        wanted += f", against `{goal.against}` in lockstep"
    if goal.before is not None:
        wanted += ", against the ANN before fine-tuning"
    fixed = [TITLES[goal.network], GROUPS[goal.group], str(goal.steps), wanted]
    measured = [cell for cell in cells if not cell.refused]
    judged = [
        cell
        for cell in measured
        if (cell.key.network, cell.key.steps) == (goal.network, goal.steps)
        and group_of(cell) == goal.group
        and goal.recipe in (None, cell.key.recipe)
    ]
    rivals = _rivals(goal, measured)
    if rivals is not None:
        judged = [cell for cell in judged if cell.key.images in rivals]
    if not judged:
        return [*fixed, f"`{goal.recipe}`" if goal.recipe else "", "", "", "not measured"]
    most = max(cell.key.images for cell in judged)
    best = min((cell for cell in judged if cell.key.images == most), key=lambda cell: cell.loss)
    loss, told = best.loss, f"{best.loss:.2f} ± {best.loss_error:.2f}"
    if rivals is not None:
        loss = rivals[most] - best.accuracy
        told = f"{loss:.2f}"
    verdict = "met" if loss <= goal.points else "missed"
    return [*fixed, f"`{best.key.recipe}`", told, f"{best.key.images:,}", verdict]


def _rivals(goal: Goal, cells: Sequence[Cell]) -> dict[int, float] | None:
    """Map numbers of images to what points are counted from, unless it is the network's own ANN."""
    if goal.before is not None:
        return {c.key.images: c.ann_accuracy for c in cells if c.key.network == goal.before}
    if goal.against is None:
        return None
    return {
        cell.key.images: cell.accuracy
        for cell in cells
        if (cell.key.network, cell.key.steps) == (goal.network, goal.steps)
        and (cell.key.recipe, cell.key.schedule) == (goal.against, "lockstep")
    }


def _ablation(cells: Sequence[Cell]) -> str:
    """Compare the ablation's recipes with the default, on the images that all of them have."""
    lockstep = [cell for cell in cells if cell.key.schedule == "lockstep"]
    rows = [row for row in rows_of(lockstep) if row.recipe in ABLATION]
    shared = {(row.network, row.images) for row in rows if row.recipe != "default"} & {
        (row.network, row.images) for row in rows if row.recipe == "default"
    }
    rows = [row for row in rows if (row.network, row.images) in shared]
    steps = sorted({t for row in rows if row.recipe != "default" for t in row.cells})
    if not rows:
        return ""
    return markdown(
        ["network", "recipe", "images", "ANN %", *(f"T = {t}" for t in steps)],
        [
            [
                TITLES[row.network],
                f"`{row.recipe}`",
                f"{row.images:,}",
                f"{row.first.ann_accuracy:.2f}",
                *_each(row, steps, lambda cell: f"{cell.accuracy:.2f}"),
            ]
            for row in sorted(
                rows, key=lambda row: (row.network, row.images, ABLATION.index(row.recipe))
            )
        ],
    )
