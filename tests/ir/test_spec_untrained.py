"""Specs whose tensors are drawn instead of read."""

import re
from pathlib import Path

import numpy as np
import pytest
from small_spec import SPEC, tensors, write_spec

from thresher.errors import SpecError, ThresherError
from thresher.ir import load, save
from thresher.ir.initialise import KaimingNormal

DRAWN = """\
tensors:
  conv1.weight: {init: kaiming_normal, seed: 3}
  conv1.bias: {init: zeros}
  fc.weight: {init: uniform, low: -1, high: 1}
"""


def untrained(section: str, old: str = "", new: str = "") -> str:
    """Return the small spec with another `tensors` section and one piece of text replaced."""
    return SPEC.replace("tensors: small.safetensors\n", section).replace(old, new)


def test_shapes_follow_from_the_fields_and_the_inputs(tmp_path: Path) -> None:
    graph = load(write_spec(tmp_path, untrained(DRAWN)))
    shapes = {name: values.shape for name, values in graph.tensors.items()}
    assert shapes == {"conv1.weight": (2, 1, 3, 3), "conv1.bias": (2,), "fc.weight": (3, 32)}


def test_values_are_the_initialisers(tmp_path: Path) -> None:
    graph = load(write_spec(tmp_path, untrained(DRAWN)))
    expected = KaimingNormal(seed=3).draw("conv1.weight", (2, 1, 3, 3))
    np.testing.assert_array_equal(graph.tensors["conv1.weight"], expected)
    np.testing.assert_array_equal(graph.tensors["conv1.bias"], np.zeros(2, np.float32))


def test_two_loads_agree(tmp_path: Path) -> None:
    path = write_spec(tmp_path, untrained(DRAWN))
    assert load(path) == load(path)


def test_saving_writes_the_tensors_out(tmp_path: Path) -> None:
    graph = load(write_spec(tmp_path, untrained(DRAWN)))
    save(graph, tmp_path / "drawn.yaml")
    assert "tensors: drawn.safetensors\n" in (tmp_path / "drawn.yaml").read_text()
    assert load(tmp_path / "drawn.yaml") == graph


def test_a_pattern_stands_for_all_names_that_fit_it(tmp_path: Path) -> None:
    section = """\
tensors:
  fc.weight: {init: ones}
  "*.weight": {init: constant, value: 0.5}
  "*.bias": {init: zeros}
"""
    found = load(write_spec(tmp_path, untrained(section))).tensors
    np.testing.assert_array_equal(found["fc.weight"], np.ones((3, 32)))
    np.testing.assert_array_equal(found["conv1.weight"], np.full((2, 1, 3, 3), 0.5))
    np.testing.assert_array_equal(found["conv1.bias"], np.zeros(2))


def test_files_and_initialisers_may_be_mixed(tmp_path: Path) -> None:
    section = "tensors: [small.safetensors, {fc.other: {init: ones}}]\n"
    text = untrained(section, "from: flatten", "from: flatten, weight: fc.other")
    found = load(write_spec(tmp_path, text)).tensors
    np.testing.assert_array_equal(found["conv1.weight"], tensors()["conv1.weight"])
    np.testing.assert_array_equal(found["fc.other"], np.ones((3, 32)))


def test_a_node_before_its_sources_is_drawn_too(tmp_path: Path) -> None:
    lines = untrained(DRAWN).splitlines(keepends=True)
    nodes = slice(lines.index("nodes:\n") + 1, lines.index("outputs: [fc]\n"))
    straight = load(write_spec(tmp_path, "".join(lines))).tensors
    lines[nodes] = reversed(lines[nodes])
    turned = load(write_spec(tmp_path, "".join(lines))).tensors
    for name, values in straight.items():
        np.testing.assert_array_equal(turned[name], values)


@pytest.mark.parametrize(
    ("section", "old", "new", "message"),
    [
        (DRAWN, "init: zeros", "init: zeroes", "5: tensor 'conv1.bias': unknown initialiser 'zero"),
        (DRAWN, "seed: 3", "sed: 3", "4: tensor 'conv1.weight': unknown field 'sed': did you mean"),
        (
            DRAWN,
            "seed: 3",
            "seed: -3",
            "4: tensor 'conv1.weight': field 'seed' is -3; expected a w",
        ),
        (DRAWN, "init: zeros", "value: 1", "5: tensor 'conv1.bias': field 'init' is missing"),
        (DRAWN, "{init: zeros}", "zeros", "5: tensor 'conv1.bias' is 'zeros'; expected a mapping"),
        (
            DRAWN,
            "high: 1",
            "high: -2",
            "6: tensor 'fc.weight': init 'uniform': low is -1; expected",
        ),
        (
            DRAWN,
            "zeros",
            "kaiming_normal",
            "10: node 'conv1': tensor 'conv1.bias' is [2] and has n",
        ),
        (DRAWN, "out_channels: 2, ", "", "10: node 'conv1': needs 'out_channels' where its weight"),
        (DRAWN, "  fc.weight", "  f.weight", "13: node 'fc': there is no tensor 'fc.weight' in"),
        (
            DRAWN,
            "out_channels: 2,",
            "out_channels: 1000000000,",
            "10: node 'conv1': 'conv1.weight' is [1000000000, 1, 3, 3], 9,000,000,000 values; "
            "expected at most 2,147,483,648",
        ),
        (
            DRAWN,
            "op: relu, from: conv1",
            "op: relu, from: conv1, spiking: {threshold: conv1.bias}",
            "'threshold' is tensor 'conv1.bias', which holds 0 to 0; expected a finite number",
        ),
        (
            DRAWN + "  t: {init: ones}\n",
            "op: relu, from: conv1",
            "op: relu, from: conv1, spiking: {threshold: t}",
            "12: node 'relu1': spiking: tensor 't' has an initialiser, but only weights of ops can",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, section: str, old: str, new: str, message: str
) -> None:
    path = write_spec(tmp_path, untrained(section, old, new))
    with pytest.raises(ThresherError, match=f"^{re.escape(str(path))}:.*{re.escape(message)}"):
        load(path)


def test_all_drawn_tensors_together_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thresher.ir.spec_tensors.LARGEST_DRAWN", 18 + 2 + 95)
    message = r":13: node 'fc': tensor 'fc\.weight' is \[3, 32\]; .* at most 115 in all tensors"
    with pytest.raises(SpecError, match=message):
        load(write_spec(tmp_path, untrained(DRAWN)))


def test_a_tensor_in_two_files_is_refused(tmp_path: Path) -> None:
    text = SPEC.replace("small.safetensors", "[small.safetensors, more.npz]")
    path = write_spec(tmp_path, text)
    np.savez(tmp_path / "more.npz", **{"fc.weight": tensors()["fc.weight"]})
    message = r"tensor 'fc\.weight' stands in 'small\.safetensors' and in 'more\.npz'"
    with pytest.raises(SpecError, match=message):
        load(path)
