"""delay-readout: the steps that the decision leaves out."""

import numpy as np
import pytest
from small_graphs import chain, identity_linear, relu_net, tensor

from thresher.conversion import EngineSimulator
from thresher.converters import Context, convert
from thresher.converters.passes import BalanceThresholds, DelayReadout
from thresher.errors import PassError
from thresher.ir import Graph, Readout
from thresher.ir.ops import Linear, Relu
from thresher.sim import simulate


@pytest.mark.parametrize(
    ("fraction", "steps", "t_start"),
    [(0.0, 8, 0), (0.25, 16, 4), (0.25, 3, 0), (0.5, 1, 0), (0.99, 10, 9), (0.29, 100, 29)],
)
def test_the_steps_left_out_are_the_fraction_rounded_down(
    fraction: float, steps: int, t_start: int
) -> None:
    delayed = DelayReadout(fraction=fraction).apply(relu_net(2), Context(steps=steps))

    assert delayed.readout == Readout("membrane", t_start)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 1.5])
def test_a_fraction_that_leaves_no_step_is_refused(fraction: float) -> None:
    with pytest.raises(PassError, match="fraction"):
        DelayReadout(fraction=fraction)


def test_a_start_that_is_set_already_is_refused() -> None:
    graph = relu_net(2, readout="membrane")
    delayed = DelayReadout().apply(graph, Context(steps=8))

    with pytest.raises(PassError, match="t_start is 2 already; take it out of the recipe's"):
        DelayReadout().apply(delayed, Context(steps=8))


def test_a_path_that_is_slow_to_begin_is_outvoted_once_the_first_steps_are_left_out() -> None:
    # Class 0 gets 5/4 from the first step on. Class 1 gets 2 from a neuron of threshold 8 (its
    # largest value on the calibration set), which takes 4 steps to fire: 0, 0, 0, 8, 0, 0, 0, 8.
    graph = chain(
        (2,),
        ("in", identity_linear("in", 2)),
        ("relu", Relu()),
        ("out", Linear(weight=tensor("out.weight", np.eye(2)))),
    )
    calibration = np.array([[1.25, 8.0], [0.0, 0.0]], np.float32)
    x = np.array([[1.25, 2.0]], np.float32)
    passes = [BalanceThresholds(granularity="channel")]
    plain = convert(graph, passes, calibration=calibration, steps=7)
    delayed = convert(
        graph, [*passes, DelayReadout(fraction=0.5)], calibration=calibration, steps=7
    )

    def decided(snn: object) -> list[int]:
        return simulate(snn, x, steps=7, engine="reference").predictions[0].tolist()

    # Membranes are 5/4 t and 8 floor(t/4); from step 3 on: 5/4 (t - 3) and 8 from step 4 on.
    assert decided(plain) == [0, 0, 0, 1, 1, 1, 0]
    assert decided(delayed) == [-1, -1, -1, 1, 1, 1, 1]


def test_the_fitted_start_is_the_one_nearest_to_the_ann() -> None:
    # Class 0 is exact at every step. Class 1 receives 8 at step 4 of 6, where the ANN gives 2: over
    # steps t_start + 1 .. 6 its mean is 8/6, 8/5, 8/4 and 8/3 for t_start = 0 .. 3.
    graph = chain(
        (2,),
        ("in", identity_linear("in", 2)),
        ("relu", Relu()),
        ("out", Linear(weight=tensor("out.weight", np.eye(2)))),
    )
    calibration = np.array([[8.0, 2.0]] * 3, np.float32)
    eights = np.array([[8.0, 8.0]] * 2, np.float32)
    slow = convert(graph, [BalanceThresholds(granularity="channel")], calibration=eights)
    context = Context(calibration, steps=6, simulator=EngineSimulator())

    fitted = DelayReadout(start="fitted").apply(slow, context)

    assert fitted.readout == Readout("membrane", 2)
    assert "nearest to the ANN's logits over 3 images" in context.notes[-1].why


def _network(calibration: np.ndarray) -> Graph:
    """Return two neurons that start at 0, with the largest value that each has as threshold."""
    graph = chain(
        (2,),
        ("in", identity_linear("in", 2)),
        ("relu", Relu()),
        ("out", Linear(weight=tensor("out.weight", np.eye(2)))),
    )
    return convert(graph, [BalanceThresholds(granularity="layer")], calibration=calibration)


def _logits(snn: Graph, x: np.ndarray, steps: int) -> np.ndarray:
    given = EngineSimulator().values(snn, x, steps, "out")
    return given[:, snn.readout.t_start :].mean(axis=1)


def test_refitted_weights_make_up_for_what_the_neurons_clip() -> None:
    # Values x up to 2 at thresholds of 1: y = min(x, 1) is off by 1/6 in the mean square, and the
    # line through (y, x) by var x - cov(x, y)^2 / var y = 1/15; spikes add their rounding.
    snn = _network(np.ones((2, 2), np.float32))
    calibration, x = np.random.default_rng(0).uniform(0, 2, (2, 512, 2)).astype(np.float32)
    context = Context(calibration, steps=8, simulator=EngineSimulator())

    kept = DelayReadout(start="fitted", images=512).apply(snn, context)
    own = DelayReadout(start="fitted", weights="ridge", penalty=1e-3, images=512).apply(
        snn, context
    )

    assert own["out"].op == kept["out"].op and own["out"].synapses is not None
    assert np.square(_logits(kept, x, 8) - x).mean() == pytest.approx(1 / 6, abs=0.03)
    assert np.square(_logits(own, x, 8) - x).mean() == pytest.approx(1 / 15, abs=0.02)


def test_weights_stay_where_the_spikes_say_what_the_ann_does() -> None:
    calibration = np.array([[0.25, 1.0], [0.5, 0.75], [1.0, 0.5], [0.75, 0.25]], np.float32)
    context = Context(calibration, steps=4, simulator=EngineSimulator())

    fitted = DelayReadout(start="fitted", weights="ridge").apply(_network(calibration), context)

    assert fitted["out"].synapses is None and fitted.readout.t_start == 0


def test_a_start_can_be_fitted_to_individual_spikes() -> None:
    # 0.3 a step crosses the threshold 1 at tick 54, in step 4: read from step 0, 1 and 2 on the
    # logits at T = 4 are 1/4, 1/3 and 1/2; the ANN's are 0.3.
    calibration = np.array([[0.3, 0.0], [0.3, 0.0]], np.float32)
    snn = _network(np.array([[1.0, 1.0]] * 2, np.float32))
    simulator = EngineSimulator()
    given = simulator.values(snn, calibration, 4, "out", ticks_per_step=16)
    assert given[0, :, 0].tolist() == [0, 0, 0, 1]

    context = Context(calibration, steps=4, simulator=simulator)
    fitted = DelayReadout(start="fitted", ticks_per_step=16).apply(snn, context)

    assert fitted.readout.t_start == 1
