"""Layers of PyTorch over their settings: the imported graph's results equal PyTorch's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import thresher
from thresher.errors import UnsupportedError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn
functional = torch.nn.functional

few = settings(max_examples=15)
Data = st.DataObject
size = st.integers(3, 8)
small = st.integers(1, 3)


class Function(nn.Module):
    """A module that is one function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


def assert_same(module: Any, *shape: int) -> thresher.Graph:
    """Compare with PyTorch; what it refuses is no example."""
    torch.manual_seed(0)
    x = torch.randn(3, *shape)
    module.eval()
    try:
        with torch.no_grad():
            expected = module(x).numpy()
    except RuntimeError:
        reject()
    graph = thresher.import_torch(module, x[:1])
    found = thresher.evaluate(graph, x.numpy())
    np.testing.assert_allclose(found, expected, rtol=0, atol=4e-6 * max(1, np.abs(expected).max()))
    return graph


@few
@given(st.data(), st.booleans(), st.booleans())
def test_convolutions(data: Data, planar: bool, bias: bool) -> None:
    n = 2 if planar else 1
    kernel, stride, dilation, padding = (
        tuple(data.draw(st.integers(*ends)) for _ in range(n))
        for ends in ((1, 3), (1, 3), (1, 2), (0, 2))
    )
    kind = nn.Conv2d if planar else nn.Conv1d
    layer = kind(4, 6, kernel, stride, padding, dilation, groups=2, bias=bias)
    assert_same(layer, 4, *(data.draw(size) for _ in range(n)))


@few
@given(st.data(), st.booleans())
def test_transposed_convolutions(data: Data, planar: bool) -> None:
    n = 2 if planar else 1
    kernel, stride, padding = (
        tuple(data.draw(st.integers(*ends)) for _ in range(n)) for ends in ((1, 3), (1, 3), (0, 1))
    )
    extra = tuple(data.draw(st.integers(0, step - 1)) for step in stride)
    kind = nn.ConvTranspose2d if planar else nn.ConvTranspose1d
    layer = kind(4, 6, kernel, stride, padding, extra, groups=2)
    assert_same(layer, 4, *(data.draw(size) for _ in range(n)))


