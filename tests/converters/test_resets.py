"""soft-reset and hard-reset: every population's reset, the readout's included."""

import pytest
from small_graphs import relu_net, spiking_net

from thresher.converters import Context
from thresher.converters.passes import HardReset, SoftReset
from thresher.errors import PassError
from thresher.ir import Spiking


def test_hard_reset_sets_every_population() -> None:
    graph = spiking_net(Spiking(threshold=1.0)).replace("fc2", spiking=Spiking(threshold=2.0))

    changed = HardReset(v_reset=-0.5).apply(graph, Context())

    assert changed["relu1"].spiking == Spiking(threshold=1.0, reset="hard", v_reset=-0.5)
    assert changed["fc2"].spiking == Spiking(threshold=2.0, reset="hard", v_reset=-0.5)


def test_soft_reset_undoes_hard_reset() -> None:
    graph = spiking_net(Spiking(threshold=1.0, v_init=0.5))

    hard = HardReset(v_reset=0.1).apply(graph, Context())

    assert SoftReset().apply(hard, Context()) == graph


@pytest.mark.parametrize("neuron", ["burst", "multi_threshold", "differential"])
def test_neurons_with_a_reset_of_their_own_get_no_other(neuron: str) -> None:
    graph = spiking_net(Spiking(threshold=1.0, neuron=neuron))
    message = f"its neuron is '{neuron}', which has a reset of its own; take 'hard-reset' out"
    with pytest.raises(PassError, match=message):
        HardReset().apply(graph, Context())


def test_a_graph_without_populations_is_refused() -> None:
    with pytest.raises(PassError, match="no node has a threshold yet"):
        HardReset().apply(relu_net(2), Context())
