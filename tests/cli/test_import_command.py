"""`thresher import`, and `thresher validate` on models of other tools."""

import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_network import TENSORS, Thresher

import thresher as library


def test_weights_make_a_new_spec_of_a_known_one(folder: Path, thresher: Thresher) -> None:
    doubled = {name: 2 * values for name, values in TENSORS.items()}
    save_file(doubled, folder / "trained.safetensors")
    run = thresher("import tiny.yaml --weights trained.safetensors -o new.yaml")
    assert (run.status, run.err) == (0, "")
    assert "wrote new.yaml and new.safetensors: 4 nodes from tiny.yaml" in run.out
    for name, values in load_file(folder / "new.safetensors").items():
        np.testing.assert_array_equal(values, doubled[name])


def test_validate_says_whether_weights_are_those_of_a_spec(
    folder: Path, thresher: Thresher
) -> None:
    save_file(TENSORS, folder / "same.safetensors")
    save_file({**TENSORS, "fc.bias": np.zeros(4, np.float32)}, folder / "other.safetensors")
    assert "tiny.yaml: fine" in thresher("validate tiny.yaml --weights same.safetensors").out
    run = thresher("validate tiny.yaml --weights other.safetensors")
    assert run.status == 2
    assert "'fc.bias' is [4], expected [3]" in run.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import tiny.yaml -o new.yaml", "is a spec already"),
        ("import absent.onnx -o new.yaml", "'absent.onnx' does not exist"),
        ("import data.npz -o new.yaml", "holds weights at most.*.onnx.*SPEC --weights data.npz"),
        ("validate data.npz", "holds weights at most"),
        ("import data.csv -o new.yaml", "unknown suffix of a model '.csv': known are .pt2"),
        ("import tiny.yaml --weights tiny.snn.yaml -o new.yaml", "suffix '.yaml'; expected .pt"),
        ("import net.onnx -o new.txt", "expected .yaml or .yml"),
        ("import net.onnx --shape 3,x -o new.yaml", "such as 3,32,32"),
        ("validate absent.keras", "'absent.keras' does not exist"),
    ],
)
def test_bad_usage_is_said_in_a_paragraph(
    folder: Path, thresher: Thresher, line: str, message: str
) -> None:
    before = sorted(folder.iterdir())
    run = thresher(line)
    assert (run.status, run.out) == (2, "")
    assert run.err.count("\n") == 1
    assert "Traceback" not in run.err
    assert re.search(message, run.err), run.err
    assert sorted(folder.iterdir()) == before


def test_validate_lists_the_nodes_that_conversion_would_refuse(
    folder: Path, thresher: Thresher
) -> None:
    spec = (folder / "tiny.yaml").read_text().replace("op: relu,", "op: leaky_relu,")
    (folder / "leaky.yaml").write_text(spec)
    run = thresher("validate leaky.yaml")
    assert run.status == 0
    assert "1 of its nodes are refused by conversion" in run.out
    assert "'relu1'" in run.out and "'kim2020'" in run.out


def test_validate_lists_every_part_of_a_model_that_is_refused(
    folder: Path, thresher: Thresher
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    layers = [torch.nn.Conv2d(1, 2, 1), torch.nn.Softplus(), torch.nn.ReLU(), torch.nn.Mish()]
    for name, parts in (("good", layers[::2]), ("bad", layers)):
        program = torch.export.export(torch.nn.Sequential(*parts), (torch.zeros(2, 1, 2, 2),))
        torch.export.save(program, folder / f"{name}.pt2")
    run = thresher("validate bad.pt2")
    assert run.status == 2
    assert "'1'" in run.out and "softplus" in run.out and "'3'" in run.out and "mish" in run.out
    assert "2 of its parts, listed above" in run.err
    run = thresher("validate good.pt2")
    assert run.status == 0
    assert "good.pt2: fine: 'good' is an ANN (not converted), 2 nodes, 4 parameters" in run.out


def test_an_imported_model_is_converted_and_simulated(folder: Path, thresher: Thresher) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(8, 3)
    )
    torch.export.save(torch.export.export(module, (torch.zeros(2, 1, 2, 2),)), folder / "net.pt2")
    assert thresher("import net.pt2 -o net.yaml").status == 0
    assert thresher("convert net.yaml --data data.npz --steps 8 -o net.snn.yaml").status == 0
    assert thresher("simulate net.snn.yaml --data data.npz --steps 8").status == 0
    with np.load(folder / "data.npz") as data, torch.no_grad():
        expected = module(torch.from_numpy(data["x"])).numpy()
        found = library.evaluate(library.load("net.yaml"), data["x"])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
