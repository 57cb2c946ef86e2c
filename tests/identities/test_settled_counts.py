"""Identity 7: once signed neurons have settled, every net count is the quantised ANN's."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from quantised import quantised_ann
from running import (
    Setting,
    assert_same_run,
    every_engine,
    network_of,
    row_major,
    run,
    spikes_by_tick,
    stimulus_of,
)
from signed_strategies import images, signed_graphs
from strategies import settings_of

from thresher.ir import Graph
from thresher.ir.inflow import inflow_of
from thresher.ir.spiking import spread

LIMIT = 1000
"""Steps to settle: more than any of these small networks takes."""


def expected_counts(
    graph: Graph, image: NDArray[np.floating], steps: int
) -> dict[str, NDArray[np.float64]]:
    """Return the quantised ANN's count at every population, max pools included."""
    values = quantised_ann(graph, image, steps)
    stands_for = {name: flow.count for name, flow in inflow_of(graph).items()}
    for node in graph:
        if node.spiking is not None:
            stands_for[node.name] = spread(node.spiking.threshold, graph.shapes[node.name])
    return {name: values[name] / theta for name, theta in stands_for.items() if theta is not None}


@every_engine
@given(data=st.data())
@settings(max_examples=150)
def test_settled_counts_are_the_quantised_anns(engine: str, data: st.DataObject) -> None:
    graph = data.draw(signed_graphs(delays=True))
    image = data.draw(images(graph))[0]
    drawn = data.draw(
        settings_of(ticks=(1, 2, 3, 4, 7, 16), encoders=("constant",), precisions=("float64",))
    )
    assert_settles_right(graph, image, replace(drawn, settle_limit=LIMIT), engine)


@every_engine
@given(data=st.data())
@settings(max_examples=100)
def test_settled_counts_are_those_of_layered_in_whole_numbers(
    engine: str, data: st.DataObject
) -> None:
    graph = data.draw(signed_graphs(delays=True))
    image = data.draw(images(graph))[0]
    drawn = data.draw(settings_of(ticks=(1, 3, 4, 7), precisions=("int",)))
    setting = replace(drawn, settle_limit=LIMIT)
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, image, setting)
    settled = run(network, stimulus, setting, engine)
    layered = run(network, stimulus, replace(setting, schedule="layered"), "reference")
    for population in network.spiking:
        counts = [
            spikes_by_tick(network, sample, population.rank, int(sample.ticks.max(initial=0)))
            for sample in (settled, layered)
        ]
        np.testing.assert_array_equal(counts[0].sum(axis=0), counts[1].sum(axis=0))
    output = network.offsets[-2:]
    np.testing.assert_array_equal(
        settled.potentials[slice(*output)], layered.potentials[slice(*output)]
    )


@given(data=st.data())
@settings(max_examples=50)
def test_layered_counts_are_the_quantised_anns_at_once(data: st.DataObject) -> None:
    graph = data.draw(signed_graphs())
    steps = data.draw(st.integers(1, 9))
    setting = Setting("layered", steps, precision="float64", settle_limit=LIMIT)
    assert_settles_right(graph, data.draw(images(graph))[0], setting, "reference")


def assert_settles_right(
    graph: Graph, image: NDArray[np.floating], setting: Setting, engine: str
) -> None:
    network = network_of(graph, setting)
    sample = run(network, stimulus_of(graph, network, image, setting), setting, engine)
    assert sample.quiescent > 0, "it has not settled"
    expected = expected_counts(graph, image, setting.steps)
    for population in network.spiking:
        last = int(sample.ticks.max(initial=0))
        counts = spikes_by_tick(network, sample, population.rank, last).sum(axis=0)
        found = row_major(network, population.rank, counts)
        np.testing.assert_array_equal(found, expected[population.name], err_msg=population.name)
    if not network.populations[-1].fires:
        output = network.populations[-1]
        logits = sample.potentials[network.offsets[output.rank] :]
        values = quantised_ann(graph, image, setting.steps)[output.name]
        np.testing.assert_array_equal(row_major(network, output.rank, logits), values)


@every_engine
@given(data=st.data())
@settings(max_examples=60)
def test_one_netted_tick_a_step_is_lockstep_for_signed_neurons(
    engine: str, data: st.DataObject
) -> None:
    graph = data.draw(signed_graphs(delays=True))
    lockstep = data.draw(settings_of(schedules=("lockstep",)))
    lockstep = replace(lockstep, settle_limit=data.draw(st.sampled_from([0, LIMIT])))
    network = network_of(graph, lockstep)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], lockstep)

    netted = run(network, stimulus, replace(lockstep, schedule="async"), engine, watch=True)

    assert_same_run(netted, run(network, stimulus, lockstep, engine, watch=True))
