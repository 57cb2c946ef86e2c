"""Identity 2: theta * spikes = total input + v_init - v, at every neuron and every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, fires, linear
from running import Setting, every_engine, network_of, run, spikes_by_tick, stimulus_of, weights_of
from strategies import graphs, images, settings_of

from thresher.ir import Graph

Image = np.ndarray


def assert_balanced(graph: Graph, image: Image, setting: Setting, engine: str) -> None:
    """Add up what every neuron received by each tick, and compare with what it did with it."""
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, image, setting)
    layered = setting.schedule == "layered"
    sample = run(network, stimulus, setting, engine, watch=not layered)
    ticks = int(sample.ticks.max(initial=0)) if layered else setting.ticks
    spikes = [spikes_by_tick(network, sample, p.rank, ticks) for p in network.populations]
    time = np.arange(ticks + 1)[:, None]

    for population in network.populations:
        if population.neuron == "input":
            continue
        span = slice(*network.offsets[population.rank : population.rank + 2])
        received = time * stimulus.current[span].astype(float) / setting.ticks_per_step
        if network.is_whole:
            received = np.floor(received)
        for projection in network.projections:
            if projection.target == population.rank:
                arrived = np.zeros_like(spikes[projection.source])
                if projection.delay <= ticks:
                    end = ticks + 1 - projection.delay
                    arrived[projection.delay :] = spikes[projection.source][:end]
                received += arrived.cumsum(axis=0) @ weights_of(network, projection)
        spent = np.zeros_like(received)
        if population.fires:
            spent = population.theta.astype(float) * spikes[population.rank].cumsum(axis=0)
        v = population.v_init + received - spent
        if layered:  # the potentials stand at the end, when the whole input of T steps is in
            in_steps = (setting.steps - ticks) * stimulus.current[span]
            np.testing.assert_array_equal(sample.potentials[span], v[-1] + in_steps)
        else:
            np.testing.assert_array_equal(sample.watched[:, span], v[1:])
            np.testing.assert_array_equal(sample.potentials[span], v[-1])


@every_engine
@given(data=st.data())
@settings(max_examples=80)
def test_no_charge_is_lost_or_made(engine: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True))
    assert_balanced(graph, data.draw(images(graph))[0], data.draw(settings_of()), engine)


@given(data=st.data())
@settings(max_examples=30)
def test_no_charge_is_lost_or_made_layer_by_layer(data: st.DataObject) -> None:
    graph = data.draw(graphs())
    setting = data.draw(settings_of(schedules=("layered",)))
    setting = Setting("layered", setting.steps, encoder=setting.encoder, precision="float64")
    assert_balanced(graph, data.draw(images(graph))[0], setting, "reference")


@every_engine
@pytest.mark.parametrize("ticks_per_step", [3, 7, 10])
def test_potentials_at_the_end_balance_where_a_tick_is_not_exact(
    engine: str, ticks_per_step: int
) -> None:
    graph = chain(
        (2,),
        ("in", linear("in", [[1, 0.5], [0.25, 1]], [0.125, -0.25])),
        ("if1", *fires(0.75)),
        ("fc", linear("fc", [[1, -0.5], [0.5, 1]], [0.25, 0])),
        ("if2", *fires(0.5, v_init=0.25)),
        ("out", linear("out", [[1, 1]])),
    )
    setting = Setting("async", 6, ticks_per_step, 1, False, delay=2)
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, np.array([0.875, 0.5], np.float32), setting)

    sample = run(network, stimulus, setting, engine)

    first, second = (spikes_by_tick(network, sample, rank, setting.ticks) for rank in range(2))
    due = setting.ticks - 2
    sent = first[: due + 1].sum(axis=0) * 0.75
    np.testing.assert_array_equal(
        sample.potentials,
        [
            *(6 * np.array([1.25, 0.46875]) - 0.75 * first.sum(axis=0)),
            *(
                0.25
                + 6 * np.array([0.25, 0])
                + np.array([[1, -0.5], [0.5, 1]]) @ sent
                - 0.5 * second.sum(axis=0)
            ),
            0.5 * second[: due + 1].sum(),
        ],
    )
    assert sent.sum() > 0
    assert second.sum() > 0
