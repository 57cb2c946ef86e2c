"""Identity 6: async with R = 1, refractory 0 and netted arrivals is lockstep, at every delay."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from running import assert_same_run, every_engine, network_of, run, stimulus_of
from strategies import graphs, images, settings_of


@every_engine
@given(data=st.data())
@settings(max_examples=80)
def test_one_netted_tick_a_step_is_lockstep(engine: str, data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True, resets=("soft", "hard")))
    lockstep = data.draw(settings_of(schedules=("lockstep",)))
    network = network_of(graph, lockstep)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], lockstep)

    netted = run(network, stimulus, replace(lockstep, schedule="async"), engine, watch=True)

    assert_same_run(netted, run(network, stimulus, lockstep, engine, watch=True))
