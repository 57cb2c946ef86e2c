"""The simulator that a conversion brings along."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import graphs, images

from thresher import simulate
from thresher.conversion import EngineSimulator
from thresher.ir.spiking import spread

STEPS = 4


@settings(max_examples=50)
@given(data=st.data())
def test_values_of_a_population_are_its_spikes_step_by_step(data: st.DataObject) -> None:
    graph = data.draw(graphs(readouts=("membrane",)))
    x = data.draw(images(graph, 2))
    run = simulate(graph, x, steps=STEPS, record="spikes", engine="reference")
    for node in graph:
        if node.spiking is None or node.name in graph.outputs:
            continue
        values = EngineSimulator(threads=1).values(graph, x, STEPS, node.name)
        index = run.trace.populations.index(node.name)
        mine = run.trace.population == index
        spikes = np.zeros((len(x), STEPS, values[0, 0].size), np.float32)
        spikes[run.trace.sample[mine], run.trace.tick[mine] - 1, run.trace.neuron[mine]] = 1
        theta = spread(node.spiking.threshold, graph.shapes[node.name])
        np.testing.assert_array_equal(values, theta * spikes.reshape(values.shape))


@settings(max_examples=50)
@given(data=st.data())
def test_values_of_the_output_add_up_to_the_membrane_that_decides(data: st.DataObject) -> None:
    graph = data.draw(graphs(readouts=("membrane",)))
    x = data.draw(images(graph, 2))
    output = graph.outputs[0]
    everything = {output: np.arange(int(np.prod(graph.shapes[output])))}
    run = simulate(graph, x, steps=STEPS, membranes=everything, engine="reference")
    values = EngineSimulator(threads=1).values(graph, x, STEPS, output)
    np.testing.assert_array_equal(
        np.cumsum(values, axis=1).reshape(len(x), STEPS, -1), run.trace.membranes[output]
    )


@settings(max_examples=50)
@given(data=st.data(), ticks=st.sampled_from([None, 4]))
def test_what_reaches_a_node_is_the_same_of_kept_spikes_as_of_the_whole_network(
    data: st.DataObject, ticks: int | None
) -> None:
    graph = data.draw(graphs(readouts=("membrane",), resets=("soft", "hard")))
    x = data.draw(images(graph, 2))
    simulator = EngineSimulator(threads=1)
    layers = simulator.layers(x, STEPS, ticks)
    for node in graph:
        if node.spiking is not None:
            layers.keep(graph, node.name)
        else:
            found = [*layers.inflow(graph, node.name)]
            expected = simulator.values(graph, x, STEPS, node.name, ticks)
            np.testing.assert_array_equal(found, expected)
