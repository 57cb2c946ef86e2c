"""The parts of an error: what each is, and that they add up to it neuron by neuron."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import linear

from thresher.diagnosis import CAUSES, Staircase
from thresher.diagnosis.decompose import of_carrier, of_population
from thresher.ir import Op
from thresher.ir.ops import ClippedRelu, Qcfs, Relu

OPS = [Relu(), ClippedRelu(max=1.25), Qcfs(levels=4, max=1.5), linear("out", np.eye(3))]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.kind)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 64), part=st.floats(0, 1))
def test_the_parts_sum_to_the_error_of_every_neuron(
    op: Op, seed: int, steps: int, part: float
) -> None:
    rng = np.random.default_rng(seed)
    theta = rng.uniform(0.1, 2.0, 3)
    stairs = Staircase(theta, part * theta, steps, steps)
    ann, snn = rng.normal(0.3, 1.0, (2, 5, 3))
    value = theta / steps * rng.integers(0, steps + 1, (5, 3))
    activation = op.evaluate(ann) if op.can_spike else ann

    parts = of_population(op, stairs, ann, stairs(ann), stairs(snn), value)

    total = sum(getattr(parts, cause) for cause in CAUSES)
    np.testing.assert_allclose(total, value - activation, rtol=0, atol=1e-14)


def test_a_readout_only_passes_on_what_it_receives_and_its_window_cuts() -> None:
    activation, carried, value = (np.array([[x]]) for x in (1.0, 0.75, 0.5))
    parts = of_carrier(activation, carried, value)
    assert [getattr(parts, cause).item() for cause in CAUSES] == [0.0, 0.0, -0.25, -0.25]


@pytest.mark.parametrize(
    ("op", "z", "clipping", "quantisation"),
    [
        (Relu(), 1.5, -0.5, 0.0),  # beyond the threshold 1
        (Relu(), 0.625, 0.0, -0.125),  # between 1/2 and 3/4
        (Relu(), -0.5, 0.0, 0.0),
        (ClippedRelu(max=1.0), 1.5, 0.0, 0.0),  # the ANN clips as well
        (ClippedRelu(max=0.5), 1.5, 0.5, 0.0),  # the ANN clips lower
        (Qcfs(levels=4, max=1.0), 0.625, 0.0, -0.25),  # 3/4 in the ANN, 1/2 from a start of 0
        (linear("out", [[1.0]]), -0.5, 0.5, 0.0),  # a logit below 0 cannot fire
    ],
)
def test_clipping_and_quantisation_by_hand(
    op: Op, z: float, clipping: float, quantisation: float
) -> None:
    stairs = Staircase(np.array([1.0]), np.array([0.0]), 4, 4)
    z_both = np.array([[z]])
    given = stairs(z_both)
    parts = of_population(op, stairs, z_both, given, given, given)
    assert parts.clipping.item() == clipping
    assert parts.quantisation.item() == quantisation
    assert parts.propagated.item() == parts.unevenness.item() == 0.0