@few
@given(st.data(), st.booleans(), st.booleans(), st.sampled_from(["max", "counted", "not", "by 3"]))
def test_pools(data: Data, planar: bool, ceil: bool, kind: str) -> None:
    n = 2 if planar else 1
    kernel, stride = (tuple(data.draw(small) for _ in range(n)) for _ in range(2))
    padding = tuple(data.draw(st.integers(0, places // 2)) for places in kernel)
    geometry: dict[str, Any] = {"stride": stride, "padding": padding, "ceil_mode": ceil}
    if kind == "max":
        layer = (nn.MaxPool2d if planar else nn.MaxPool1d)(kernel, **geometry)
    else:
        counted = {"count_include_pad": kind != "not"}
        counted |= {"divisor_override": 3} if kind == "by 3" and planar else {}
        layer = (nn.AvgPool2d if planar else nn.AvgPool1d)(kernel, **geometry, **counted)
    assert_same(layer, 2, *(data.draw(size) for _ in range(n)))


@few
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), st.booleans())
def test_adaptive_pools_of_like_windows(n: int, rows: int, columns: int, average: bool) -> None:
    layer = (nn.AdaptiveAvgPool2d if average else nn.AdaptiveMaxPool2d)((rows, columns))
    try:
        assert_same(layer, 2, n, 6)
    except UnsupportedError as error:
        assert "windows of different sizes" in str(error)
        assert any(size % places and places % size for size, places in ((n, rows), (6, columns)))


@pytest.mark.parametrize(
    ("module", "shape", "kinds"),
    [
        (nn.Conv2d(2, 3, 4, padding="same"), (2, 6, 6), ["conv2d"]),
        (nn.ReLU6(), (4,), ["clipped_relu"]),
        (nn.Hardtanh(0, 2.5), (4,), ["clipped_relu"]),
        (Function(lambda x: x.clamp(min=0)), (4,), ["relu"]),
        (Function(lambda x: x.clamp(0, 2)), (4,), ["clipped_relu"]),
        (nn.LeakyReLU(0.2), (4,), ["leaky_relu"]),
        (nn.PReLU(), (4, 3), ["leaky_relu"]),
        (nn.Softmax(dim=1), (4,), ["softmax"]),
        (nn.Sequential(nn.Linear(4, 3), nn.Identity()), (4,), ["linear"]),
        (nn.Sequential(nn.Flatten(), nn.Unflatten(1, (3, 2, 2))), (3, 4), ["flatten", "reshape"]),
        (nn.ZeroPad2d((1, -1, 0, 2)), (2, 4, 4), ["slice", "pad"]),
        (nn.Upsample(scale_factor=3), (2, 4), ["reshape", "upsample_nearest", "reshape"]),
        (nn.Upsample(size=(4, 6)), (2, 2, 3), ["upsample_nearest"]),
        (nn.BatchNorm1d(4), (4,), ["batch_norm"]),
        (nn.BatchNorm1d(4, affine=False), (4, 3), ["batch_norm"]),
        (Function(lambda x: x.mean((-1, -2))), (2, 3, 4), ["global_avg_pool", "flatten"]),
        (Function(lambda x: torch.cat([x, x[:, 1:]], 1)), (3, 2), ["slice", "concat"]),
        (Function(lambda x: x[:, -1]), (3, 2), ["slice", "flatten"]),
        (Function(lambda x: sum(x.split([1, 2, 1], 1)[::2])), (4, 2),
         ["slice", "slice", "scale", "add"]),
        (Function(lambda x: x.transpose(1, 3)), (1, 1, 5), ["reshape"]),
        (Function(lambda x: 1 - 2 * x / torch.tensor([4.0, 5.0])), (3, 2),
         ["scale", "scale", "scale"]),
        (Function(lambda x: torch.add(x, x, alpha=-3)), (3,), ["scale", "add"]),
        (Function(lambda x: x - functional.relu(x)), (3,), ["relu", "scale", "add"]),
        (Function(lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 255)), (3,),
         ["qcfs"]),
    ],
)  # fmt: skip
def test_a_layer_becomes_ops_that_give_its_results(
    module: Any, shape: tuple[int, ...], kinds: list[str]
) -> None:
    assert [node.op.kind for node in assert_same(module, *shape).nodes] == kinds


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x.clamp(-1, 1), "lower bound of 0"),
        (lambda x: x.transpose(0, 1), "batch axis in front"),
        (lambda x: x.reshape(-1, 2), "batch axis in front"),
        (lambda x: x[:1], "first axis 1, where the batch of 2 was"),
        (lambda x: x.transpose(0, 1).softmax(1), "axis 1 of a batch"),
        (lambda x: x.transpose(0, 1) + x, "the batch in different places"),
        (lambda x: x * torch.tensor([[[1.0]], [[2.0]]]), "tells samples apart"),
        (lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=True), "has a mask"),
        (lambda x: x**3, "takes the power 3"),
        (lambda x: torch.cat([x, torch.ones(2, 1, 4), x], 1), "a constant between values"),
        (lambda x: functional.pad(x, (1, 1), value=2.0), "expected zeros"),
        (lambda x: functional.dropout(x, training=True), "as in training"),
        (lambda x: functional.log_softmax(x, 1), "no op of a graph computes it"),
        (lambda x: x / x.mean(), "averages all axes"),
    ],
)
def test_what_a_graph_cannot_say_is_refused_with_the_reason(
    function: Callable[[Any], Any], why: str
) -> None:
    with pytest.raises(UnsupportedError, match=why):
        thresher.import_torch(Function(function), torch.zeros(1, 2, 4))


