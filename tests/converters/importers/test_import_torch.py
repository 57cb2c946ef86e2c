"""PyTorch's modules as graphs: names, and results equal to PyTorch's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thresher
from thresher.cli import main
from thresher.errors import GraphError, UnsupportedError
from thresher.ir import Graph

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn
functional = torch.nn.functional


class Residual(nn.Module):
    """A hand-written forward: functions, a shortcut, a reused layer, a split and a fold."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.again = nn.Conv2d(4, 4, 3, padding="same")
        self.drop = nn.Dropout(0.25)
        self.fc = nn.Linear(4 * 16, 3)
        self.register_buffer("mean", torch.tensor([0.25]))

    def forward(self, x: Any) -> Any:
        y = functional.relu(self.bn1(self.conv1((x - self.mean) / 0.5)))
        y = y + self.again(functional.relu(self.again(y)))
        first, second = functional.avg_pool2d(y, 2).chunk(2, dim=1)
        y = torch.cat([second, first], 1)
        return self.fc(self.drop(y.view(y.size(0), -1)))


def evaluated(module: Any) -> Any:
    """Return a module in evaluation mode whose batch norms have seen something."""
    torch.manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
            nn.init.normal_(layer.weight)
    return module.eval()


def assert_equal(graph: Graph, module: Any, *shape: int) -> None:
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    found = thresher.evaluate(graph, x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_a_hand_written_forward_gives_pytorchs_results() -> None:
    module = evaluated(Residual())
    assert_equal(thresher.import_torch(module, torch.zeros(1, 1, 8, 8)), module, 1, 8, 8)


def test_nodes_are_called_by_their_modules_and_reused_layers_share_their_tensors() -> None:
    graph = thresher.import_torch(evaluated(Residual()), torch.zeros(1, 1, 8, 8))
    assert [node.name for node in graph.nodes] == [
        "sub", "div", "conv1", "bn1", "relu", "again", "relu_1", "again_1", "add", "avg_pool2d",
        "chunk", "chunk_1", "cat", "view", "drop", "fc",
    ]  # fmt: skip
    assert graph["again"].op == graph["again_1"].op
    assert {"conv1.weight", "again.weight", "fc.bias"} <= set(graph.tensors)


def test_a_layer_in_training_mode_is_refused_by_name() -> None:
    module = Residual().eval()
    module.bn1.train()
    with pytest.raises(GraphError, match=r"training mode at bn1.*call its eval\(\)"):
        thresher.import_torch(module, torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize(
    ("module", "example", "message"),
    [
        ("net.pt2", torch.zeros(1, 3), "got str 'net.pt2'; expected a torch.nn.Module"),
        (nn.ReLU(), "image.png", "example is str 'image.png'; expected a tensor"),
        (nn.ReLU(), torch.zeros(0, 3), r"example is \[0, 3\]; expected a batch axis"),
    ],
)
def test_what_is_no_module_or_no_example_is_said(module: Any, example: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        thresher.import_torch(module, example)


def test_all_unsupported_operators_are_listed_with_their_lines() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.Softplus()

        def forward(self, x: Any) -> Any:
            return torch.sin(self.act(x) / x)

    with pytest.raises(UnsupportedError) as caught:
        thresher.import_torch(Odd(), torch.zeros(1, 3))
    assert [item.operation for item in caught.value.refusals] == ["softplus", "div", "sin"]
    assert caught.value.refusals[0].place.startswith("'act' at test_import_torch.py:")


class Transformer(nn.Module):
    """Tokens of patches, the token of a class, a learnt position, two blocks of PyTorch's own."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(1, 8, 2, 2)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.position = nn.Parameter(torch.zeros(1, 17, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 12, activation="gelu", batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        y = self.patch(x).flatten(2).transpose(1, 2)
        y = torch.cat([self.token.expand(len(y), -1, -1), y], 1) + self.position
        return self.head(self.blocks(y)[:, 0])


def drawn(module: Any) -> Any:
    """Return a module in evaluation mode, every parameter of which is drawn."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.eval()


def test_a_transformer_gives_pytorchs_results() -> None:
    module = drawn(Transformer())
    graph = thresher.import_torch(module, torch.zeros(1, 1, 8, 8))
    assert_equal(graph, module, 1, 8, 8)
    kinds = [node.op.kind for node in graph.nodes]
    assert [kinds.count(kind) for kind in ("softmax", "matmul", "layer_norm", "gelu")] == [
        2, 4, 4, 2,
    ]  # fmt: skip
    assert graph["blocks.layers.0.linear1"].op.bias.name == "blocks.layers.0.linear1.bias"


def test_a_saved_program_is_imported_by_the_command(tmp_path: Path) -> None:
    module = evaluated(Residual())
    program = torch.export.export(module, (torch.zeros(2, 1, 8, 8),))
    torch.export.save(program, tmp_path / "net.pt2")
    assert main(["import", str(tmp_path / "net.pt2"), "-o", str(tmp_path / "net.yaml")]) == 0
    assert_equal(thresher.load(tmp_path / "net.yaml"), module, 1, 8, 8)
