"""Train a small vision transformer on the packaged digits: python -m benchmarks.digits_transformer

Patches of 2 x 2 pixels are 16 tokens; pre-norm blocks of attention and a GELU MLP follow, and a
linear layer reads the mean of the tokens. It needs PyTorch and takes well under a minute.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import thresher
from thresher import digits
from thresher.ir import Preprocess

TOKENS = 16
PIXEL = 16.0
"""The largest value of a pixel."""


class Attention(nn.Module):
    """Attention of every token to every token; one layer gives query, key and value."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, length, width = x.shape
        parts = self.qkv(x).reshape(n, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        y = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.out(y.transpose(1, 2).reshape(n, length, width))


class Block(nn.Module):
    """Attention, then two linear layers with a GELU between, each after a norm and beside it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.fc1 = nn.LayerNorm(width), nn.Linear(width, 2 * width)
        self.act, self.fc2 = nn.GELU(), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.fc2(self.act(self.fc1(self.norm2(x))))


class DigitsTransformer(nn.Module):
    """Classify preprocessed digits (N, 1, 8, 8), pixels from 0 to 1."""

    def __init__(self, width: int = 32, heads: int = 4, depth: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, 2)
        self.position = nn.Parameter(0.02 * torch.randn(1, TOKENS, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


def trained(epochs: int, seed: int = 0, **sizes: int) -> DigitsTransformer:
    """Train on the training part of the digits; the same seed gives the same network."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = DigitsTransformer(**sizes)
        x, y = _prepared()[:2]
        optimiser = torch.optim.AdamW(module.parameters(), lr=2e-3, weight_decay=0.05)
        batches = -(-len(x) // 64)
        plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, epochs * batches)
        for _ in range(epochs):
            for part in torch.randperm(len(x)).split(64):
                loss = nn.functional.cross_entropy(module(x[part]), y[part], label_smoothing=0.1)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                plan.step()
    return module.eval()


def accuracy(logits: Any) -> float:
    """Return the share of the test part that logits (N, 10) classify as it is labelled."""
    return float((np.asarray(logits).argmax(1) == digits.load()[3]).mean())


def imported(module: nn.Module) -> thresher.Graph:
    """Return the network as a graph of the raw digits, whose pixels go from 0 to 16."""
    graph = thresher.import_torch(module, torch.zeros(1, 1, 8, 8))
    item = replace(graph.inputs[0], preprocess=Preprocess(divide=PIXEL))
    return replace(graph, inputs=(item,), labels=tuple(map(str, range(10))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("-o", "--output", type=Path, help="write the network's spec there")
    given = parser.parse_args()
    torch.set_num_threads(1)  # the network is too small for more
    module = trained(given.epochs)
    graph = imported(module)
    with torch.no_grad():
        logits = module(_prepared()[2]).numpy()
    found = thresher.evaluate(graph, digits.load()[2])
    print(f"accuracy of PyTorch: {accuracy(logits):.4f}, of the graph: {accuracy(found):.4f}")
    print(f"largest difference of a logit: {np.abs(found - logits).max():.1e}")
    if given.output is not None:
        thresher.save(graph, given.output)
        print(f"{given.output}: {len(graph.nodes)} nodes")


def _prepared() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x, y, x_test, _ = digits.load()
    images, tests = (torch.from_numpy(np.asarray(part, np.float32) / PIXEL) for part in (x, x_test))
    return images, torch.from_numpy(np.asarray(y, np.int64)), tests


if __name__ == "__main__":
    main()
