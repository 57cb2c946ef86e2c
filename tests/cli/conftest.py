"""A folder with the tiny network and its data, and a way to run the command line in it."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_network import SPEC, SPIKING, TENSORS, Run, Thresher, X, Y

from thresher.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make tiny.yaml (ANN), tiny.snn.yaml (SNN), their tensors and data.npz the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(SPEC)
    snn = SPEC.replace("relu1: {op: relu, from: conv1}", SPIKING)
    (tmp_path / "tiny.snn.yaml").write_text(snn)
    save_file(TENSORS, tmp_path / "tiny.safetensors")
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    return tmp_path


@pytest.fixture
def thresher(capsys: pytest.CaptureFixture[str]) -> Thresher:
    """Run a command line in this process; it is split at spaces."""

    def run(line: str) -> Run:
        capsys.readouterr()
        status = main(line.split())
        out, err = capsys.readouterr()
        return Run(status, out, err)

    return run
