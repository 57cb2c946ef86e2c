"""scale-thresholds: a factor chosen by hand, counted as ours or as the paper's."""

import numpy as np
import pytest
from small_graphs import chain, spiking_net, tensor

from thresher.converters import Context
from thresher.converters.passes import ScaleThresholds
from thresher.errors import PassError
from thresher.ir import Graph, Spiking
from thresher.ir.ops import Flatten, Linear, Relu
from thresher.sim import simulate

WEIGHTS = [[[1.0, -1.0, 0.5], [0.5, 1.0, 0.0]], [[1.0, 0.5], [-0.5, 2.0]], [[1.0, 1.0]]]


def layers(weights: list[np.ndarray], thresholds: list[float]) -> Graph:
    links = []
    for i, weight in enumerate(weights):
        links += [(f"fc{i}", Linear(weight=tensor(f"fc{i}.weight", weight))), (f"relu{i}", Relu())]
    graph = chain((3,), *links, ("out", Flatten()))
    for i, theta in enumerate(thresholds):
        graph = graph.replace(f"relu{i}", spiking=Spiking(threshold=theta))
    return graph


def test_thresholds_of_channels_are_all_scaled() -> None:
    graph = spiking_net(Spiking(threshold=tensor("relu1.threshold", [1.0, 4.0])))

    scaled = ScaleThresholds(factor=0.5).apply(graph, Context())

    assert scaled["relu1"].spiking.threshold == tensor("relu1.threshold", [0.5, 2.0])


def test_the_factor_is_told() -> None:
    context = Context()

    ScaleThresholds(factor=0.75).apply(spiking_net(Spiking(threshold=1.0)), context)

    assert context.notes[0].why == "times 0.75, by hand"


def test_a_factor_on_thresholds_of_spikes_that_bring_one_grows_with_the_depth() -> None:
    # The paper's network: a spike brings 1 and the threshold of layer l is V_l; ours: it brings
    # theta_l = V_1 ... V_l. Both are scaled by 1/2 in their own way.
    relative = [2.0, 1.0, 4.0]
    x = (np.random.default_rng(1).integers(0, 9, (10, 3)) / 8).astype(np.float32)
    ours = layers([np.array(w) for w in WEIGHTS], list(np.cumprod(relative)))
    ours = ScaleThresholds(factor=0.5, of="spikes").apply(ours, Context())
    halved = [v / 2 for v in relative]
    brings_one = [np.array(w) / v for w, v in zip(WEIGHTS, [1.0, *halved[:-1]], strict=True)]
    theirs = layers(brings_one, halved)

    trains = [
        simulate(graph, x, steps=30, engine="reference", record="spikes").trace
        for graph in (ours, theirs)
    ]

    assert set(trains[0].population) == {0, 1, 2}
    for column in ("sample", "tick", "population", "neuron"):
        np.testing.assert_array_equal(getattr(trains[0], column), getattr(trains[1], column))


@pytest.mark.parametrize("field", ["v_init", "shift"])
def test_a_start_that_is_a_part_of_the_threshold_is_refused(field: str) -> None:
    graph = spiking_net(Spiking(threshold=1.0, **{field: 0.5}))

    with pytest.raises(PassError, match="put this pass before 'init-potential' and 'shift'"):
        ScaleThresholds().apply(graph, Context())
