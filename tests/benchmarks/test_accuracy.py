"""The accuracy table: cells measured once, tables that keep apart what is not comparable."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks import accuracy
from benchmarks.accuracy_cells import (
    Cell,
    Key,
    Store,
    ablations,
    every_recipe,
    key_of,
    measure,
    recipe_sha256,
)
from benchmarks.accuracy_subjects import TITLES, Subject, load_subject
from benchmarks.accuracy_tables import (
    ABLATION,
    CSV_HEADER,
    GOALS,
    GROUPS,
    Goal,
    csv_row,
    group_of,
    report,
)

import thresher

IMAGES = 12


@pytest.fixture(scope="module")
def subject() -> Subject:
    return load_subject("digits", IMAGES, 32, None)


def cell(recipe: str = "default", steps: int = 4, **found: object) -> Cell:
    """A cell of 200 images of which the ANN gets 180 right."""
    key = Key("lenet", recipe, "lockstep", steps, 200, 1000, "spec", "recipe", "0")
    key = replace(key, **{name: found.pop(name) for name in [*found] if name in asdict(key)})
    return Cell(key, **{"run": "lockstep", "ann_right": 180, "spikes": 10.0, **found})


def arguments(*argv: str) -> object:
    return accuracy.parse(["--networks", "digits", *argv])


def test_a_cell_counts_what_the_simulation_and_the_ann_say(subject: Subject) -> None:
    key = key_of(subject, "deng2021", "lockstep", 2, IMAGES)
    ann = np.argmax(thresher.evaluate(subject.graph, subject.x), axis=1)
    found = measure(subject, key, ann, threads=1)
    snn = thresher.convert(subject.graph, "deng2021", calibration=subject.x_train, steps=2)
    result = thresher.simulate(snn, subject.x, subject.y, steps=2)
    right = result.predictions[:, -1] == subject.y
    assert found.right == right.sum()
    assert found.ann_right == (ann == subject.y).sum()
    assert found.lost - found.won == found.ann_right - found.right
    assert found.spikes == sum(counts.mean() for counts in result.spike_counts.values())
    assert found.synaptic_operations == result.synaptic_operations.mean()
    assert (found.run, found.levels, found.refused) == ("lockstep", 2, "")


@pytest.mark.parametrize(
    ("recipe", "schedule", "run"),
    [
        ("exact", "lockstep", "lockstep, settled"),
        ("exact", "async", "async, settled"),
        ("stoeckl2021-fs", "lockstep", "layered"),
        ("hao2023-srp", "lockstep", "lockstep, probed"),
        ("int8", "lockstep", "lockstep, int"),
    ],
)
def test_a_network_is_run_as_its_recipe_counts_on(
    subject: Subject, recipe: str, schedule: str, run: str
) -> None:
    key = key_of(subject, recipe, schedule, 2, 2)
    assert measure(subject, key, np.zeros(2, np.int64), threads=1).run == run


def test_a_recipe_that_does_not_apply_is_kept_with_the_reason(subject: Subject) -> None:
    key = key_of(subject, "stoeckl2021-fs", "async", 2, 2)
    refused = measure(subject, key, np.zeros(2, np.int64), threads=1)
    assert "layered" in refused.refused
    assert f"`stoeckl2021-fs` | async | 2 | {refused.refused}" in report([refused])


def test_points_lost_are_paired_with_the_ann() -> None:
    found = cell(right=175, lost=8, won=3)
    assert found.loss == pytest.approx(2.5)
    # eleven images of 200 differ, five more lost than won: the variance of their mean
    assert found.loss_error == pytest.approx(100 * np.sqrt((11 / 200 - (5 / 200) ** 2) / 200))


def test_cells_are_kept_across_runs_and_not_measured_again(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [key_of(subject, "deng2021", "lockstep", steps, 2) for steps in (1, 2)]
    accuracy.fill(subject, wanted[:1], Store(tmp_path / "cells.jsonl"), 1)
    measured: list[Key] = []

    def count(subject: Subject, key: Key, *rest: object) -> Cell:
        measured.append(key)
        return Cell(key)

    monkeypatch.setattr(accuracy, "measure", count)
    accuracy.fill(subject, wanted, Store(tmp_path / "cells.jsonl"), 1)
    assert measured == wanted[1:]
    assert set(wanted) == {found.key for found in Store(tmp_path / "cells.jsonl")}


def test_a_line_that_was_not_finished_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    first, second = cell(steps=4), cell(steps=8)
    path.write_text(f"{json.dumps(asdict(first))}\n{json.dumps(asdict(second))[:40]}", "utf-8")
    Store(path).add(second)
    assert list(Store(path)) == [first, second]


def test_a_line_that_is_no_cell_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    path.write_text('{"key": {"network": "lenet"}}\n', "utf-8")
    with pytest.raises(SystemExit, match=r"cells\.jsonl:1: no cell"):
        Store(path)


def test_cells_of_another_recipe_version_or_calibration_are_not_shown(tmp_path: Path) -> None:
    now = {
        "thresher": thresher.__version__,
        "recipe_sha256": recipe_sha256("default"),
        "calibration": 50,
    }
    store = Store(tmp_path / "cells.jsonl")
    for changed in ({}, {"thresher": "0"}, {"recipe_sha256": "0"}, {"calibration": 51}):
        store.add(cell(**now | changed))
    assert store.current(50) == [cell(**now)]


def test_a_recipe_is_another_with_another_parameter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "recipe: r\npasses: [fold-batch-norm, {init-potential: {fraction: 0.5}}]\n"
    found = []
    for written in (text, f"# said otherwise\n{text}", text.replace("0.5", "0.25")):
        (tmp_path / "r.yaml").write_text(written, "utf-8")
        monkeypatch.setattr("benchmarks.accuracy_cells.ABLATIONS", tmp_path)
        found.append(recipe_sha256("r"))
    assert found[0] == found[1] != found[2]


def test_main_recipes_have_more_images_and_longer_runs(subject: Subject) -> None:
    cells = list(accuracy.keys(replace(subject, x=np.zeros(8000)), arguments()))
    steps = {name: [k.steps for k in cells if k.recipe == name] for name in ("exact", "int8")}
    assert steps == {"exact": [1, 2, 4, 8, 16, 32, 64], "int8": [1, 2, 4, 8, 16, 32]}
    images = {k.recipe: k.images for k in cells}
    assert (images["exact"], images["int8"]) == (8000, 1000)
    assert set(images) == set(every_recipe()) - {"async"}


def test_options_choose_what_is_measured(subject: Subject) -> None:
    chosen = arguments("--recipes", "int8", "--steps", "3", "--images", "5", "--schedule", "async")
    (key,) = accuracy.keys(subject, chosen)
    assert (key.recipe, key.steps, key.images, key.schedule) == ("int8", 3, 5, "async")


@pytest.mark.parametrize(
    "argv", [["--steps", "0"], ["--recipes", "magic"], ["--networks", "vgg16"]]
)
def test_bad_options_are_refused(argv: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        accuracy.parse(argv)


def test_cifar_networks_ask_for_the_unpacked_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("vgg7_cifar10.yaml", "cifar10_test.npz"):
        (tmp_path / name).touch()
    monkeypatch.setenv("THRESHER_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=r"--unpacked FOLDER.*cifar10_train\.npz"):
        load_subject("vgg7", 1, 1, tmp_path)


@pytest.mark.parametrize(
    ("found", "group"),
    [
        ({}, "binary"),
        ({"run": "lockstep, int"}, "binary"),
        ({"levels": 3, "bits": 1.6}, "graded"),
        ({"run": "layered"}, "layered"),
        ({"schedule": "async", "levels": 3}, "async"),
    ],
)
def test_what_is_not_comparable_stands_in_a_table_of_its_own(
    found: dict[str, object], group: str
) -> None:
    assert group_of(cell(**found)) == group
    titles = [line for line in report([cell(**found)]).splitlines() if line.startswith("### ")]
    assert titles == [f"### {GROUPS[group]}", "### Goals"]


def test_a_table_has_a_row_for_each_recipe_and_a_column_for_each_number_of_steps() -> None:
    cells = [
        cell("default", 4, right=170, spikes=2000.0, synaptic_operations=3e6),
        cell("default", 8, right=180, convert_seconds=2.0, simulate_seconds=40.0),
        cell("deng2021", 8, right=160),
    ]
    lines = report(cells).splitlines()
    assert "| network | recipe | images | ANN % | T = 4 | T = 8 | convert s | simulate s |" in lines
    assert "| LeNet, MNIST | `default` | 200 | 90.00 | 85.00 | 90.00 | 2 | 40 |" in lines
    assert "| LeNet, MNIST | `deng2021` | 200 | 90.00 |  | 80.00 | 0 | 0 |" in lines
    assert "| LeNet, MNIST | `default` | 200 | 2.00 / 3.00 | 0.0100 / 0 |" in lines


def test_steps_beyond_t_are_said_in_the_row() -> None:
    cells = [
        cell("settles", 4, run="lockstep, settled", quiescent=6.25),
        cell("probes", 4, run="lockstep, probed", probe_steps=4),
        cell("neither", 4),
    ]
    found = report(cells)
    for run in ("lockstep, settled (+2.2 steps", "lockstep, probed (+4.0 steps", "lockstep |"):
        assert f"| {run}" in found


@pytest.mark.parametrize(("lost", "verdict"), [(3, "0.30 ± 0.17 | 1,000 | met"), (4, "missed")])
def test_a_goal_is_met_up_to_its_points(lost: int, verdict: str) -> None:
    found = report([cell(images=1000, lost=lost)])
    goals = found[found.index("### Goals") :].splitlines()
    line = next(line for line in goals if line.startswith("| LeNet, MNIST | Binary"))
    assert "| 4 | at most 0.3 |" in line
    assert line.endswith(f"{verdict} |")


def test_a_goal_without_a_cell_is_said_not_to_be_measured() -> None:
    assert report([cell(steps=2)]).count("not measured") == len(GOALS)


def test_a_goal_of_a_class_is_judged_by_its_best_recipe_on_the_most_images() -> None:
    assert any(goal == Goal("resnet20", "graded", 4, 0.5) for goal in GOALS)
    cells = [
        cell(name, network="resnet20", images=images, levels=8, lost=lost)
        for name, images, lost in [("few", 100, 0), ("worse", 400, 9), ("better", 400, 1)]
    ]
    line = next(line for line in report(cells).splitlines() if "`better` | 0.25 ± 0.25" in line)
    assert line.endswith("| 400 | met |")


@pytest.mark.parametrize(
    ("right", "images", "verdict"),
    [
        (169, 200, "`async` | 0.50 | 200 | met |"),
        (168, 200, "`async` | 1.00 | 200 | missed |"),
        (100, 100, "not measured |"),
    ],
)
def test_async_is_judged_against_lockstep_on_as_many_images(
    right: int, images: int, verdict: str
) -> None:
    alone = cell("async", 16, schedule="async", run="async", right=right, images=images)
    found = report([cell("default", 16, right=170), alone])
    line = next(x for x in found.splitlines() if "| LeNet, MNIST | Asynchronous" in x)
    assert "at most 0.5, against `default` in lockstep" in line
    assert line.endswith(verdict)


@pytest.mark.parametrize(
    ("right", "verdict"), [(180, "0.00 | 200 | met |"), (179, "0.50 | 200 | missed |")]
)
def test_a_fine_tuned_network_is_judged_against_the_ann_before(right: int, verdict: str) -> None:
    tuned = cell(steps=8, network="resnet20-qcfs", ann_right=190, right=right)
    found = report([cell(network="resnet20", ann_right=180), tuned])
    line = next(x for x in found.splitlines() if "| at most 0, against the ANN before" in x)
    assert line.endswith(f"| `default` | {verdict}")


def test_a_fine_tuned_network_that_is_not_there_is_named_with_how_to_train_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("resnet20_cifar10.yaml", "cifar10_test.npz", "cifar10_train.npz"):
        (tmp_path / name).touch()
    monkeypatch.setenv("THRESHER_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match=r"resnet20-qcfs\.yaml' is not there; train it as"):
        load_subject("resnet20-qcfs", 1, 1, tmp_path)


def test_the_ablation_has_the_default_of_the_same_images_last() -> None:
    assert set(ABLATION) == {*ablations(), "plain", "default"}
    cells = [
        cell("maximum", right=20),
        cell("default", right=170),
        cell("default", images=400, right=380),
    ]
    rows = report(cells).split("### What the default is made of")[1].strip().splitlines()[2:]
    assert rows == [
        "| LeNet, MNIST | `maximum` | 200 | 90.00 | 10.00 |",
        "| LeNet, MNIST | `default` | 200 | 90.00 | 85.00 |",
    ]


@pytest.mark.parametrize("refused", ["", "no: it | does not"])
def test_a_line_of_the_csv_has_every_column(refused: str) -> None:
    assert len(csv_row(cell(refused=refused))) == len(CSV_HEADER)


def test_every_goal_is_of_a_network_and_a_group_that_there_are() -> None:
    assert {goal.network for goal in GOALS} <= set(TITLES)
    assert {goal.group for goal in GOALS} <= set(GROUPS)


def test_tables_are_printed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- accuracy: begin -->\n<!-- accuracy: end -->\n", "utf-8")
    monkeypatch.setattr(accuracy, "PAGE", page)
    monkeypatch.setattr(accuracy, "CELLS", tmp_path / "cells.jsonl")
    monkeypatch.setattr("benchmarks.common.RESULTS", tmp_path)
    options = "--networks digits --recipes deng2021 --steps 2 --images 4 --calibration 8 --write"
    monkeypatch.setattr("sys.argv", ["accuracy", *options.split()])
    accuracy.main()
    assert "| digits CNN | `deng2021` | 4 |" in page.read_text("utf-8")
    assert (tmp_path / "accuracy.csv").read_text("utf-8").count("\n") == 2
