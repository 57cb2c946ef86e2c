"""Dense evaluation: order, hook, batches, and equality with PyTorch on trained networks."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from thresher.errors import GraphError
from thresher.ir import Graph, Input, Node, Spiking, Tensor, evaluate, ops
from thresher.ir.op import Array
from thresher.ir.spec import load

DATA = Path(os.environ.get("THRESHER_DATA", Path(__file__).parents[2] / "../shared/data"))


def small_net() -> Graph:
    """Build conv -> relu with a shortcut around a second conv -> sum -> flatten -> linear."""
    rng = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> Tensor:
        return Tensor(name, rng.normal(size=shape).astype(np.float32))

    nodes = (
        Node("conv1", ops.Conv2d(weight=weight("w1", 8, 3, 3, 3), padding=1), ("image",)),
        Node("relu1", ops.Relu(), ("conv1",), Spiking(threshold=1.0)),
        Node("conv2", ops.Conv2d(weight=weight("w2", 8, 8, 3, 3), padding=1), ("relu1",)),
        Node("sum", ops.Add(), ("conv2", "relu1")),
        Node("pool", ops.GlobalAvgPool(), ("sum",)),
        Node("flat", ops.Flatten(), ("pool",)),
        Node("fc", ops.Linear(weight=weight("w3", 5, 8)), ("flat",)),
    )
    return Graph("net", (Input("image", (3, 9, 9)),), nodes, ("fc",))


def images(n: int, dtype: type = np.float32) -> Array:
    return np.random.default_rng(1).normal(size=(n, 3, 9, 9)).astype(dtype)


def test_a_node_sees_its_inputs_in_the_order_of_its_ports() -> None:
    nodes = (Node("twice", ops.Concat(), ("b", "a", "b")),)
    doubled = Node("b", ops.Scale(weight=Tensor("two", np.array([2.0]))), ("a",))
    net = Graph("net", (Input("a", (1,)),), (*nodes, doubled), ("twice",))
    np.testing.assert_array_equal(evaluate(net, np.array([[3.0]])), [[6.0, 3.0, 6.0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_results_do_not_depend_on_the_batch(batch: int, dtype: type) -> None:
    net, x = small_net(), images(9, dtype)
    np.testing.assert_array_equal(evaluate(net, x, batch=batch), evaluate(net, x, batch=9))


def test_spiking_annotations_are_ignored() -> None:
    net, x = small_net(), images(2)
    plain = net.replace("relu1", spiking=None)
    np.testing.assert_array_equal(evaluate(net, x), evaluate(plain, x))


def test_the_hook_sees_every_node_of_every_batch() -> None:
    net, seen = small_net(), []
    evaluate(net, images(5), batch=3, hook=lambda name, values: seen.append((name, len(values))))
    names = ["conv1", "relu1", "conv2", "sum", "pool", "flat", "fc"]
    assert seen == [(name, n) for n in (3, 2) for name in names]


def test_the_output_may_be_read_by_another_node() -> None:
    nodes = (Node("a", ops.Relu(), ("x",)), Node("b", ops.Relu(), ("a",)))
    net = Graph("net", (Input("x", (2,)),), nodes, ("a",))
    np.testing.assert_array_equal(evaluate(net, np.array([[-1.0, 2.0]])), [[0.0, 2.0]])


def test_no_images_give_no_results() -> None:
    assert evaluate(small_net(), np.zeros((0, 3, 9, 9), np.float32)).shape == (0, 5)


def test_two_outputs_are_refused_by_name() -> None:
    nodes = tuple(Node(name, ops.Relu(), ("x",)) for name in "ab")
    net = Graph("net", (Input("x", (2,)),), nodes, ("a", "b"))
    with pytest.raises(GraphError, match=r"graph 'net' has 2 outputs \(a, b\); evaluate and"):
        evaluate(net, np.zeros((1, 2)))


def torch_layer(op: str, fields: dict[str, Any], weights: dict[str, Any]) -> Any:
    """Build one node of the trained networks as PyTorch has it."""
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    match op:
        case "conv2d":
            stride, padding = fields.get("stride", 1), fields.get("padding", 0)
            return lambda x: f.conv2d(x, weights["weight"], weights.get("bias"), stride, padding)
        case "batch_norm":
            moments, affine = ("running_mean", "running_var"), ("weight", "bias")
            values = [weights[role] for role in (*moments, *affine)]
            return lambda x: f.batch_norm(x, *values)
        case "linear":
            return lambda x: f.linear(x, weights["weight"], weights["bias"])
        case "relu":
            return f.relu
        case "clipped_relu":
            return lambda x: x.clamp(0, fields["max"])
        case "avg_pool2d":
            return lambda x: f.avg_pool2d(x, fields["kernel"])
        case "global_avg_pool":
            return lambda x: x.mean((2, 3), keepdim=True)
        case "flatten":
            return lambda x: x.flatten(1)
        case "add":
            return lambda x, y: x + y
        case "slice":
            rows, columns = fields["step"][1:]
            return lambda x: x[:, :, ::rows, ::columns]
        case "pad":
            return lambda x: f.pad(x, (0, 0, 0, 0, *fields["channels"]))
    pytest.fail(f"say what '{op}' is in PyTorch")


def torch_logits(path: Path, pixels: Array) -> Array:
    """Evaluate a spec in PyTorch from its YAML and its weights alone."""
    torch = pytest.importorskip("torch")
    spec = yaml.safe_load(path.read_text("utf-8"))
    stored = load_file(path.with_suffix(".safetensors"))
    ((name, declared),) = spec["inputs"].items()
    stated = declared["preprocess"]
    mean, std = (torch.tensor(stated[key])[:, None, None] for key in ("mean", "std"))
    values = {name: (torch.tensor(pixels).float() / stated["divide"] - mean) / std}
    for node, fields in spec["nodes"].items():
        mine = [key for key in stored if key.startswith(f"{node}.")]
        weights = {key.removeprefix(f"{node}."): torch.tensor(stored[key]) for key in mine}
        sources = fields["from"] if isinstance(fields["from"], list) else [fields["from"]]
        layer = torch_layer(fields["op"], fields, weights)
        values[node] = layer(*(values[source] for source in sources))
    return values[spec["outputs"][0]].numpy()


@pytest.mark.parametrize(
    ("net", "data"),
    [
        ("lenet_mnist", "mnist_test"),
        ("vgg7_cifar10", "cifar10_test"),
        ("resnet20_cifar10", "cifar10_test"),
    ],
)
def test_a_trained_network_gives_pytorchs_logits(net: str, data: str) -> None:
    path = DATA / f"{net}.yaml"
    if not path.exists():
        pytest.skip(f"{path} is not there; THRESHER_DATA says where the networks are")
    pixels = np.load(DATA / f"{data}.npz")["x"][:64]
    expected = torch_logits(path, pixels)
    found = evaluate(load(path), pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
