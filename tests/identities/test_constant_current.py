"""Identity 1: under constant current N(t) = clip(floor((z t + v_init) / theta), 0, t)."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from running import every_engine, network_of, run, spikes_by_tick, stimulus_of
from strategies import graphs, images, settings_of


@every_engine
@given(data=st.data())
@settings(max_examples=60)
def test_counts_follow_the_closed_form(engine: str, data: st.DataObject) -> None:
    graph = data.draw(graphs())
    setting = data.draw(settings_of(schedules=("lockstep",), encoders=("constant",)))
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], setting)
    sample = run(network, stimulus, setting, engine)
    fed_by_spikes = {projection.target for projection in network.projections}

    for population in network.spiking:
        if population.rank in fed_by_spikes:
            continue
        theta, v_init = population.theta.astype(float), population.v_init.astype(float)
        start = network.offsets[population.rank]
        z = stimulus.current[start : start + population.size].astype(float)
        t = np.arange(setting.steps + 1)[:, None]
        within = (v_init >= 0) & (v_init < theta)

        counts = spikes_by_tick(network, sample, population.rank, setting.ticks).cumsum(axis=0)

        expected = np.clip(np.floor((z * t + v_init) / theta), 0, t)
        np.testing.assert_array_equal(counts[:, within], expected[:, within])
