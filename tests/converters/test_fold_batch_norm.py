"""fold-batch-norm: the folded network computes what the unfolded one did."""

from dataclasses import replace

import numpy as np
import pytest
from small_graphs import batch_norm, chain, tensor, with_nodes

from thresher.converters import Context
from thresher.converters.passes import FoldBatchNorm
from thresher.ir import Graph, Node, Op, evaluate
from thresher.ir.ops import (
    Add,
    BatchNorm,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Flatten,
    Identity,
    Linear,
    Relu,
    Scale,
)


def fold(graph: Graph) -> Graph:
    return FoldBatchNorm().apply(graph, Context())


def random(name: str, *shape: int) -> object:
    return tensor(name, np.random.default_rng(len(shape)).normal(size=shape))


def images(graph: Graph, n: int = 6) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(n, *graph.inputs[0].shape)).astype(np.float32)


def assert_same_function(folded: Graph, graph: Graph) -> None:
    x = images(graph)
    expected = evaluate(graph, x)
    np.testing.assert_allclose(
        evaluate(folded, x), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max()
    )


HOSTS: dict[str, tuple[tuple[int, ...], Op]] = {
    "conv2d": (
        (4, 6, 5),
        Conv2d(weight=random("c.weight", 6, 4, 3, 2), bias=random("c.bias", 6), padding=(1, 0)),
    ),
    "conv2d without bias": ((4, 6, 5), Conv2d(weight=random("c.weight", 6, 4, 3, 3))),
    "grouped conv2d": (
        (4, 6, 5),
        Conv2d(weight=random("c.weight", 6, 2, 3, 3), bias=random("c.bias", 6), groups=2),
    ),
    "depthwise conv2d": ((4, 6, 5), Conv2d(weight=random("c.weight", 8, 1, 3, 3), groups=4)),
    "conv1d": ((4, 9), Conv1d(weight=random("c.weight", 6, 2, 3), groups=2, stride=2)),
    "conv_transpose2d": (
        (4, 3, 3),
        ConvTranspose2d(weight=random("c.weight", 4, 6, 3, 3), bias=random("c.bias", 6), stride=2),
    ),
    "grouped conv_transpose2d": (
        (4, 3, 3),
        ConvTranspose2d(weight=random("c.weight", 4, 3, 2, 2), groups=2, stride=(2, 2)),
    ),
    "linear": ((5,), Linear(weight=random("c.weight", 7, 5), bias=random("c.bias", 7))),
}


@pytest.mark.parametrize("affine", [True, False], ids=["affine", "plain"])
@pytest.mark.parametrize("kind", HOSTS)
def test_the_folded_layer_computes_what_both_did(kind: str, affine: bool) -> None:
    shape, host = HOSTS[kind]
    channels = host.infer_shape(shape)[0]
    graph = chain(shape, ("c", host), ("bn", batch_norm("bn", channels, affine=affine)))

    folded = fold(graph)

    assert [node.name for node in folded] == ["c"]
    assert_same_function(folded, graph)


def test_the_folded_weight_is_the_formula_rounded_once() -> None:
    norm = batch_norm("bn", 2)
    host = Linear(
        weight=tensor("c.weight", [[1.0, 2.0], [3.0, 4.0]]), bias=tensor("c.bias", [1, 2])
    )
    gain = norm.weight.values.astype(np.float64) / np.sqrt(
        norm.running_var.values.astype(np.float64) + norm.eps
    )
    bias = (np.array([1.0, 2.0]) - norm.running_mean.values) * gain + norm.bias.values

    op = fold(chain((2,), ("c", host), ("bn", norm)))["c"].op

    np.testing.assert_array_equal(
        op.weight.values, (host.weight.values * gain[:, None]).astype("f4")
    )
    np.testing.assert_allclose(op.bias.values, bias, rtol=1e-6)
    assert (op.weight.values.dtype, op.bias.values.dtype) == (np.float32, np.float32)


def test_two_batch_norms_in_a_row_fold_both() -> None:
    shape, host = HOSTS["conv2d"]
    norms = ("bn1", batch_norm("bn1", 6)), ("bn2", batch_norm("bn2", 6, seed=1))
    graph = chain(shape, ("c", host), *norms)

    folded = fold(graph)

    assert [node.name for node in folded] == ["c"]
    assert_same_function(folded, graph)


def test_a_batch_norm_after_an_add_becomes_a_scale() -> None:
    shape, host = HOSTS["linear"]
    graph = with_nodes(
        chain(shape, ("c", host)),
        [Node("add", Add(), ("c", "c")), Node("bn", batch_norm("bn", 7), ("add",))],
        "bn",
    )

    folded = fold(graph)

    assert isinstance(folded["bn"].op, Scale)
    assert_same_function(folded, graph)


