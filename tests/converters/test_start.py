"""shift and init-potential: the half step, once and not at the readout."""

import numpy as np
import pytest
from small_graphs import relu_net, spiking_net, tensor

from thresher.converters import Context, Pass
from thresher.converters.passes import InitPotential, Shift
from thresher.errors import PassError
from thresher.ir import Spiking


def test_the_shift_is_threshold_over_twice_the_steps() -> None:
    graph = spiking_net(Spiking(threshold=3.0))

    shifted = Shift().apply(graph, Context(steps=8))

    assert shifted["relu1"].spiking == Spiking(threshold=3.0, shift=3.0 / 16)


def test_the_shift_as_a_potential_is_half_the_threshold_whatever_the_steps() -> None:
    graph = spiking_net(Spiking(threshold=3.0))

    shifted = Shift(mode="potential").apply(graph, Context())

    assert shifted["relu1"].spiking == Spiking(threshold=3.0, v_init=1.5)


def test_thresholds_by_channel_give_shifts_by_channel() -> None:
    graph = spiking_net(Spiking(threshold=tensor("relu1.threshold", [1.0, 4.0])))

    shifted = Shift().apply(graph, Context(steps=2))

    assert shifted["relu1"].spiking.shift == tensor("relu1.shift", [0.25, 1.0])


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 1.0])
def test_the_initial_potential_is_a_fraction_of_the_threshold(fraction: float) -> None:
    graph = spiking_net(Spiking(threshold=tensor("relu1.threshold", [1.0, 4.0])))

    started = InitPotential(fraction=fraction).apply(graph, Context())

    expected = tensor("relu1.v_init", np.array([1.0, 4.0]) * fraction)
    assert started["relu1"].spiking.v_init == expected


@pytest.mark.parametrize("step", [Shift(), Shift(mode="potential"), InitPotential()])
@pytest.mark.parametrize("field", ["v_init", "shift"])
def test_a_second_half_step_is_refused(step: Pass, field: str) -> None:
    graph = spiking_net(Spiking(threshold=1.0, **{field: 0.5}))

    with pytest.raises(PassError, match=f"{field} is set already"):
        step.apply(graph, Context(steps=4))


@pytest.mark.parametrize("step", [Shift(), InitPotential()])
def test_the_readout_starts_at_zero_and_gets_no_shift(step: Pass) -> None:
    graph = spiking_net(Spiking(threshold=1.0)).replace("fc2", spiking=Spiking(threshold=2.0))

    assert step.apply(graph, Context(steps=4))["fc2"].spiking == Spiking(threshold=2.0)


@pytest.mark.parametrize("step", [Shift(), InitPotential()])
def test_a_graph_without_populations_is_refused(step: Pass) -> None:
    with pytest.raises(PassError, match="no node has a threshold yet; put 'balance-thresholds'"):
        step.apply(relu_net(2), Context(steps=4))


def test_the_current_asks_for_steps() -> None:
    assert Shift().needed() == {"steps"}
    assert Shift(mode="potential").needed() == frozenset()
    with pytest.raises(PassError, match="needs the number of time steps: give --steps T"):
        Shift().apply(spiking_net(Spiking(threshold=1.0)), Context())
