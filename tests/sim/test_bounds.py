"""Bounds of whole-number membranes: int32 where nothing can overflow, int64, or a refusal."""

from dataclasses import replace

import numpy as np
import pytest
from networks import chain, fires, linear, neurons
from running import Setting, every_engine, network_of, run, stimulus_of

from thresher.errors import DataError, SimulationError
from thresher.ir import Graph, Readout
from thresher.sim import ENCODERS, Network, compile_graph
from thresher.sim.bounds import Extent, fit_membranes
from thresher.sim.stimulus import Stimuli

INT32 = np.iinfo(np.int32).max


def pair(psp: float, threshold: float = 1.0, **annotation: object) -> Graph:
    """One neuron that the image drives, and a readout; a unit is 1."""
    graph = chain(
        (1,),
        ("in", linear("in", [[1.0]], [2.0])),
        ("if", *fires(threshold, scale=1.0, **annotation)),
        ("out", linear("out", [[psp / threshold]], [3.0])),
    )
    return replace(graph, readout=Readout(scale=1.0))


def fitted(graph: Graph, extent: Extent, largest_input: float = 0.0) -> Network:
    network = fit_membranes(compile_graph(graph, dtype=np.int64), extent, largest_input)
    network.check()
    return network


@pytest.mark.parametrize(
    ("extent", "most"),
    [(Extent(5, 5), 5), (Extent(5, 320, 63), 5), (Extent(5, 321, 63), 6), (Extent(5, 320), 320)],
)
def test_a_neuron_fires_once_in_refractory_and_a_tick(extent: Extent, most: int) -> None:
    assert extent.most_spikes == most


def test_the_room_is_what_the_rest_of_the_bound_leaves() -> None:
    network = fitted(pair(100.0, threshold=7.0, v_init=-3.0), Extent(10, 10))
    room = INT32 - 1 - np.array([2 * 3 + 7, 2 * 10 * 100])
    assert network.dtype == np.int32
    np.testing.assert_array_equal(network.most_current, room // (2 * 10))


def test_v_reset_counts() -> None:
    network = fitted(pair(100.0, reset="hard", v_reset=-50.0), Extent(1, 1))
    assert network.most_current[0] == (INT32 - 1 - (1 + 50)) // 2


@pytest.mark.parametrize(("steps", "dtype"), [(32765, np.int32), (32766, np.int64)])
def test_membranes_are_int64_where_spikes_can_bring_more_than_int32(
    steps: int, dtype: type[np.signedinteger]
) -> None:
    # the readout: 2 (T * 32767 + T (3 + 1)), the 1 for a current's rounding
    assert (2 * steps * (32767 + 4) < INT32) == (dtype == np.int32)
    network = fitted(pair(32767.0), Extent(steps, steps))
    assert network.dtype == dtype
    assert {p.theta.dtype for p in network.populations} == {np.dtype(dtype)}
    assert {p.v_init.dtype for p in network.populations} == {np.dtype(dtype)}
    assert network.populations[1].theta[0] == np.iinfo(dtype).max


@pytest.mark.parametrize(("largest", "dtype"), [(1e6, np.int32), (1e8, np.int64)])
def test_images_four_times_as_large_as_expected_have_room(
    largest: float, dtype: type[np.signedinteger]
) -> None:
    network = fitted(pair(1.0), Extent(100, 100), largest_input=largest)
    assert network.dtype == dtype
    assert network.most_current[0] >= 4 * largest + 2


def test_the_ramp_of_the_largest_current_fits_an_int64() -> None:
    network = fitted(pair(1.0), Extent(2, 2**30, 2**29), largest_input=2.0**40)
    assert network.dtype == np.int64
    assert (network.most_current.astype(object) * 2**30 < 2**63).all()


def test_what_not_even_int64_holds_is_refused_by_name() -> None:
    message = r"node 'if' may reach [\d,]+ units of precision 'int' in 2 steps, .* fewer bits"
    with pytest.raises(SimulationError, match=message):
        fitted(pair(1.0), Extent(2, 2), largest_input=2.0**51)


def test_an_image_beyond_the_room_is_refused_with_its_position() -> None:
    graph = pair(1.0)
    network = fitted(graph, Extent(4, 4), largest_input=1.0)
    stimuli = Stimuli(graph, network, ENCODERS.get("constant"), 4, 1, 0)
    most = int(network.most_current[0])
    message = "image 7 drives a current with which a membrane of int32 may overflow"
    stimuli.of(np.array([most - 2.0]), 7)
    with pytest.raises(DataError, match=message):
        stimuli.of(np.array([most - 1.0]), 7)


@every_engine
@pytest.mark.parametrize("sign", [1, -1])
def test_membranes_near_the_bound_hold_what_came_in(engine: str, sign: int) -> None:
    # 30 neurons fire at each of 1,000 steps: 30 * 1,000 * 32,767 units, and twice that is the bound
    graph = neurons([1.0] * 30, [[sign * 32767.0] * 30], scale=1.0)
    setting = Setting("lockstep", 1000, precision="int")
    network = network_of(replace(graph, readout=Readout(scale=1.0)), setting)
    stimulus = stimulus_of(graph, network, np.zeros(1), setting)

    sample = run(network, stimulus, setting, engine)

    assert network.dtype == np.int32
    assert 0.9 * INT32 < 2 * 30 * 1000 * 32767
    np.testing.assert_array_equal(sample.potentials, [0] * 30 + [sign * 30 * 1000 * 32767])