class Attention(nn.Module):
    """PyTorch's own attention, which puts the batch second and multiplies it by the heads."""

    def __init__(self, weights: bool = False, **settings: Any) -> None:
        super().__init__()
        self.weights = weights
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True, **settings)

    def forward(self, x: Any) -> Any:
        return self.inner(x, x, x, need_weights=self.weights)[0]


class OwnAttention(nn.Module):
    """An attention as vision transformers write it: one product for query, key and value."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        n, length, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q @ k.transpose(-2, -1) * 0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, length, 8))


class Gate(nn.Module):
    """Squeeze and excitation, with a SiLU that is written out."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)

    def forward(self, x: Any) -> Any:
        y = self.down(x.mean((2, 3), keepdim=True))
        return x * torch.sigmoid(self.up(y * torch.sigmoid(y)))


@pytest.mark.parametrize(
    ("module", "shape", "kinds"),
    [
        (Attention(), (5, 8), ["matmul", "matmul", "softmax"]),
        (Attention(weights=True), (5, 8), ["matmul", "matmul", "softmax"]),
        (Attention(add_bias_kv=True), (5, 8), ["matmul", "matmul", "softmax"]),
        (OwnAttention(), (5, 8), ["matmul", "matmul", "softmax"]),
        (Gate(), (4, 5, 5), ["mul", "sigmoid", "silu"]),
        (nn.LayerNorm((3, 5)), (4, 3, 5), ["layer_norm"]),
        (nn.GroupNorm(2, 4), (4, 3, 5), ["group_norm"]),
        (nn.InstanceNorm2d(4, affine=True), (4, 3, 5), ["group_norm"]),
        (nn.GELU(approximate="tanh"), (4,), ["gelu"]),
        (nn.Sequential(nn.SELU(), nn.CELU(0.5)), (4, 3), ["elu"]),
        (Function(lambda x: (x.reshape(-1, 3) * torch.tensor([1.0, 2.0, 3.0])).view(-1, 4, 3)),
         (4, 3), ["scale"]),
        (nn.Sequential(nn.Hardsigmoid(), nn.Hardswish(), nn.ELU(0.5), nn.Tanh()), (4, 3),
         ["elu", "hard_sigmoid", "hard_swish", "tanh"]),
        (nn.ChannelShuffle(2), (4, 3, 3), ["permute"]),
        (Function(lambda x: x.softmax(1)), (4, 3), ["softmax"]),
        (Function(lambda x: x**2 - x.mean(-1, keepdim=True) @ torch.ones(1, 3)), (4, 3),
         ["mul", "positionwise_linear"]),
        (Function(lambda x: torch.einsum("nlc,nmc->nlm", x, x)), (4, 3), ["matmul"]),
    ],
)  # fmt: skip
def test_what_operators_may_stand_for_gives_its_results(
    module: Any, shape: tuple[int, ...], kinds: list[str]
) -> None:
    moved = {"add", "concat", "conv2d", "flatten", "global_avg_pool", "pad", "permute", "reshape",
             "scale", "slice"} - set(kinds)  # fmt: skip
    found = sorted(node.op.kind for node in assert_same(module, *shape).nodes)
    assert set(found) - moved - {"positionwise_linear"} == set(kinds) - {"positionwise_linear"}
    assert [kind for kind in found if kind in ("matmul", "softmax")] == [
        kind for kind in kinds if kind in ("matmul", "softmax")
    ]


