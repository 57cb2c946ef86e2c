"""Identity 4 for time-coded neurons: what their spikes say by their steps is the quantised ANN."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from quantised import quantised_ann
from running import Setting, network_of, row_major, run, stimulus_of, weights_of
from strategies import graphs, images
from time_codes import BUILDERS, CODES, EXACT_STEPS, STANDS_FOR, starting_half_a_level_up

from thresher.ir import Graph
from thresher.ir.inflow import inflow_of
from thresher.sim.contract import SampleRun
from thresher.sim.network import Network, Population

Floats = NDArray[np.float64]
every_mixture = pytest.mark.parametrize("code", list(BUILDERS))


def sent(network: Network, sample: SampleRun, population: Population, code: str, steps: int):
    """Decode a population's spikes: T times its values, in thresholds (engines' order)."""
    of = sample.populations == population.rank
    neuron = code if population.neuron == "max_pool" else population.neuron
    worth = STANDS_FOR[neuron]((sample.ticks[of] - 1) % steps + 1, steps)
    return np.bincount(sample.neurons[of], sample.signs[of] * worth, population.size)


def simulated(
    graph: Graph, image: NDArray[np.floating], steps: int
) -> tuple[Network, NDArray[np.float64], SampleRun]:
    setting = Setting("layered", steps, precision="float64")
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, image, setting)
    return network, stimulus.current, run(network, stimulus, setting, "reference")


def assert_says_the_quantised_ann(
    graph: Graph, image: NDArray[np.floating], steps: int, code: str
) -> None:
    network, _, sample = simulated(graph, image, steps)
    expected, pools = quantised_ann(graph, image, steps), inflow_of(graph)
    for population in network.populations:
        values = sample.potentials[network.offsets[population.rank] :]
        if population.fires:
            values = population.theta * sent(network, sample, population, code, steps)
        values = row_major(network, population.rank, values[: population.size])
        if population.neuron == "max_pool":
            values = values * pools[population.name].count
        np.testing.assert_array_equal(values, expected[population.name], err_msg=population.name)


@every_mixture
@given(data=st.data())
@settings(max_examples=60)
def test_every_layer_says_the_quantised_anns_values(code: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(builder_of=BUILDERS[code]))
    image, steps = data.draw(images(graph))[0], data.draw(st.sampled_from(EXACT_STEPS))
    assert_says_the_quantised_ann(graph, image, steps, code)


@pytest.mark.parametrize("code", ["few_spikes", "ttfs"])
@given(data=st.data(), steps=st.sampled_from([4, 1, 6, 8, 10]))
@settings(max_examples=30)
def test_every_layer_says_them_at_any_number_of_steps(
    code: str, data: st.DataObject, steps: int
) -> None:
    graph = data.draw(graphs(builder_of=BUILDERS[code]))
    assert_says_the_quantised_ann(graph, data.draw(images(graph))[0], steps, code)


@pytest.mark.parametrize("code", CODES)
@given(data=st.data())
@settings(max_examples=30)
def test_a_start_of_half_a_level_makes_the_floor_rounding(code: str, data: st.DataObject) -> None:
    graph, steps = data.draw(graphs(builder_of=BUILDERS[code])), data.draw(st.sampled_from([5, 9]))
    graph = starting_half_a_level_up(graph, steps)
    image = data.draw(images(graph))[0]
    assert_says_the_quantised_ann(graph, image, steps, code)


@every_mixture
@given(data=st.data())
@settings(max_examples=40)
def test_no_charge_is_lost_or_made_and_every_spike_costs_its_fan_out(
    code: str, data: st.DataObject
) -> None:
    """v = v_init + T * current + what the spikes of the sources bring - theta * what it sent."""
    graph = data.draw(graphs(builder_of=BUILDERS[code]))
    steps = data.draw(st.sampled_from(EXACT_STEPS))
    network, current, sample = simulated(graph, data.draw(images(graph))[0], steps)
    said = [sent(network, sample, p, code, steps) if p.fires else None for p in network.populations]
    operations = 0
    for projection in network.projections:
        of = sample.populations == projection.source
        operations += projection.synapses.fan_out()[sample.neurons[of]].sum()
    assert sample.synaptic_operations == operations
    for population in network.populations:
        if population.neuron == "max_pool":
            continue
        span = slice(*network.offsets[population.rank : population.rank + 2])
        v = population.v_init + steps * current[span]
        for projection in network.projections:
            if projection.target == population.rank:
                v = v + said[projection.source] @ weights_of(network, projection)
        if population.fires:
            v = v - population.theta * said[population.rank]
        np.testing.assert_array_equal(sample.potentials[span], v)
