"""Random small graphs come back from their files the same, byte by byte."""

import unicodedata
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thresher.ir import Graph, Input, Node, Op, Preprocess, Readout, Spiking, Tensor, load, save
from thresher.ir.op import Shape
from thresher.ir.ops import (
    Add,
    AvgPool2d,
    BatchNorm,
    ClippedRelu,
    Concat,
    Conv2d,
    Flatten,
    LeakyRelu,
    Linear,
    Qcfs,
    Relu,
)

Draw = Any

names = st.text(min_size=1, max_size=6).filter(
    lambda s: (
        s.isprintable() and not any(c.isspace() for c in s) and unicodedata.is_normalized("NFC", s)
    )
)
names |= st.sampled_from(["no", "on", "y", "null", "1", "1e5", "0x1", "~", "-", "a:b", "é"])
floats = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=1e-30, max_value=1e30)
scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | floats | st.text()
plain = st.recursive(
    scalars,
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(), items, max_size=3),
    max_leaves=10,
)


def draw_tensor(draw: Draw, name: str, shape: Shape, low: int = -16) -> Tensor:
    """Draw a tensor of multiples of 1/8, from low / 8 on."""
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    seed = draw(st.integers(0, 2**32 - 1))
    values = np.random.default_rng(seed).integers(low, low + 32, shape) / 8
    return Tensor(name, values.astype(dtype))


def draw_tensor_name(draw: Draw, node: str, field: str) -> str:
    """Draw the default name of a field's tensor, or another."""
    return (
        f"{node}.{field}" if draw(st.booleans()) else f"{node}/{draw(st.text('wx1.', max_size=2))}"
    )


def draw_conv(draw: Draw, name: str, shape: Shape) -> Op:
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if shape[0] % g == 0]))
    out = groups * draw(st.integers(1, 2))
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    weight_name = draw_tensor_name(draw, name, "weight")
    weight = draw_tensor(draw, weight_name, (out, shape[0] // groups, *kernel))
    bias = draw_tensor(draw, f"{name}.bias", (out,)) if draw(st.booleans()) else None
    sides = st.tuples(st.integers(2, 3), st.integers(2, 3))
    return Conv2d(weight, bias, stride=(1, draw(st.integers(1, 2))), groups=groups,
                  padding=(draw(sides), draw(sides)))  # fmt: skip


def draw_op(draw: Draw, name: str, shape: Shape) -> Op:
    """Draw an op that takes one input of the shape."""
    kinds = ["relu", "clipped_relu", "qcfs", "leaky_relu", "batch_norm"]
    kinds += ["linear"] if len(shape) == 1 else ["conv2d", "flatten"]
    kinds += ["avg_pool2d"] if len(shape) == 3 and min(shape[1:]) >= 2 else []
    match draw(st.sampled_from(kinds)):
        case "relu":
            return Relu()
        case "clipped_relu":
            return ClippedRelu(max=draw(positive))
        case "qcfs":
            return Qcfs(levels=draw(st.integers(1, 8)), max=draw(positive))
        case "leaky_relu":
            return LeakyRelu(slope=draw(st.just(0.01) | positive))
        case "linear":
            out = draw(st.integers(1, 4))
            return Linear(draw_tensor(draw, f"{name}.weight", (out, shape[0])))
        case "conv2d":
            return draw_conv(draw, name, shape)
        case "avg_pool2d":
            return AvgPool2d(kernel=(2, draw(st.integers(1, 2))))
        case "flatten":
            return Flatten()
    rows = {field: draw_tensor(draw, f"{name}.{field}", shape[:1], 1) for field in
            ("running_mean", "running_var", "weight", "bias")}  # fmt: skip
    return BatchNorm(**rows, eps=draw(st.sampled_from([1e-5, 1e-3, 0.5])))


def draw_spiking(draw: Draw, name: str, shape: Shape) -> Spiking:
    threshold: float | Tensor = draw(positive)
    if draw(st.booleans()):
        threshold = draw_tensor(draw, f"{name}.threshold", shape[:1], 1)
    return Spiking(
        threshold,
        draw(st.sampled_from(["if", "signed_if", "on"])),
        draw(floats),
        draw(floats),
        draw(st.sampled_from(["soft", "hard"])),
        draw(floats),
        parameters=draw(st.dictionaries(names, floats, max_size=3)),
    )


@st.composite
def graphs(draw: Draw) -> Graph:
    """Draw a graph of one input and up to six nodes, branches and merges among them."""
    chosen = draw(st.lists(names, min_size=2, max_size=7, unique=True))
    shape = draw(st.sampled_from([(4,), (2, 4, 4), (3, 2, 3)]))
    preprocess = None
    if draw(st.booleans()):
        mean = draw(st.lists(floats, min_size=shape[0], max_size=shape[0]))
        preprocess = Preprocess(draw(positive), tuple(mean), (draw(positive),))
    item = Input(chosen[0], shape, preprocess, draw(st.none() | positive))
    shapes: dict[str, Shape] = {item.name: shape}
    nodes = []
    for name in chosen[1:]:
        source = draw(st.sampled_from(sorted(shapes)))
        twins = sorted(other for other in shapes if shapes[other] == shapes[source])
        op, inputs = draw_op(draw, name, shapes[source]), (source,)
        if draw(st.integers(0, 3)) == 0:
            op = draw(st.sampled_from([Add(), Concat()]))
            inputs = (source, draw(st.sampled_from(twins)))
        shapes[name] = op.infer_shape(*(shapes[i] for i in inputs))
        spiking = draw_spiking(draw, name, shapes[name]) if draw(st.booleans()) else None
        delay = draw(st.none() | st.integers(0, 9)) if op.is_linear() else None
        nodes.append(Node(name, op, inputs, spiking, delay))
    classes = prod(shapes[nodes[-1].name])
    n_labels = draw(st.sampled_from([0, classes])) if classes <= 4 else 0
    return Graph(
        draw(st.text(max_size=5)),
        (item,),
        tuple(draw(st.permutations(nodes))),
        (nodes[-1].name,),
        tuple(draw(st.text(max_size=4)) for _ in range(n_labels)),
        Readout(draw(st.sampled_from(["membrane", "spikes"])), draw(st.integers(0, 3))),
        draw(st.dictionaries(st.text(max_size=4), plain, max_size=3)),
    )


@given(graphs())
def test_a_graph_comes_back_the_same_and_is_written_the_same(graph: Graph) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "g.yaml")
        save(graph, path)
        first = {item.name: item.read_bytes() for item in Path(folder).iterdir()}
        again = load(path)
        assert again == graph
        save(again, path)
        assert {item.name: item.read_bytes() for item in Path(folder).iterdir()} == first
