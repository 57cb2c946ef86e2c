"""The rules of the papers, simulated apart from the simulator, and the simulator held to them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, linear
from numpy.typing import NDArray

from thresher import simulate
from thresher.ir import Graph, Spiking
from thresher.ir.ops import Relu

Floats = NDArray[np.float64]
Layer = tuple[Floats, Floats]
"""weight (out, in) and bias"""


def first_spikes(arrivals: Floats, slopes: Floats, b: Floats, tau: float, span: float) -> Floats:
    """Let membranes rise from event to event until they fire; times from the window's start.

    Stanojevic et al.: dv/dt = sum of the slopes that have arrived until the window begins at 0,
    then 1 / tau; threshold span / tau - b. `arrivals` are negative, inf where no spike came.
    """
    order = np.argsort(arrivals)
    times, slopes = arrivals[order], slopes[:, order]
    v, slope, now = np.zeros(len(b)), np.zeros(len(b)), -np.inf
    for time, rise in zip(times[np.isfinite(times)], slopes.T, strict=False):
        v += slope * (time - now if np.isfinite(now) else 0.0)
        slope, now = slope + rise, time
    v += slope * (0.0 - now if np.isfinite(now) else 0.0)
    fires = np.maximum((span / tau - b - v) * tau, 0.0)
    return np.where(fires < span, fires, np.inf)


def network(rng: np.random.Generator, sizes: list[int], exact: bool) -> list[Layer]:
    """Draw weights and biases of either sign, in eighths where sums are to be exact."""
    layers = []
    for n_in, n_out in pairwise(sizes):
        weight = rng.normal(0, 1.2 / np.sqrt(n_in), (n_out, n_in))
        bias = rng.normal(0, 0.2, n_out)
        if exact:
            weight, bias = np.round(8 * weight) / 8, np.round(8 * bias) / 8
        layers.append((weight, bias))
    return layers


@pytest.mark.parametrize("seed", range(5))
def test_exact_times_of_first_spikes_decode_to_the_relu_network(seed: int) -> None:
    """Four layers, each with a window and a tau of its own: to 1e-12 in float64."""
    rng = np.random.default_rng(seed)
    layers = network(rng, [20, 30, 25, 15, 10], exact=False)
    x = rng.uniform(0, 1, 20)
    relu, tau, span = x, 3.0, 3.0
    times = np.where(x > 0, span - tau * x, np.inf)
    for weight, bias in layers:
        relu = np.maximum(weight @ relu + bias, 0)
        arrivals, before = times - span, tau
        tau = rng.uniform(0.5, 4)
        span = tau * (relu.max() + rng.uniform(0, 1))
        times = first_spikes(arrivals, weight / before, bias, tau, span)
        decoded = np.where(np.isfinite(times), (span - times) / tau, 0.0)
        np.testing.assert_allclose(decoded, relu, rtol=0, atol=1e-12)
    assert 0 < np.count_nonzero(relu) < len(relu)


def test_a_window_that_is_too_short_clips() -> None:
    times = first_spikes(np.array([-2.0]), np.array([[1.0]]), np.array([0.0]), 1.0, 1.5)
    # 2 against the 1.5 that the window can say: the threshold is passed before it begins
    np.testing.assert_array_equal(times, [0.0])


def graph_of(layers: list[Layer], theta: list[float], code: str) -> Graph:
    links = []
    for i, ((weight, bias), threshold) in enumerate(zip(layers[:-1], theta, strict=True)):
        links.append((f"fc{i}", linear(f"fc{i}", weight, bias)))
        links.append((f"act{i}", Relu(), Spiking(threshold, code)))
    return chain((layers[0][0].shape[1],), *links, ("out", linear("out", *layers[-1])))


@given(seed=st.integers(0, 2**32 - 1), steps=st.sampled_from([8, 4, 16, 2, 1]))
@settings(max_examples=60)
def test_times_put_off_to_the_next_step_are_those_of_the_simulator(seed: int, steps: int) -> None:
    """The same rule, every layer's times rounded up to steps before the next takes them.

    With T a power of two tau is exact.
    """
    rng = np.random.default_rng(seed)
    layers = network(rng, [4, 6, 5, 3], exact=True)
    x = rng.integers(-8, 9, 4) / 8
    theta = [float(value) for value in rng.choice([0.5, 1.0, 2.0], 2)]
    result = simulate(
        graph_of(layers, theta, "ttfs"),
        x[None].astype(np.float32),
        steps=steps,
        schedule="layered",
        precision="float64",
        record="spikes",
    )
    # T times the first layer's input is there when its window begins, as if it were its bias
    first_weight, first_bias = layers[0]
    none, nothing = np.zeros(0), np.zeros((len(first_bias), 0))
    arrivals, slopes, b = none, nothing, first_weight @ x + first_bias
    for i, threshold in enumerate(theta):
        tau = steps / threshold
        times = np.ceil(first_spikes(arrivals, slopes, b, tau, float(steps)))
        expected = np.where(times < steps, i * steps + times + 1, 0)
        found = np.zeros(len(b))
        of = result.trace.population == i
        found[result.trace.neuron[of]] = result.trace.tick[of]
        np.testing.assert_array_equal(found, expected)
        weight, b = layers[i + 1]
        slopes = weight / tau
        arrivals = np.where(times < steps, times - steps, np.inf)


@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(1, 12))
@settings(max_examples=60)
def test_few_spikes_are_those_of_the_papers_recursion(seed: int, bits: int) -> None:
    """v <- v - h(t) z(t), out <- out + d(t) z(t), h = d = T(t) = alpha 2^-t, t = 1..K."""
    rng = np.random.default_rng(seed)
    layers = network(rng, [4, 6, 5, 3], exact=True)
    x = rng.integers(-8, 9, 4) / 8
    alphas = [float(value) for value in rng.choice([0.75, 1.0, 2.0], 2)]
    result = simulate(
        graph_of(layers, alphas, "few_spikes"),
        x[None].astype(np.float32),
        steps=bits,
        schedule="layered",
        precision="float64",
        record="spikes",
    )
    values = x
    for i, alpha in enumerate(alphas):
        weight, bias = layers[i]
        v = weight @ values + bias
        values, spikes = np.zeros(len(v)), []
        for t in range(1, bits + 1):
            z = v >= alpha * 2.0**-t
            v, values = v - alpha * 2.0**-t * z, values + alpha * 2.0**-t * z
            spikes += [(i * bits + t, neuron) for neuron in np.flatnonzero(z)]
        of = result.trace.population == i
        found = zip(result.trace.tick[of], result.trace.neuron[of], strict=True)
        assert sorted(found) == sorted(spikes)
        floor = np.floor((weight @ previous(x, layers, alphas, i, bits) + bias) * 2**bits / alpha)
        np.testing.assert_array_equal(values, np.clip(floor, 0, 2**bits - 1) * alpha / 2**bits)


def previous(x: Floats, layers: list[Layer], alphas: list[float], depth: int, bits: int) -> Floats:
    """Return what a layer receives where each before it is the K-bit floor of its input."""
    for (weight, bias), alpha in zip(layers[:depth], alphas[:depth], strict=True):
        level = np.floor((weight @ x + bias) * 2**bits / alpha)
        x = np.clip(level, 0, 2**bits - 1) * alpha / 2**bits
    return x
