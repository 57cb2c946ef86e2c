"""The transformer among the specs: what its README says of it, and README's workflow on it."""

from pathlib import Path

import numpy as np
import pytest

import thresher
from thresher import digits
from thresher.cli import main

SPEC = Path(__file__).parents[1] / "specs" / "digits_transformer.yaml"


def test_it_has_the_accuracy_that_is_stated_and_operators_keep_it() -> None:
    x_train, _, x, y = digits.load()
    graph = thresher.load(SPEC)
    decided = thresher.evaluate(graph, x).argmax(axis=1)
    assert (decided == y).mean() == 0.968
    snn = thresher.convert(graph, "huang2024-ecmt", calibration=x_train[:128], steps=8)
    found = thresher.simulate(snn, x[:60], steps=8).predictions[:, -1]
    assert (found == decided[:60]).mean() >= 0.95


def test_it_is_trained_further_and_converted_by_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="PyTorch, which trains, is not installed")
    tuned, snn = str(tmp_path / "tuned.yaml"), str(tmp_path / "snn.yaml")
    small = ["--data", "digits", "--limit", "256"]
    options = ["--epochs", "1", "--lr", "0.001", "-o", tuned]
    assert main(["train", str(SPEC), *small, *options]) == 0
    before, after = thresher.load(SPEC), thresher.load(tuned)
    assert [node.op.kind for node in after] == [node.op.kind for node in before]
    assert any((before.tensors[n] != after.tensors[n]).any() for n in before.tensors)
    recipe = ["--recipe", "huang2024-ecmt", "--steps", "4", "-o", snn]
    assert main(["convert", tuned, *small, *recipe]) == 0
    assert main(["simulate", snn, "--data", "digits", "--limit", "20", "--steps", "4"]) == 0
    assert "SNN accuracy" in capsys.readouterr().out
    assert np.isfinite(thresher.evaluate(after, digits.load()[2][:20])).all()
