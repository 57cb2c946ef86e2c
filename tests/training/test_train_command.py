"""`thresher train`: what it prints and writes, and how it refuses."""

import sys
from pathlib import Path

import numpy as np
import pytest
from training_graphs import clipped, digits_cnn, digits_images

from thresher import load, save
from thresher.cli import main
from thresher.cli.train import describe
from thresher.training import TrainingProgress

X, Y = digits_images(96)
TRAIN = "train net.yaml --data data.npz --epochs 2 -o out.yaml"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the working folder one with a network and its images."""
    monkeypatch.chdir(tmp_path)
    save(digits_cnn(), "net.yaml")
    np.savez("data.npz", x=X, y=Y)
    np.savez("nameless.npz", x=X)
    np.savez("foreign.npz", x=X, y=Y + 90)
    return tmp_path


def run(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(line.split())
    out, err = capsys.readouterr()
    return status, out, err


def test_a_row_an_epoch_is_printed_and_the_network_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    status, out, err = run(f"{TRAIN} --validate digits --activation qcfs --levels 8", capsys)
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["epoch", "loss", "accuracy", "in", "training", "validation", "seconds"]
    assert [row[0] for row in rows[2:4]] == ["1", "2"]
    assert "wrote out.yaml and out.safetensors" in out
    graph = load("out.yaml")
    assert (graph["relu1"].op.kind, graph["relu1"].op.levels) == ("qcfs", 8)
    recorded = graph.meta["training"]
    assert f"{100 * recorded['validation_accuracy']:.2f}" in rows[3]


def test_held_out_images_are_not_trained_on(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    assert run(f"{TRAIN} --hold-out 30", capsys)[0] == 0
    recorded = load("out.yaml").meta["training"]
    assert recorded["samples"] == 96 - 30
    assert recorded["validation_accuracy"] is not None


def test_a_checkpoint_is_gone_on_from(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    command = f"{TRAIN} --checkpoint run.safetensors"
    assert run(command, capsys)[0] == 0
    first = Path("out.safetensors").read_bytes()
    Path("out.yaml").unlink(), Path("out.safetensors").unlink()
    assert run(command, capsys)[0] == 0
    assert Path("out.safetensors").read_bytes() == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "--activation gelu",
            "'--activation': 'gelu'; expected one of threshold_relu, qcfs, slip_relu",
        ),
        ("--epochs 0", "'--epochs': '0'; expected a whole number of at least 1"),
        ("--lr -1", "field 'learning_rate' is -1.0; expected a finite number above 0"),
        ("--levels 4", "field 'levels' is 4, but activation 'threshold_relu' has no levels"),
        ("--data nameless.npz", "nameless.npz: there are no labels; expected y, a class an image"),
        ("--data foreign.npz", "foreign.npz: sample 0 of the selection has label 9"),
        ("--validate nameless.npz", "nameless.npz: there are no labels"),
        ("--validate digits --hold-out 9", "expected --validate or --hold-out, not both"),
        ("--hold-out 95", "'--hold-out': 95 of 96 images; expected to leave at least 2"),
        ("--checkpoint run.pt", "'--checkpoint': 'run.pt' has the suffix '.pt'; expected .safe"),
        ("--checkpoint out.safetensors", "is where the tensors of 'out.yaml' go"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_written(
    options: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().iterdir())
    status, out, err = run(f"{TRAIN} {options}", capsys)
    assert (status, out) == (2, "")
    assert err.startswith("thresher: ") and message in err
    assert sorted(Path().iterdir()) == before


def test_a_missing_pytorch_is_a_failure_and_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    status, _, err = run(TRAIN, capsys)
    assert status == 1
    assert "pip install 'thresher[torch]'" in err


def test_a_run_that_diverges_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    save(digits_cnn(clipped()), "net.yaml")
    status, _, err = run(f"{TRAIN} --lr 1e30", capsys)
    assert status == 1
    assert "nothing was written. Take a lower learning rate" in err


def test_an_interrupt_names_the_checkpoint_that_is_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="training needs PyTorch")
    loop = pytest.importorskip("thresher.training.loop")
    whole = loop.Run.next_epoch

    def one_epoch(self: object, *given: object) -> None:
        if self.epochs:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        whole(self, *given)

    monkeypatch.setattr(loop.Run, "next_epoch", one_epoch)
    status, _, err = run(f"{TRAIN} --checkpoint run.safetensors", capsys)
    assert status == 130
    assert "stopped after 96 of 192 images (training); the same command goes on from" in err


def test_the_line_holds_the_epoch_its_figures_the_rate_and_the_time_left() -> None:
    reached = TrainingProgress(500, 2000, epoch=2, epochs=8, loss=0.51234, accuracy=0.825)
    assert describe(reached, seconds=10.0) == (
        "epoch 2/8, loss 0.5123, 82.50 %, 50 images/s, 0:00:10, 0:00:30 left"
    )
