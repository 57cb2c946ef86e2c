"""The PyTorch module of a graph computes what `thresher.evaluate` does, whatever the op."""

import os
from pathlib import Path

import numpy as np
import pytest
from training_graphs import chain, digits_cnn, drawn, tensor

from thresher.errors import GraphError
from thresher.ir import OPS, Graph, Input, Node, Op, evaluate, load, ops
from thresher.ir.images import preprocess
from thresher.ir.op import Shape

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from thresher.training.layers import LAYERS  # noqa: E402
from thresher.training.module import GraphModule  # noqa: E402

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("THRESHER_DATA", ROOT.parent / "shared" / "data"))


def as_graph(op: Op, shapes: tuple[Shape, ...]) -> Graph:
    """Make a graph of an op; its further inputs are cut out of the first."""
    cuts = tuple(
        Node(f"cut{port}", ops.Slice(stop=shape), ("image",))
        for port, shape in enumerate(shapes[1:])
    )
    node = Node("node", op, ("image", *(cut.name for cut in cuts)))
    return Graph("one", (Input("image", shapes[0]),), (*cuts, node), ("node",))


def assert_equal_to_numpy(graph: Graph, x: np.ndarray) -> None:
    expected = evaluate(graph, x)
    module = GraphModule(graph).eval()
    given = torch.from_numpy(preprocess(graph, x))
    if given.dim() == 4:
        given = given.contiguous(memory_format=torch.channels_last)
    found = module(given).detach().numpy()
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def images(shape: Shape) -> np.ndarray:
    """Draw images in (-1, 2), so that every activation sees all of its branches."""
    return np.random.default_rng(7).uniform(-1.0, 2.0, (5, *shape)).astype(np.float32)


@pytest.mark.parametrize("kind", [op.kind for op in LAYERS])
def test_an_op_gives_the_values_of_its_evaluation(kind: str) -> None:
    op, shapes = OPS.get(kind).example()
    assert_equal_to_numpy(as_graph(op, shapes), images(shapes[0]))


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(
    ("kernel", "padding"),
    [(2, 0), (3, 1), (3, (2, 2)), (3, ((1, 0), (0, 2))), ((3, 2), ((1, 1), (0, 0)))],
    ids=str,
)
def test_pools_pad_as_the_ops_do(kernel: object, padding: object, counted: bool) -> None:
    average = ops.AvgPool2d(kernel=kernel, stride=1, padding=padding, count_include_pad=counted)
    largest = ops.MaxPool2d(kernel=kernel, stride=1, padding=padding)
    for op in (average, largest):
        assert_equal_to_numpy(as_graph(op, ((3, 6, 5),)), images((3, 6, 5)))


@pytest.mark.parametrize("padding", [0, 2, (1, 3), ((4, 4), (0, 5))], ids=str)
def test_convolutions_pad_as_the_op_does(padding: object) -> None:
    op = ops.Conv2d(weight=drawn("w", 4, 3, 3, 2), padding=padding)
    assert_equal_to_numpy(as_graph(op, ((3, 6, 5),)), images((3, 6, 5)))


@pytest.mark.parametrize("shape", [(4,), (4, 5), (4, 3, 2)])
def test_batch_norm_scale_and_pad_take_every_number_of_axes(shape: Shape) -> None:
    norm, _ = ops.BatchNorm.example()
    scale, _ = ops.Scale.example()
    pad = ops.Pad(channels=(1, 2), width=(0, 3) if len(shape) > 1 else (0, 0))
    for op in (norm, scale, pad):
        assert_equal_to_numpy(as_graph(op, (shape,)), images(shape))


def test_ops_without_their_optional_tensors_are_computed() -> None:
    norm = ops.BatchNorm(tensor("mean", [0.5, -1.0]), tensor("var", [2.0, 0.25]))
    scale = ops.Scale(weight=tensor("w", [3.0, -1.0]))
    linear = ops.Linear(weight=drawn("w", 3, 2))
    for op in (norm, scale, linear):
        assert_equal_to_numpy(as_graph(op, ((2,),)), images((2,)))


def test_a_whole_network_is_preprocessed_and_evaluated_alike() -> None:
    x = np.random.default_rng(0).integers(0, 17, (6, 1, 8, 8)).astype(np.uint8)
    for op in (ops.Qcfs(levels=4, max=0.7), ops.SlipRelu(levels=4, max=0.7, slope=0.3)):
        assert_equal_to_numpy(digits_cnn(op, p=0.4), x)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the trained networks in {DATA}")
def test_a_residual_network_is_evaluated_alike() -> None:
    x = np.load(DATA / "cifar10_test.npz")["x"][:4]
    assert_equal_to_numpy(load(DATA / "resnet20_cifar10.yaml"), x)


def test_a_tensor_of_two_nodes_is_one_parameter() -> None:
    weight = drawn("w", 3, 3)
    graph = chain((3,), ("fc1", ops.Linear(weight=weight)), ("fc2", ops.Linear(weight=weight)))
    module = GraphModule(graph)
    assert len(list(module.parameters())) == 1
    assert list(module.state()) == ["tensor/w"]


def test_the_logits_are_what_a_softmax_at_the_output_reads() -> None:
    graph = chain((3,), ("scale", ops.Scale(tensor("w", [1, 2, 3]))), ("softmax", ops.Softmax()))
    x = torch.tensor([[1.0, 1.0, -1.0]])
    np.testing.assert_array_equal(GraphModule(graph).logits(x).detach().numpy(), [[1.0, 2.0, -3.0]])


def test_dropout_drops_its_share_and_raises_the_rest_in_training_alone() -> None:
    module = GraphModule(as_graph(ops.Dropout(p=0.25), ((10_000,),)))
    module.generator.manual_seed(3)
    x = torch.ones(1, 10_000)
    dropped = module.train()(x).numpy()
    assert set(dropped.ravel()) == {0.0, np.float32(1 / 0.75)}
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.02)  # 4.6 standard deviations
    module.generator.manual_seed(3)
    np.testing.assert_array_equal(module(x).numpy(), dropped)
    np.testing.assert_array_equal(module.eval()(x).numpy(), x.numpy())


@pytest.mark.parametrize(("p", "kept"), [(0.0, 1.0), (1.0, 0.0)])
def test_dropout_of_nothing_or_all_is_finite(p: float, kept: float) -> None:
    module = GraphModule(as_graph(ops.Dropout(p=p), ((4,),))).train()
    np.testing.assert_array_equal(module(torch.ones(1, 4)).numpy(), np.full((1, 4), kept))


def test_an_op_that_pytorch_has_no_part_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LAYERS, ops.LeakyRelu)
    message = r"^node 'node' \(leaky_relu\) cannot be trained here; expected one of add, "
    with pytest.raises(GraphError, match=message):
        GraphModule(as_graph(ops.LeakyRelu(), ((3,),)))
