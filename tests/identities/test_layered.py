"""Identity 4: the layered schedule equals the quantised ANN, at every layer."""

from math import prod

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from quantised import quantised_ann
from running import Setting, network_of, row_major, run, stimulus_of
from strategies import graphs, images, quantised

from thresher.ir import Graph, evaluate

Floats = NDArray[np.float64]


def layered(graph: Graph, image: NDArray[np.floating], steps: int) -> dict[str, Floats]:
    """Run the layered schedule; return T times what each population stands for."""
    setting = Setting("layered", steps, precision="float64")
    network = network_of(graph, setting)
    sample = run(network, stimulus_of(graph, network, image, setting), setting, "reference")
    found = {}
    for population in network.populations:
        if population.fires:
            of = sample.populations == population.rank
            values = population.theta * np.bincount(sample.neurons[of], minlength=population.size)
        else:
            values = sample.potentials[network.offsets[population.rank] :]
        found[population.name] = row_major(network, population.rank, values)
    return found


@given(data=st.data(), steps=st.integers(1, 9))
@settings(max_examples=100)
def test_every_layer_is_the_quantised_anns(data: st.DataObject, steps: int) -> None:
    graph = data.draw(graphs())
    image = data.draw(images(graph))[0]
    expected = quantised_ann(graph, image, steps)
    for name, values in layered(graph, image, steps).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


@given(data=st.data(), steps=st.sampled_from([4, 8, 2, 1]))
@settings(max_examples=50)
def test_every_layer_is_qcfs_where_v_init_is_half_theta(data: st.DataObject, steps: int) -> None:
    graph = quantised(data.draw(graphs()), steps)
    image = data.draw(images(graph))[0]
    expected: dict[str, Floats] = {}
    evaluate(graph, image[None].astype(np.float64), hook=expected.__setitem__)
    for name, values in layered(graph, image, steps).items():
        np.testing.assert_array_equal(values / steps, expected[name][0], err_msg=name)
        assert values.size == prod(graph.shapes[name])
