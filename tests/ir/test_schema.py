"""The JSON Schema agrees with the loader about good and bad specs."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from small_spec import SPEC

from thresher.ir import OPS, schema

DATA = Path(os.environ.get("THRESHER_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
EXAMPLES = [
    DATA / f"{name}.yaml"
    for name in ("bench_cnn", "bench_cnn.snn", "lenet_mnist", "resnet20_cifar10", "vgg7_cifar10")
]
SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))


def problems(text: str) -> list[str]:
    """List what the schema has against a spec, with the path to each."""
    validator = Draft202012Validator(schema())
    spec: Any = yaml.safe_load(text)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(spec)]


def test_it_is_a_schema_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", [*EXAMPLES, *SPECS], ids=lambda path: path.name)
def test_a_real_spec_is_valid(path: Path) -> None:
    if not path.exists():
        pytest.skip(f"there is no {path}; THRESHER_DATA names the folder")
    assert problems(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fc:", "no:"),
        ("from: image", "from: [image]"),
        ("padding: 1", "padding: [[1, 0], [2, 1]]"),
        ("from: conv1", "from: conv1, spiking: {threshold: relu1.threshold, v_init: 0.5}"),
        ("from: conv1", "from: conv1, spiking: {threshold: 1, parameters: {a: 0.02, b: -65}}"),
        ("from: conv1", "from: conv1, delay: 2"),
        ("[1, 4, 4]", "[1, 4, 4], preprocess: {mean: 0.5, std: [1.0]}, threshold: 2"),
        ("small.safetensors", "[a.safetensors, {w: {init: normal, std: 0.1}}]"),
        ("outputs: [fc]", "outputs: [fc]\nlabels: [0, no]\nreadout: {kind: spikes}"),
    ],
)
def test_what_the_format_allows_is_valid(old: str, new: str) -> None:
    assert SPEC.count(old) == 1
    assert problems(SPEC.replace(old, new)) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("thresher: 1", "thresher: 2", "$.thresher: 1 was expected"),
        ("outputs:", "output:", "$: Additional properties are not allowed ('output' was unexp"),
        ("outputs: [fc]", "", "$: 'outputs' is a required property"),
        ("op: relu", "op: rellu", "$.nodes.relu1.op: 'rellu' is not one of"),
        ("op: relu", "op: clipped_relu", "$.nodes.relu1: 'max' is a required property"),
        ("kernel: 3", "kernal: 3", "$.nodes.conv1: Additional properties are not allowed ('kern"),
        ("kernel: 3", "kernel: three", "$.nodes.conv1.kernel: 'three' is not valid under any"),
        (", from: conv1", "", "$.nodes.relu1: 'from' is a required property"),
        ("bias: false", "bias: true", "$.nodes.fc.bias: True is not valid under any"),
        ("conv1}", "conv1, spiking: {threshold: 0}}", "$.nodes.relu1.spiking.threshold: 0 is not"),
        ("conv1}", "conv1, spiking: {}}", "$.nodes.relu1.spiking: 'threshold' is a required"),
        ("conv1}", "conv1, delay: -1}", "$.nodes.relu1.delay: -1 is less than the minimum of 0"),
        ("[1, 4, 4]", "[1, 0, 4]", "$.inputs.image.shape[1]: 0 is less than the minimum of 1"),
        ("small.safetensors", "{w: {init: zeroes}}", "$.tensors: {'w': {'init': 'zeroes'}} is"),
        ("outputs: [fc]", "outputs: []", "$.outputs: [] "),
    ],
)
def test_what_the_format_forbids_is_not_valid(old: str, new: str, problem: str) -> None:
    assert SPEC.count(old) == 1
    found = problems(SPEC.replace(old, new))
    assert any(item.startswith(problem) for item in found), found


@pytest.mark.parametrize("kind", OPS.names())
def test_an_op_is_described_by_its_docstring(kind: str) -> None:
    described = schema()["$defs"][f"op_{kind}"]
    assert described["title"] == kind
    assert described["description"] == (OPS.get(kind).__doc__ or "").replace("\n    ", "\n").strip()
