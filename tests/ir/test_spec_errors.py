"""What is wrong in a spec is answered with file, line, node, what was found and expected."""

import re
from pathlib import Path

import numpy as np
import pytest
from small_spec import SPEC, changed_spec, write_spec

from thresher.errors import GraphError, SpecError, ThresherError
from thresher.ir import load

CASES = [
    # the file's own keys
    ("thresher: 1", "thresher: 2", 1, "'thresher' is 2; expected 1, the only version"),
    ("thresher: 1", "thresher: yes", 1, "'thresher' is yes; expected 1"),
    ("thresher: 1\n", "", 1, "field 'thresher' is missing; expected 'thresher: 1'"),
    ("outputs: [fc]\n", "", 1, "field 'outputs' is missing; the file may be cut off"),
    ("outputs:", "output:", 11, "the spec: unknown field 'output': did you mean 'outputs'?"),
    ("outputs: [fc]", "outputs: [fd]", 11, "output 'fd' is not a node: nodes are conv1"),
    ("outputs: [fc]", "outputs: []", 11, "'outputs' is empty; expected at least one"),
    ("outputs: [fc]", "outputs: fc", 11, "'outputs' is 'fc'; expected a list of names"),
    ("name: small", "name: [a]", 2, "'name' is ['a']; expected a name"),
    ("[fc]", "[fc]\nreadout: {kind: membranes}", 12, "'readout': field 'kind' is 'membranes'"),
    ("[fc]", "[fc]\nreadout: {t_start: -1}", 12, "'readout': field 't_start' is -1; expected a"),
    ("[fc]", "[fc]\nconversion: [a]", 12, "'conversion' is ['a']; expected a mapping"),
    ("[fc]", "[fc]\nlabels: [[a]]", 12, "'labels' is ['a']; expected a name"),
    # inputs
    ("[1, 4, 4]", "[1, 0, 4]", 5, "input 'image': field 'shape' is [1, 0, 4]; expected a list of"),
    ("[1, 4, 4]", "[1, 4.5]", 5, "input 'image': field 'shape' is [1, 4.5]; expected a list of"),
    ("[1, 4, 4]", "[100000, 100000, 100000]", 5, "expected at most 2,147,483,648"),
    ("{shape: [1, 4, 4]}", "{}", 5, "input 'image': field 'shape' is missing"),
    ("{shape: [1, 4, 4]}", "[1, 4, 4]", 5, "input 'image' is [1, 4, 4]; expected a mapping"),
    ("4]}", "4], preproces: {}}", 5, "unknown field 'preproces': did you mean 'preprocess'?"),
    ("4]}", "4], preprocess: {divide: 0}}", 5, "preprocess: field 'divide' is 0; expected a fin"),
    ("4]}", "4], preprocess: {std: [0]}}", 5, "field 'std' is [0]; expected a finite number abo"),
    ("4]}", "4], preprocess: {mean: [1, 2]}}", 5, "field 'mean' is [1, 2]; expected a finite num"),
    ("4]}", "4], threshold: -1}", 5, "input 'image': field 'threshold' is -1; expected a finite"),
    ("  image: {shape: [1, 4, 4]}", "  {}", 5, "'inputs' is empty; expected at least one"),
    # nodes and their fields
    ("op: relu", "op: rellu", 8, "node 'relu1': unknown op 'rellu': did you mean 'relu'"),
    ("op: relu, ", "", 8, "node 'relu1': field 'op' is missing; expected one of relu"),
    ("op: relu", "op: clipped_relu", 8, "node 'relu1': field 'max' is missing; expected a finite"),
    ("kernel: 3", "kernel: three", 7, "node 'conv1': field 'kernel' is 'three'; expected a whole"),
    ("kernel: 3", "kernel: 03", 7, "node 'conv1': field 'kernel' is '03'; expected a whole"),
    ("kernel: 3", "kernel: -3", 7, "node 'conv1': field 'kernel' is -3; expected a whole number"),
    ("kernel: 3", "kernel:", 7, "node 'conv1': field 'kernel' is empty; expected a whole number"),
    ("kernel: 3", "kernal: 3", 7, "node 'conv1' (conv2d): unknown field 'kernal': did you mean"),
    ("{op: relu, from: conv1}", "relu", 8, "node 'relu1' is 'relu'; expected a mapping"),
    ("from: conv1}", "from: conv1, delay: 1.5}", 8, "node 'relu1': field 'delay' is 1.5; expected"),
    ("from: conv1}", "from: conv1, spiking: yes}", 8, "node 'relu1': spiking is yes; expected a"),
    # spiking
    ("conv1}", "conv1, spiking: {}}", 8, "node 'relu1': spiking: field 'threshold' is missing"),
    ("conv1}", "conv1, spiking: {threshold: 0}}", 8, "'threshold' is 0; expected a finite number"),
    ("conv1}", "conv1, spiking: {treshold: 1}}", 8, "did you mean 'threshold'"),
    ("conv1}", "conv1, spiking: {threshold: x}}", 8, "there is no tensor 'x' in small.safetensors"),
    (
        "conv1}",
        "conv1, spiking: {threshold: conv1.bias}}",
        8,
        "'threshold' is tensor 'conv1.bias', which holds -0.25 to 0.5; expected a finite number",
    ),
    (
        "conv1}",
        "conv1, spiking: {threshold: 1, v_init: fc.weight}}",
        8,
        "v_init 'fc.weight' is [3, 32]; expected a scalar, [2] or [2, 4, 4]",
    ),
    (
        "conv1}",
        "conv1, spiking: {threshold: 1, neuron: signed_if, levels: 0}}",
        8,
        "field 'levels' is 0; expected a whole number of at least 1",
    ),
    (
        "conv1}",
        "conv1, spiking: {threshold: 1, neuron: lif, tau: 0}}",
        8,
        "field 'tau' is 0; expected a finite number above 0",
    ),
    (
        "conv1}",
        "conv1, spiking: {threshold: 1, parameters: {a: 0.02, b: yes}}}",
        8,
        "names to finite numbers, such as {a: 0.02}; 'b' is True",
    ),
    (
        "conv1}",
        "conv1, spiking: {threshold: 1, parameters: 0.02}}",
        8,
        "field 'parameters' is 0.02; expected a mapping of names to finite numbers",
    ),
    (
        "conv1}",
        "conv1, spiking: {threshold: 1, parameters: {a: 1, a: 2}}}",
        8,
        "'a' is written twice",
    ),
    (
        "inputs:",
        "settle_limit: 0\ninputs:",
        4,
        "'settle_limit' is 0; expected a whole number of at",
    ),
    # edges
    ("from: conv1}", "from: conv2}", 8, "node 'relu1': reads 'conv2', which is no node and no in"),
    ("from: image", "from: relu1", 7, "the nodes 'conv1' -> 'relu1' -> 'conv1' form a cycle"),
    ("from: conv1}", "from: relu1}", 8, "the nodes 'relu1' -> 'relu1' form a cycle"),
    (", from: conv1", "", 8, "node 'relu1': field 'from' is missing; expected the name of a node"),
    ("from: conv1}", "from: [conv1, image]}", 8, "op 'relu' takes 1 input(s), got 2"),
    ("from: conv1}", "from: []}", 8, "op 'relu' takes 1 input(s), got 0"),
    ("  flatten:", "  conv1:", 9, "'conv1' is written twice, here and in line 7"),
    ("  flatten:", "  image:", 9, "node 'image' bears the name of an input"),
    ("  fc:", "  'f c':", 10, "'f c' cannot be a name"),
    # shapes
    ("from: flatten", "from: relu1", 10, "node 'fc' (linear): takes an input of shape (N,)"),
    ("out_channels: 2", "out_channels: 4", 7, "node 'conv1' (conv2d): weight 'conv1.weight' is [2"),
    ("kernel: 3", "kernel: 5", 7, "weight 'conv1.weight' is [2, 1, 3, 3]; expected [2, 1, 5, 5]"),
    # tensors
    ("small.safetensors", "lost.safetensors", 3, "there is no tensor file '"),
    ("small.safetensors", "../small.safetensors", 3, "lies outside the spec's folder"),
    ("small.safetensors", "[small.safetensors, [a]]", 3, "'tensors' is ['a']; expected a name"),
    ("tensors: small.safetensors\n", "", 6, "the spec names no file under 'tensors'"),
    ("from: flatten", "from: flatten, weight: fc.wieght", 10, "did you mean 'fc.weight' or"),
    (
        ", bias: false",
        "",
        10,
        "node 'fc': there is no tensor 'fc.bias' in small.safetensors: did you mean 'conv1.bias'? "
        "known are conv1.bias, conv1.weight, fc.weight; add the tensor, or write 'bias: false'",
    ),
    ("bias: false", "bias: true", 10, "field 'bias' is true; expected a tensor's name, or false"),
    ("padding: 1", "weight: false", 7, "field 'weight' is false; expected a tensor's name"),
]


