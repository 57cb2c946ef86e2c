"""Replayed one by one, populations send what they send when the whole network runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, fires, linear
from strategies import graphs, images

from thresher.errors import SimulationError
from thresher.sim import simulate
from thresher.sim.network import engine_order
from thresher.sim.replay import Replay


@given(data=st.data(), steps=st.integers(1, 6), ticks=st.sampled_from([None, 1, 4, 7]))
@settings(max_examples=100)
def test_every_population_sends_what_it_sends_in_the_whole_network(
    data: st.DataObject, steps: int, ticks: int | None
) -> None:
    graph = data.draw(graphs(delays=True, resets=("soft", "hard")))
    x = data.draw(images(graph, 2))
    schedule = "lockstep" if ticks is None else "async"
    whole = simulate(
        graph, x, steps=steps, schedule=schedule, ticks_per_step=ticks, record="spikes"
    ).trace
    replay = Replay(x, steps, ticks)
    for number, name in enumerate(whole.populations):
        order = engine_order(graph.shapes[name])
        for sample, found in enumerate(replay.keep(graph, name)):
            expected = (whole.population == number) & (whole.sample == sample)
            np.testing.assert_array_equal(found.ticks, whole.tick[expected])
            np.testing.assert_array_equal(order[found.neurons], whole.neuron[expected])


def test_the_first_images_can_be_run_alone() -> None:
    graph = chain(
        (1,), ("a", linear("a", [[1.0]])), ("relu", *fires()), ("out", linear("b", [[1]]))
    )
    replay = Replay(np.ones((5, 1), np.float32), 3)
    assert [list(spikes.ticks) for spikes in replay.run(graph, "relu", 2)] == [[1, 2, 3]] * 2


def test_a_source_that_was_not_kept_is_named() -> None:
    links = [("a", linear("a", [[1.0]])), ("one", *fires()), ("two", *fires())]
    graph = chain((1,), *links, ("out", linear("b", [[1.0]])))
    replay = Replay(np.ones((1, 1), np.float32), 2)
    list(replay.keep(graph, "one"))
    replay.drop("one")
    with pytest.raises(SimulationError, match="'two' is to be run on what 'one' sent"):
        list(replay.run(graph, "two"))
