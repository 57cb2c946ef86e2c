"""A trained network, from the folder THRESHER_DATA names (default ../shared/data)."""

import os
from pathlib import Path

import numpy as np
import pytest

from thresher import Graph, convert, diagnose, load

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("THRESHER_DATA", ROOT.parent / "shared" / "data"))
STEPS = 8

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the trained networks in {DATA}")


@pytest.fixture(scope="module")
def lenet() -> Graph:
    calibration = np.load(DATA / "mnist_train.npz")["x"][:50]
    return convert(load(DATA / "lenet_mnist.yaml"), "default", calibration=calibration, steps=STEPS)


@pytest.mark.parametrize("schedule", ["layered", "lockstep", "async"])
def test_unevenness_begins_at_the_second_layer_and_not_in_layered(
    lenet: Graph, schedule: str
) -> None:
    x = np.load(DATA / "mnist_test.npz")["x"][:4]
    found = diagnose(lenet, x, steps=STEPS, schedule=schedule, precision="float64")
    uneven = [layer.unevenness.absolute for layer in found.layers[:3]]
    assert uneven[0] == 0
    assert (min(uneven[1:]) > 0) == (schedule != "layered")
    clipped = [layer.clipping.absolute for layer in found.layers]
    assert clipped == [0] * 4  # threshold ReLUs, whose ceilings are the thresholds