@pytest.mark.parametrize(("old", "new", "line", "message"), CASES)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    path = changed_spec(tmp_path, old, new)
    place = re.escape(f"{path}:{line}: ")
    with pytest.raises(ThresherError, match=f"^{place}.*{re.escape(message)}"):
        load(path)


def test_a_field_of_a_node_in_block_style_has_its_own_line(tmp_path: Path) -> None:
    block = "relu1:\n    op: clipped_relu\n    from: conv1\n    max: -1\n"
    path = changed_spec(tmp_path, "relu1: {op: relu, from: conv1}\n", block)
    with pytest.raises(SpecError, match=r"small\.yaml:11: node 'relu1': field 'max' is -1"):
        load(path)


def test_a_mistake_of_the_graph_stays_a_graph_error(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="form a cycle"):
        load(changed_spec(tmp_path, "from: image", "from: relu1"))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("fc_weight", np.ones((3, 31), np.float32), r"weight 'fc\.weight' is \[3, 31\]; expected"),
        ("fc_weight", np.ones(96, np.float32), r"weight 'fc\.weight' is \[96\]; expected \(out,"),
        ("fc_weight", np.ones((3, 32), np.int32), r"'fc\.weight' of 'small\.safe.* type I32; exp"),
        ("fc_weight", np.full((3, 32), np.inf, np.float32), r"'fc\.weight' holds inf at \[0, 0\]"),
    ],
)
def test_a_wrong_tensor_is_named_with_its_node(
    tmp_path: Path, name: str, values: np.ndarray, message: str
) -> None:
    path = write_spec(tmp_path, **{name: values})
    with pytest.raises(ThresherError, match=rf"^{re.escape(str(path))}:10: node 'fc'.*{message}"):
        load(path)


def test_an_unused_tensor_may_be_anything(tmp_path: Path) -> None:
    path = write_spec(tmp_path, bn_num_batches_tracked=np.array(3))
    assert len(load(path).tensors) == 3


@pytest.mark.parametrize("share", np.linspace(0.02, 0.98, 40))
def test_a_truncated_spec_is_one_clear_error(tmp_path: Path, share: float) -> None:
    path = write_spec(tmp_path, SPEC[: int(share * len(SPEC))])
    with pytest.raises(ThresherError, match=re.escape(str(path))):
        load(path)


def test_a_tensor_file_given_as_spec_is_not_text(tmp_path: Path) -> None:
    write_spec(tmp_path)
    with pytest.raises(SpecError, match=r"small\.safetensors:1: "):
        load(tmp_path / "small.safetensors")


@pytest.mark.parametrize("text", ["[a, b]", "hello", "3", "~"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError, match=r"small\.yaml:1: the file is .*; expected a mapping"):
        load(write_spec(tmp_path, text))
