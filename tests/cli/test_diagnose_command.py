"""`thresher diagnose`: what it prints and writes."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_network import Thresher, X, Y

from thresher import diagnose, load

DIAGNOSE = "diagnose tiny.snn.yaml --data data.npz --steps 4"


def test_tables_fit_120_columns_and_the_verdict_names_every_layer(
    folder: Path, thresher: Thresher
) -> None:
    run = thresher(DIAGNOSE)
    assert run.status == 0
    assert run.err == ""
    tables, _, verdict = run.out.partition("Accuracy: ANN 83.3 %")
    assert tables.startswith("tiny: lockstep, T = 4, 6 samples\n")
    assert max(map(len, tables.splitlines())) <= 120
    assert [line.split()[0] for line in verdict.splitlines()[-2:]] == ["relu1", "fc"]


def test_tables_of_a_deep_network_fit_120_columns(
    folder: Path, thresher: Thresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The widest values that there are: errors of hundreds of per cent, negative biases."""
    spec = Path("tiny.snn.yaml")
    spec.write_text(spec.read_text().replace("relu1", "s3b2_relu12").replace("1.0", "4321.25"))
    np.savez("data.npz", x=1000 * X, y=Y)
    run = thresher(DIAGNOSE)
    assert max(map(len, run.out.partition("Accuracy")[0].splitlines())) <= 120


def test_csv_has_a_row_a_layer_with_what_python_gives(folder: Path, thresher: Thresher) -> None:
    run = thresher(f"{DIAGNOSE} --csv out.csv")
    assert "wrote out.csv" in run.out
    with Path("out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = diagnose(load("tiny.snn.yaml"), X, Y, steps=4).rows()
    written = [{k: "" if v is None else str(v) for k, v in row.items()} for row in expected]
    assert rows == written
    assert [row["name"] for row in rows] == ["relu1", "fc"]
    assert rows[1]["threshold"] == ""


def test_json_has_all_figures_and_the_verdict(folder: Path, thresher: Thresher) -> None:
    run = thresher(f"{DIAGNOSE} --json out.json --schedule async --ticks-per-step 8")
    found = json.loads(Path("out.json").read_text())
    spec = Path("tiny.snn.yaml").read_bytes()
    expected = diagnose(
        load("tiny.snn.yaml"), X, Y, steps=4, schedule="async", ticks_per_step=8
    ).metrics()
    verdict, advice = found.pop("verdict"), found.pop("advice")
    assert found == expected | {"spec_sha256": hashlib.sha256(spec).hexdigest()}
    assert (found["schedule"], found["ticks_per_step"], found["samples"]) == ("async", 8, 6)
    assert verdict[0] in run.out
    assert advice.keys() == {"relu1", "fc"}


def test_without_labels_agreement_is_told(folder: Path, thresher: Thresher) -> None:
    np.savez("data.npz", x=X)
    assert "Agreement: ANN 100.0 %" in thresher(DIAGNOSE).out


def test_offset_and_limit_choose_the_images(folder: Path, thresher: Thresher) -> None:
    thresher(f"{DIAGNOSE} --offset 2 --limit 3 --json out.json")
    found = json.loads(Path("out.json").read_text())
    expected = diagnose(load("tiny.snn.yaml"), X[2:5], Y[2:5], steps=4)
    assert found["layers"] == expected.rows()
