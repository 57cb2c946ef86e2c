"""shift and init-potential: the half step, once and not at the readout."""

import numpy as np
import pytest
from small_graphs import chain, relu_net, spiking_net, tensor, with_nodes

from thresher import convert
from thresher.converters import Context, Pass
from thresher.converters.passes import BalanceThresholds, InitPotential, Shift
from thresher.errors import PassError
from thresher.ir import Node, Spiking
from thresher.ir.ops import Add, ClippedRelu, Identity, Relu
from thresher.sim import simulate


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


@pytest.mark.parametrize(("step", "role"), [(Shift(), "shift"), (InitPotential(), "v_init")])
def test_a_population_after_an_add_is_shifted_too(step: Pass, role: str) -> None:
    graph = with_nodes(
        spiking_net(Spiking(threshold=1.0)),
        [
            Node("sum", Add(), ("fc2", "relu1")),
            Node("relu2", Relu(), ("sum",), Spiking(threshold=4.0)),
            Node("out", Identity(), ("relu2",)),
        ],
        "out",
    )

    changed = step.apply(graph, Context(steps=1))

    starts = [getattr(changed[name].spiking, role) for name in ("relu1", "relu2")]
    assert starts == [0.5, 2.0]


@pytest.mark.parametrize(
    ("steps_taken", "mean", "variance"),
    [([], -0.5, 1 / 12), ([Shift()], 0.0, 1 / 12), ([InitPotential()], 0.0, 1 / 12)],
    ids=["floor", "shift", "v_init"],
)
def test_half_a_step_makes_the_error_of_an_even_spread_zero_on_average(
    steps_taken: list[Pass], mean: float, variance: float
) -> None:
    steps, n_a_step = 8, 32
    n = steps * n_a_step
    z = (np.arange(n, dtype=np.float32)[None] + 0.5) / n
    graph = chain((n,), ("relu", ClippedRelu(max=1.0)), ("out", Identity()))
    snn = convert(
        graph, [BalanceThresholds(), *steps_taken], calibration=z.repeat(2, 0), steps=steps
    )

    result = simulate(snn, z, steps=steps, engine="reference", record="spikes")

    counts = np.bincount(result.trace.neuron, minlength=n)
    error = counts - z[0] * steps  # in units of theta / T
    assert error.mean() == mean
    # The points of a step lie 1/32 apart, which takes a part of 1/32^2 from the variance.
    assert error.var() == pytest.approx(variance * (1 - n_a_step**-2))


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
