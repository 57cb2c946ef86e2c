"""What every registered encoder must keep: seeds, one spike a tick, rates, signs, clipping."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, fires, linear

from thresher import Result, SimulationError, simulate
from thresher.ir import Graph
from thresher.sim import ENCODERS
from thresher.sim.encoders import IntensityEncoder, SpikeTimes

INTENSITY = [name for name in ENCODERS if isinstance(ENCODERS.get(name), IntensityEncoder)]
SPIKING = [name for name in INTENSITY if ENCODERS.get(name).spikes]
RATES = [name for name in SPIKING if name != "ttfs"]
every_encoder = pytest.mark.parametrize("name", INTENSITY)
every_spiking = pytest.mark.parametrize("name", SPIKING)
every_rate = pytest.mark.parametrize("name", RATES)

times = st.tuples(st.integers(1, 8), st.sampled_from([1, 3, 16, 64]))
rates = st.lists(st.integers(0, 8), min_size=1, max_size=40).map(lambda n: np.array(n) / 8)


def encode(
    name: str, rate: object, steps: int = 8, ticks_per_step: int = 4, seed: object = 0
) -> SpikeTimes:
    rng = np.random.default_rng(seed)
    return ENCODERS.get(name).encode(np.asarray(rate, float), steps, ticks_per_step, rng)


def by_tick(spikes: SpikeTimes, ticks: int, n: int) -> np.ndarray:
    """Count the spikes of ticks 1..ticks: (ticks, n)."""
    counts = np.zeros((ticks + 1, n), int)
    np.add.at(counts, (spikes.ticks, spikes.neurons), 1)
    return counts[1:]


@pytest.mark.parametrize("name", list(ENCODERS))
def test_an_encoder_is_registered_under_its_name(name: str) -> None:
    assert ENCODERS.get(name).name == name


@every_encoder
def test_the_same_generator_gives_the_same_spikes(name: str) -> None:
    rate = np.linspace(0, 1, 50)
    one, two = (encode(name, rate, seed=[3, 5]) for _ in range(2))
    np.testing.assert_array_equal(one.ticks, two.ticks)
    np.testing.assert_array_equal(one.neurons, two.neurons)


@every_encoder
@given(rate=rates, time=times)
@settings(max_examples=30)
def test_spikes_come_by_tick_then_neuron_and_at_most_once_a_tick(
    name: str, rate: np.ndarray, time: tuple[int, int]
) -> None:
    spikes = encode(name, rate, *time)
    key = spikes.ticks * len(rate) + spikes.neurons
    assert (np.diff(key) > 0).all()
    assert ((spikes.ticks >= 1) & (spikes.ticks <= time[0] * time[1])).all()
    assert ((spikes.neurons >= 0) & (spikes.neurons < len(rate))).all()


@every_encoder
def test_spikes_have_the_types_of_the_engines(name: str) -> None:
    for rate in ([0.0, 0.5], [0.0]):
        spikes = encode(name, rate)
        assert (spikes.ticks.dtype, spikes.neurons.dtype) == (np.int64, np.int32)


@every_spiking
def test_a_dark_pixel_never_fires(name: str) -> None:
    assert not len(encode(name, np.zeros(100), 50).ticks)


@every_rate
def test_a_full_pixel_fires_at_every_step_where_a_step_is_one_tick(name: str) -> None:
    counts = by_tick(encode(name, np.ones(3), 20, 1), 20, 3)
    np.testing.assert_array_equal(counts, np.ones((20, 3), int))


@every_rate
@pytest.mark.parametrize("ticks_per_step", [1, 16])
def test_the_mean_count_is_rate_times_steps(name: str, ticks_per_step: int) -> None:
    rate, steps = np.array([0.0, 0.1, 0.37, 0.5, 0.9, 1.0]), 4000
    ticks = steps * ticks_per_step
    counts = by_tick(encode(name, rate, steps, ticks_per_step), ticks, len(rate)).sum(axis=0)
    p = rate / ticks_per_step
    bound = 5 * np.sqrt(ticks * p * (1 - p)) + 0.5  # 5 sigma of a binomial; the seed is fixed
    assert (np.abs(counts - rate * steps) <= bound).all()


@given(rate=rates, time=times)
@settings(max_examples=50)
def test_regular_has_fired_the_rounded_share_by_every_tick(
    rate: np.ndarray, time: tuple[int, int]
) -> None:
    steps, ticks_per_step = time
    k = np.arange(1, steps * ticks_per_step + 1)[:, None]
    eighths = (rate * 8).astype(int)  # floor(r k / R + 1/2) in whole numbers
    expected = (2 * eighths * k + 8 * ticks_per_step) // (16 * ticks_per_step)
    counts = by_tick(encode("regular", rate, *time), len(k), len(rate)).cumsum(axis=0)
    exact = (2 * eighths * k + 8 * ticks_per_step) % (16 * ticks_per_step) != 0
    exact |= ticks_per_step in (1, 16, 64)  # k / 3 may round across an exact half
    np.testing.assert_array_equal(counts[exact], expected[exact])
    assert (np.abs(counts - expected) <= 1).all()


@given(rate=rates, time=times)
@settings(max_examples=50)
def test_ttfs_fires_once_and_the_earlier_the_brighter(
    rate: np.ndarray, time: tuple[int, int]
) -> None:
    ticks = time[0] * time[1]
    spikes = encode("ttfs", rate, *time)
    eighths = (rate * 8).astype(int)  # 1 + floor((1 - r) T R) in whole numbers
    expected = {i: 1 + (8 - n) * ticks // 8 for i, n in enumerate(eighths.tolist()) if n}
    assert dict(zip(spikes.neurons.tolist(), spikes.ticks.tolist(), strict=True)) == expected
    assert len(spikes.neurons) == len(expected)


def test_ttfs_gives_the_faintest_pixel_the_last_tick() -> None:
    spikes = encode("ttfs", [1e-300, 1.0, 0.0], 4, 16)
    assert (spikes.ticks.tolist(), spikes.neurons.tolist()) == ([1, 64], [1, 0])


def test_poisson_neurons_and_ticks_are_independent() -> None:
    mask = by_tick(encode("poisson", np.full(200, 0.5), 400, 1), 400, 200)
    for shifted in (mask[1:, :] & mask[:-1, :], mask[:, 1:] & mask[:, :-1]):
        share, n = shifted.mean(), shifted.size
        assert abs(share - 0.25) <= 5 * np.sqrt(0.25 * 0.75 / n)


def driven(threshold: float | None = 2.0) -> Graph:
    """Four pixels, spikes of the input alone count: no neuron behind it ever fires."""
    return chain(
        (4,),
        ("fc", linear("fc", np.eye(4))),
        ("if", *fires(1000.0)),
        ("out", linear("out", np.eye(4))),
        threshold=threshold,
    )


def simulated(name: str, pixels: list[float]) -> Result:
    x = np.array([pixels], np.float32)
    return simulate(driven(), x, steps=16, encoder=name, record="spikes")


@every_spiking
def test_a_negative_pixel_fires_negative_spikes(name: str) -> None:
    trace = simulated(name, [2.0, -2.0, 0.0, -1.0]).trace
    np.testing.assert_array_equal(np.unique(trace.sign[trace.neuron == 0]), [1])
    np.testing.assert_array_equal(np.unique(trace.sign[trace.neuron == 1]), [-1])
    np.testing.assert_array_equal(np.unique(trace.sign[trace.neuron == 3]), [-1])
    count = 1 if name == "ttfs" else 16
    np.testing.assert_array_equal(trace.counts("image")[:3], [count, -count, 0])


@every_spiking
def test_pixels_beyond_the_threshold_clip_and_are_counted(name: str) -> None:
    result = simulated(name, [2.5, -7.0, 2.0, 1.0])
    np.testing.assert_array_equal(result.clipped_inputs, [2])
    count = 1 if name == "ttfs" else 16
    np.testing.assert_array_equal(result.trace.counts("image")[:3], [count, -count, count])
    assert result.metrics()["clipped_inputs_per_sample"] == 2.0


def test_an_analog_input_is_never_clipped() -> None:
    np.testing.assert_array_equal(simulated("constant", [2.5, -7, 2, 1]).clipped_inputs, [0])


@every_rate
def test_one_input_spike_stands_for_the_inputs_threshold(name: str) -> None:
    graph = chain((1,), ("out", linear("out", [[0.5], [-1.0]])), threshold=4.0)
    x = np.array([[4.0]], np.float32)
    result = simulate(graph, x, steps=3, encoder=name, membranes={"out": [0, 1]})
    np.testing.assert_array_equal(
        result.trace.membranes["out"][0], [[2.0, -4.0], [4.0, -8.0], [6.0, -12.0]]
    )


@every_spiking
def test_an_input_without_threshold_is_refused_by_name(name: str) -> None:
    message = f"encoder '{name}' needs the threshold of input 'image'"
    with pytest.raises(SimulationError, match=message):
        simulate(driven(None), np.zeros((1, 4), np.float32), steps=1, encoder=name)


def test_an_unknown_encoder_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(SimulationError, match="unknown encoder 'poison': did you mean 'poisson'"):
        simulate(driven(), np.zeros((1, 4), np.float32), steps=1, encoder="poison")
