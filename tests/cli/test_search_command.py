"""`thresher convert --recipe auto`: what it prints, and which options it refuses."""

import re
from pathlib import Path

import numpy as np
import pytest
from tiny_network import Thresher, X, Y

from thresher import ir, search

AUTO = "convert tiny.yaml --recipe auto -o out.snn.yaml"


@pytest.fixture
def many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data that are enough to keep 20 images back, and three recipes to try."""
    names = ["deng2021", "exact", "rueckauer2017"]
    monkeypatch.setattr("thresher.search.plan.recipe_names", lambda: names)
    np.savez(folder / "data.npz", x=np.tile(X, (20, 1, 1, 1)), y=np.tile(Y, 20))
    return folder


def test_a_search_says_what_it_tries_what_came_of_it_and_why_it_chose(
    many: Path, thresher: Thresher
) -> None:
    run = thresher(f"{AUTO} --data data.npz --budget steps=4")
    assert (run.status, run.err) == (0, "")
    lines = run.out.splitlines()
    assert lines[0] == "tries 2 recipes at T = 1, 2, 4 on 30 images kept back, calibrated on 90"
    assert lines[1] == (  # images 3, 1 and 5 in turn, the last of which has the wrong label
        "accuracy on 30 images kept back, the ANN's is 66.67 %; spikes and SOPs an image:"
    )
    rows = [line.split() for line in lines]
    assert ["deng2021", "4", "66.67", "%"] in [row[:4] for row in rows]
    assert any(re.match(r"exact +its spikes carry 1\.6 bits", line) for line in lines)
    (chose,) = (line for line in lines if line.startswith("chose "))
    snn = ir.load("out.snn.yaml")
    found = search.selection(snn)
    assert found is not None
    assert chose == (f"chose '{found.chosen.recipe}' at T = {found.chosen.steps}: {found.reason}")
    assert lines[-1].endswith(f"--data data.npz --steps {found.chosen.steps}")


def test_inspect_shows_how_the_recipe_was_chosen(many: Path, thresher: Thresher) -> None:
    out = thresher(f"{AUTO} --data data.npz --budget steps=4").out
    told = out[out.index("accuracy on 30") : out.index("chose ")]
    again = thresher("inspect out.snn.yaml").out
    assert told in again
    assert "chose " in again


def test_what_was_judged_in_async_is_to_be_simulated_so(many: Path, thresher: Thresher) -> None:
    run = thresher(f"{AUTO} --data data.npz --budget steps=2 --schedule async")
    assert (run.status, run.err) == (0, "")
    assert re.match(r"tries \d+ recipes in async at T = 1, 2 on 30 images", run.out)
    assert "the best within steps=2 in async is " in run.out
    assert run.out.splitlines()[-1].endswith(" --schedule async")


def test_a_trial_beyond_the_budget_is_marked(many: Path, thresher: Thresher) -> None:
    run = thresher(f"{AUTO} --data data.npz --budget spikes=6")
    assert run.status == 0
    assert re.search(r"^deng2021 .* beyond spikes=6$", run.out, re.MULTILINE)


def test_without_labels_agreement_decides(many: Path, thresher: Thresher) -> None:
    np.savez(many / "data.npz", x=np.tile(X, (20, 1, 1, 1)))
    run = thresher(f"{AUTO} --data data.npz --budget steps=2")
    assert "agreement on 30 images kept back with the ANN; " in run.out


def test_a_budget_that_none_keeps_to_shows_the_table_and_writes_nothing(
    many: Path, thresher: Thresher
) -> None:
    run = thresher(f"{AUTO} --data data.npz --budget spikes=0.1")
    assert run.status == 2
    assert "deng2021" in run.out
    assert "no recipe keeps to spikes=0.1: the nearest, " in run.err
    assert not Path("out.snn.yaml").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--data data.npz", "'--budget': is missing; expected steps=T"),
        ("--budget steps=4", "'--data': is missing"),
        ("--data data.npz --budget 4", "budget '4': expected steps=T"),
        ("--data data.npz --budget steps=4 --steps 4", "'--steps': .* give --budget steps=4"),
        ("--data data.npz --budget steps=4 --set shift.mode=start", "'--set': changes one recipe"),
        ("--data data.npz --budget steps=4 --limit 79", "79 images leave 19 to judge by"),
        ("--data data.npz --budget steps=4 --recipe exact", "'--budget': goes with --recipe auto"),
        ("--multi-bit --recipe exact", "'--multi-bit': goes with --recipe auto"),
        ("--schedule async --recipe exact", "'--schedule': goes with --recipe auto"),
        (
            "--data data.npz --budget steps=4 --schedule layered",
            "'--schedule'.*'layered'.*lockstep, async",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    many: Path, thresher: Thresher, options: str, message: str
) -> None:
    run = thresher(f"{AUTO} {options}")
    assert (run.status, run.out) == (2, "")
    assert re.search(message, run.err)
