"""Identity 7 on a trained network: LeNet settles on the quantised ANN's counts.

The network lies in the folder THRESHER_DATA names (default ../shared/data).
"""

import os
from pathlib import Path

import numpy as np
import pytest
from running import every_engine

from thresher import convert, load, simulate
from thresher.ir import Graph

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("THRESHER_DATA", ROOT.parent / "shared" / "data"))
STEPS = 4

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the trained networks in {DATA}")


@pytest.fixture(scope="module")
def lenet() -> Graph:
    with np.load(DATA / "mnist_train.npz") as file:
        calibration = file["x"][:50]
    return convert(load(DATA / "lenet_mnist.yaml"), "exact", calibration=calibration, steps=STEPS)


@every_engine
@pytest.mark.parametrize(
    "timing",
    [
        {},
        {"schedule": "async", "ticks_per_step": 16},
        {"schedule": "async", "ticks_per_step": 5, "refractory": 0, "delay": 12},
        {"schedule": "async", "ticks_per_step": 4, "arrivals": "netted", "delay": 3},
    ],
    ids=["lockstep", "async", "delayed", "netted"],
)
def test_lenet_settles_on_the_counts_of_layered(
    lenet: Graph, engine: str, timing: dict[str, object]
) -> None:
    """`layered` is the quantised ANN (identity 4); float64 leaves no membrane on a threshold."""
    if engine == "reference" and timing:
        pytest.skip("the reference takes minutes on LeNet")
    n = 1 if engine == "reference" else 5
    with np.load(DATA / "mnist_test.npz") as file:
        x = file["x"][:n]
    options = {"steps": STEPS, "precision": "float64", "record": "spikes"}
    expected = simulate(lenet, x, schedule="layered", **options).trace
    settled = simulate(lenet, x, settle=True, engine=engine, **options, **timing).trace
    for name in expected.populations:
        for sample in range(n):
            np.testing.assert_array_equal(
                settled.counts(name, sample), expected.counts(name, sample), err_msg=name
            )