@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize("open_batch", [False, True])
def test_programs_of_every_form_are_read(tmp_path: Any, decomposed: bool, open_batch: bool) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.ConvTranspose2d(4, 3, 2), nn.Hardtanh(0, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(3, 3), nn.Softmax(1),
    ).eval()  # fmt: skip
    x = torch.randn(4, 2, 6, 6)
    shapes = ({0: torch.export.Dim("n")},) if open_batch else None
    program = torch.export.export(module, (x,), dynamic_shapes=shapes)
    torch.export.save(program.run_decompositions() if decomposed else program, tmp_path / "n.pt2")
    graph = thresher.import_model(tmp_path / "n.pt2")
    with torch.no_grad():
        expected = module(x).numpy()
    np.testing.assert_allclose(thresher.evaluate(graph, x.numpy()), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("open_batch", [False, True])
def test_a_decomposed_attention_is_read(tmp_path: Any, open_batch: bool) -> None:
    """With the choice of 0 for rows that a mask leaves empty, of which there are none."""
    torch.manual_seed(0)
    module = nn.TransformerEncoderLayer(8, 2, 12, activation="gelu", batch_first=True).eval()
    x = torch.randn(3, 5, 8)
    shapes = ({0: torch.export.Dim("n")},) if open_batch else None
    program = torch.export.export(module, (x,), dynamic_shapes=shapes).run_decompositions()
    assert any("where" in str(node.target) for node in program.graph.nodes)
    torch.export.save(program, tmp_path / "n.pt2")
    graph = thresher.import_model(tmp_path / "n.pt2")
    with torch.no_grad():
        expected = module(x).numpy()
    np.testing.assert_allclose(thresher.evaluate(graph, x.numpy()), expected, rtol=0, atol=2e-6)
    kinds = [node.op.kind for node in graph.nodes]
    assert [kinds.count(kind) for kind in ("softmax", "matmul", "layer_norm")] == [1, 2, 2]


def test_a_choice_that_is_not_an_attentions_is_refused(tmp_path: Any) -> None:
    """Another row than the empty one, or another value than 0, is chosen."""
    for limit, value in ((0.0, 0.0), (float("-inf"), 1.0)):

        def choose(x: Any, limit: float = limit, value: float = value) -> Any:
            empty = ~(~(x == limit)).any(-1, keepdim=True)
            return torch.where(empty, torch.full_like(x, value), x.softmax(-1))

        program = torch.export.export(Function(choose), (torch.randn(2, 3),))
        torch.export.save(program.run_decompositions(), tmp_path / "n.pt2")
        with pytest.raises(UnsupportedError, match=r"\(where\): no op of a graph computes it"):
            thresher.import_model(tmp_path / "n.pt2")


class View(nn.Module):
    """A part of a value is changed in place, and the whole is read afterwards."""

    def forward(self, x: Any) -> Any:
        y = x * 2
        y[:, 0].relu_()
        return y


class Chain(nn.Module):
    """In place on what nothing else reads: as `nn.ReLU(inplace=True)` is used."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), nn.ReLU(inplace=True)

    def forward(self, x: Any) -> Any:
        y = self.act(self.fc(x))
        return y + functional.relu(self.fc(y).view(-1, 2, 2), inplace=True).view(-1, 4)


def test_work_in_place_is_followed_or_refused(tmp_path: Any) -> None:
    assert_same(Chain(), 4)
    x = torch.randn(2, 3)
    with pytest.raises(UnsupportedError, match="select_scatter"):
        thresher.import_torch(View(), x)
    torch.export.save(torch.export.export(View(), (x,)), tmp_path / "view.pt2")
    with pytest.raises(UnsupportedError, match="works in place on 'mul', which others read too"):
        thresher.import_model(tmp_path / "view.pt2")
    module, x = Chain().eval(), torch.randn(2, 4)
    torch.export.save(torch.export.export(module, (x,)), tmp_path / "chain.pt2")
    found = thresher.evaluate(thresher.import_model(tmp_path / "chain.pt2"), x.numpy())
    np.testing.assert_allclose(found, module(x).detach().numpy(), rtol=0, atol=1e-6)


def test_whole_numbers_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="gives whole numbers"):
        thresher.import_torch(
            Function(lambda x: x.to(torch.int64).to(torch.float32)), torch.zeros(2, 3)
        )
