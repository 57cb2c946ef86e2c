"""Initialisers: their distributions, and that a tensor depends on its name and seed alone."""

import math

import numpy as np
import pytest

from thresher.errors import SpecError
from thresher.ir.initialise import (
    Constant,
    KaimingNormal,
    KaimingUniform,
    Normal,
    Ones,
    RandomInitialiser,
    Uniform,
    Zeros,
    fan_out,
)

SHAPE = (40, 20, 3, 5)
RANDOM = [KaimingNormal(), KaimingUniform(), Normal(std=0.5), Uniform(low=-1.0, high=2.0)]


def moments(initialiser: RandomInitialiser) -> tuple[float, float]:
    values = initialiser.draw("a", SHAPE).astype(np.float64)
    return float(values.mean()), float(values.std())


@pytest.mark.parametrize("initialiser", [KaimingNormal(), KaimingUniform()])
def test_kaiming_has_variance_two_over_fan_out(initialiser: RandomInitialiser) -> None:
    expected = math.sqrt(2 / (40 * 3 * 5))
    mean, deviation = moments(initialiser)
    assert abs(mean) < 0.05 * expected
    assert abs(deviation - expected) < 0.05 * expected


def test_kaiming_uniform_stays_within_its_bound() -> None:
    values = np.abs(KaimingUniform().draw("a", SHAPE))
    bound = math.sqrt(6 / (40 * 3 * 5))
    assert 0.99 * bound < values.max() <= np.float32(bound)


def test_normal_and_uniform_have_their_moments() -> None:
    assert moments(Normal(std=0.5)) == pytest.approx((0.0, 0.5), abs=0.02)
    assert moments(Uniform(low=-1.0, high=2.0)) == pytest.approx((0.5, 3 / 12**0.5), abs=0.02)


def test_constants_fill_the_shape() -> None:
    np.testing.assert_array_equal(Zeros().draw("a", (2, 3)), np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(Ones().draw("a", (2,)), np.ones(2, np.float32))
    np.testing.assert_array_equal(Constant(value=0.25).draw("a", (2,)), np.float32([0.25, 0.25]))


@pytest.mark.parametrize("initialiser", RANDOM)
def test_a_draw_is_float32_and_repeats(initialiser: RandomInitialiser) -> None:
    first, second = initialiser.draw("a", SHAPE), initialiser.draw("a", SHAPE)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("initialiser", RANDOM)
def test_another_name_or_seed_gives_another_draw(initialiser: RandomInitialiser) -> None:
    fields = {**vars(initialiser), "seed": 1}
    reseeded = type(initialiser)(**fields)
    first = initialiser.draw("a", SHAPE)
    assert not np.array_equal(first, initialiser.draw("b", SHAPE))
    assert not np.array_equal(first, reseeded.draw("a", SHAPE))


def test_fan_out_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    expected = torch.nn.init._calculate_fan_in_and_fan_out(torch.zeros(SHAPE))[1]
    assert fan_out("a", SHAPE) == expected


def test_a_vector_has_no_fan_out() -> None:
    with pytest.raises(SpecError, match=r"tensor 'a' is \[3\] and has no fan-out"):
        KaimingNormal().draw("a", (3,))


def test_uniform_limits_must_be_in_order() -> None:
    with pytest.raises(SpecError, match="init 'uniform': low is 2; expected at most high, 1"):
        Uniform(low=2.0, high=1.0)
