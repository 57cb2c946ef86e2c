"""Identity 3: a shift of theta / 2T per step gives at t = T the counts of v_init = theta / 2."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from running import every_engine, network_of, run, spikes_by_tick, stimulus_of
from strategies import graphs, images, settings_of

from thresher.ir import Graph, Tensor


def started(graph: Graph, role: str, fraction: float) -> Graph:
    """Give every population a shift or v_init of `fraction` of its threshold, the other none.

    In `int` precision both are whole: 1/256 is a unit.
    """
    changed = {}
    for node in graph:
        if node.spiking is not None:
            theta = node.spiking.threshold
            value = theta * fraction if isinstance(theta, float) else None
            if isinstance(theta, Tensor):
                value = Tensor(f"{node.name}.start", (theta.values * fraction).astype(np.float32))
            start = {"v_init": 0.0, "shift": 0.0, role: value}
            spiking = replace(node.spiking, scale=256.0, **start)
            changed[node.name] = replace(node, spiking=spiking)
    return graph.replace_all(changed)


@every_engine
@given(data=st.data())
@settings(max_examples=40)
def test_the_shift_ends_where_the_initial_potential_ends(engine: str, data: st.DataObject) -> None:
    graph = data.draw(graphs())
    setting = data.draw(settings_of(schedules=("lockstep",), encoders=("constant",)))
    setting = replace(setting, steps=data.draw(st.sampled_from([4, 8, 2, 1])), t_start=0)
    image = data.draw(images(graph))[0]
    ends = []
    for role, fraction in (("shift", 0.5 / setting.steps), ("v_init", 0.5)):
        network = network_of(started(graph, role, fraction), setting)
        stimulus = stimulus_of(graph, network, image, setting)
        sample = run(network, stimulus, setting, engine)
        fed_by_spikes = {projection.target for projection in network.projections}
        ends.append(
            [
                spikes_by_tick(network, sample, p.rank, setting.ticks).sum(axis=0)
                for p in network.spiking
                if p.rank not in fed_by_spikes
            ]
        )
    assert ends[0]
    for shifted, initial in zip(*ends, strict=True):
        np.testing.assert_array_equal(shifted, initial)
