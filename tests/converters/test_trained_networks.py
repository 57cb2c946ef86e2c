"""Conversions of trained networks: every node accounted for, the ANN's function kept.

The networks lie in the folder THRESHER_DATA names (default ../shared/data).
"""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from thresher import convert
from thresher.converters import account
from thresher.ir import evaluate
from thresher.ir.spec import load, save

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("THRESHER_DATA", ROOT.parent / "shared" / "data"))
N_IMAGES = 8

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the trained networks in {DATA}")

NETWORKS = {
    "lenet_mnist": ("mnist_test.npz", 2, 3),
    "vgg7_cifar10": ("cifar10_test.npz", 6, 6),
    "resnet20_cifar10": ("cifar10_test.npz", 19, 19),
}
"""The images, and how many batch norms are folded and populations made."""


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("recipe", ["default", "deng2021"])
def test_every_node_is_accounted_for_and_the_function_kept(
    name: str, recipe: str, tmp_path: Path
) -> None:
    images, n_folded, n_populations = NETWORKS[name]
    graph = load(DATA / f"{name}.yaml")
    x = np.load(DATA / images)["x"][:N_IMAGES]

    snn = convert(graph, recipe, calibration=x, steps=16)

    rows = account(snn)
    fates = Counter(row.became.partition(" ")[0] for row in rows)
    fires = recipe == "deng2021"
    assert [row.node for row in rows] == list(graph.order)
    assert fates["folded"] == n_folded
    assert fates["population"] == n_populations + fires
    assert fates["synapses"] == len(rows) - n_folded - n_populations - fires
    expected = evaluate(graph, x[:2])
    np.testing.assert_allclose(
        evaluate(snn, x[:2]), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )
    save(snn, tmp_path / "snn.yaml")
    assert load(tmp_path / "snn.yaml") == snn
