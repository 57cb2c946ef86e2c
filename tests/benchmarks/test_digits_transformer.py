"""The transformer of the digits: it learns, and its graph classifies as PyTorch does."""

import numpy as np
import pytest

import thresher
from thresher import digits

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from benchmarks.digits_transformer import imported, trained  # noqa: E402


def test_a_graph_of_the_transformer_gives_pytorchs_logits() -> None:
    module = trained(1, width=8, heads=2, depth=1)
    x = digits.load()[2][:50]
    with torch.no_grad():
        expected = module(torch.from_numpy(np.asarray(x, np.float32) / 16)).numpy()
    found = thresher.evaluate(imported(module), x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_the_same_seed_trains_the_same_network() -> None:
    one, two = (trained(1, width=4, heads=1, depth=1).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], two[name]) for name in one)
