"""The demonstration: what it shows, what it writes, and that its advice works."""

import contextlib
import io
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from thresher import ir, sim
from thresher.cli import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the demonstration once; return its folder and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "with space"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["demo", "--output", str(folder)]) == 0
    return folder, out.getvalue()


def test_demo_shows_the_ann_beside_both_schedules(demo: tuple[Path, str]) -> None:
    _, out = demo
    for word in ("ANN", "lockstep", "async", "accuracy", "spikes an image", "latency"):
        assert word in out


@pytest.mark.skipif(not sim.compiled_available()[0], reason="the kernels are not compiled")
def test_demo_writes_a_converted_spec_with_measures_and_traces(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    assert ir.load(folder / "digits.snn.yaml")["relu1"].spiking is not None
    for schedule in ("lockstep", "async"):
        measures = json.loads((folder / f"{schedule}.json").read_text())
        assert measures["schedule"] == schedule
        assert measures["samples"] == 500
        with np.load(folder / f"{schedule}.npz", allow_pickle=False) as trace:
            assert np.unique(trace["sample"]).tolist() == list(range(10))


def test_demo_without_kernels_takes_few_images_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim, "compiled_available", lambda: (False, "no compiler"))
    assert main(["demo", "--output", str(tmp_path)]) == 0
    assert "the kernels are not compiled (no compiler): 2 images only" in capsys.readouterr().out
    assert json.loads((tmp_path / "async.json").read_text())["samples"] == 2


def test_demo_loses_little_accuracy_in_lockstep(demo: tuple[Path, str]) -> None:
    folder, _ = demo
    measures = json.loads((folder / "lockstep.json").read_text())
    assert measures["ann_accuracy"] - measures["accuracy"] <= 0.01
    assert measures["ann_agreement"] >= 0.98


def test_every_command_that_the_demo_advises_works(
    demo: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, out = demo
    advised = [line.strip() for line in out.splitlines() if line.startswith("  thresher ")]
    assert len(advised) >= 3
    for command in advised:
        assert main(shlex.split(command)[1:]) == 0
        assert capsys.readouterr().err == ""