def test_a_batch_norm_beside_another_reader_becomes_a_scale_and_says_so() -> None:
    shape, host = HOSTS["linear"]
    graph = with_nodes(
        chain(shape, ("c", host), ("bn", batch_norm("bn", 7))),
        [Node("add", Add(), ("c", "bn"))],
        "add",
    )
    context = Context()

    folded = FoldBatchNorm().apply(graph, context)

    assert isinstance(folded["bn"].op, Scale)
    assert [(note.node, note.why) for note in context.notes] == [("bn", "'c' also feeds 'add'")]
    assert_same_function(folded, graph)


def test_a_batch_norm_on_the_input_becomes_a_scale() -> None:
    graph = chain((3, 4, 4), ("bn", batch_norm("bn", 3)), ("flatten", Flatten()))

    folded = fold(graph)

    assert isinstance(folded["bn"].op, Scale)
    assert_same_function(folded, graph)


def test_a_batch_norm_before_a_padded_convolution_stays_before_the_padding() -> None:
    shape, host = HOSTS["conv2d"]
    graph = chain(shape, ("bn", batch_norm("bn", 4)), ("c", host))

    folded = fold(graph)

    assert isinstance(folded["bn"].op, Scale)
    assert folded["c"].op == host
    assert_same_function(folded, graph)


def test_a_batch_norm_whose_layer_is_also_the_output_becomes_a_scale() -> None:
    shape, host = HOSTS["linear"]
    graph = with_nodes(chain(shape, ("c", host), ("bn", batch_norm("bn", 7))), [], "bn", "c")

    assert isinstance(fold(graph)["bn"].op, Scale)


def test_a_batch_norm_with_a_delay_stays_a_node_of_its_own() -> None:
    shape, host = HOSTS["linear"]
    graph = chain(shape, ("c", host), ("bn", batch_norm("bn", 7))).replace("bn", delay=3)

    folded = fold(graph)

    assert isinstance(folded["bn"].op, Scale)
    assert folded["bn"].delay == 3


def test_a_weight_that_another_layer_uses_is_left_to_it_under_its_name() -> None:
    shared = tensor("shared.weight", np.eye(3))
    graph = chain(
        (3,),
        ("a", Linear(weight=shared)),
        ("bn", batch_norm("bn", 3)),
        ("relu", Relu()),
        ("b", Linear(weight=shared)),
    )

    folded = fold(graph)

    assert folded["b"].op.weight is shared
    assert folded["a"].op.weight.name == "a.weight"
    assert_same_function(folded, graph)


def test_a_name_that_another_layer_holds_is_not_taken() -> None:
    shared = tensor("a.weight", np.eye(3))
    graph = chain(
        (3,),
        ("a", Linear(weight=shared)),
        ("bn", batch_norm("bn", 3)),
        ("b", Linear(weight=shared)),
    )

    folded = fold(graph)

    assert folded["b"].op.weight is shared
    assert folded["a"].op.weight.name == "a.weight.2"


def test_what_read_the_batch_norm_reads_the_layer() -> None:
    shape, host = HOSTS["linear"]
    graph = chain(shape, ("c", host), ("bn", batch_norm("bn", 7)), ("same", Identity()))

    assert fold(graph)["same"].inputs == ("c",)


def test_float64_weights_stay_float64() -> None:
    weight = replace(tensor("c.weight", np.eye(2)), values=np.eye(2))
    norm = batch_norm("bn", 2)

    op = fold(chain((2,), ("c", Linear(weight=weight)), ("bn", norm)))["c"].op

    assert op.weight.values.dtype == np.float64


def test_folding_agrees_with_torch() -> None:
    torch = pytest.importorskip("torch")
    conv = torch.nn.Conv2d(4, 6, 3, groups=2)
    norm = torch.nn.BatchNorm2d(6).eval()
    with torch.no_grad():
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.1, 2)
        norm.weight.uniform_(-1, 1)
        norm.bias.uniform_(-1, 1)
    names = ("running_mean", "running_var", "weight", "bias")
    fields = {name: tensor(f"bn.{name}", getattr(norm, name).detach().numpy()) for name in names}
    graph = chain(
        (4, 6, 5),
        (
            "c",
            Conv2d(
                weight=tensor("c.weight", conv.weight.detach().numpy()),
                bias=tensor("c.bias", conv.bias.detach().numpy()),
                groups=2,
            ),
        ),
        ("bn", BatchNorm(**fields, eps=norm.eps)),
    )
    x = images(graph)
    with torch.no_grad():
        expected = norm(conv(torch.from_numpy(x))).numpy()

    np.testing.assert_allclose(evaluate(fold(graph), x), expected, rtol=1e-5, atol=1e-5)
