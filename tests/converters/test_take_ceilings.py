"""take-ceilings: thresholds trained with the network, and the networks that have none."""

import numpy as np
import pytest
from small_graphs import chain, identity_linear

from thresher.converters import convert
from thresher.errors import PassError
from thresher.ir import Graph, Op, Spiking, evaluate
from thresher.ir.ops import ClippedRelu, Qcfs, Relu, SlipRelu
from thresher.sim import simulate

TRAINED = {
    "bu2022-qcfs": Qcfs(levels=4, max=1.5),
    "ho2021-tcl": ClippedRelu(max=1.5),
    "jiang2023-sliprelu": SlipRelu(levels=4, max=1.5),
}
ASKED_FOR = {
    "bu2022-qcfs": "--activation qcfs",
    "ho2021-tcl": "--activation threshold_relu",
    "jiang2023-sliprelu": "--activation slip_relu",
}


def net(op: Op, n: int = 2) -> Graph:
    links = ("fc", identity_linear("fc", n)), ("act", op), ("out", identity_linear("out", n))
    return chain((n,), *links)


@pytest.mark.parametrize("recipe", TRAINED)
def test_thresholds_are_the_ceilings_without_any_image(recipe: str) -> None:
    snn = convert(net(TRAINED[recipe]), recipe)

    assert snn["act"].spiking.threshold == 1.5


@pytest.mark.parametrize("recipe", TRAINED)
def test_images_tell_what_a_spike_of_the_input_stands_for(recipe: str) -> None:
    images = np.array([[0.5, -3.0], [2.0, 1.0]], np.float32)
    snn = convert(net(TRAINED[recipe]), recipe, calibration=images)

    assert snn.inputs[0].threshold == 3.0
    assert simulate(snn, images, steps=4, encoder="regular").predictions.shape == (2, 4)


@pytest.mark.parametrize("recipe", TRAINED)
@pytest.mark.parametrize("op", [Relu(), *TRAINED.values()], ids=lambda op: op.kind)
def test_other_activations_are_refused_with_how_to_train_such(recipe: str, op: Op) -> None:
    if op == TRAINED[recipe]:
        return
    asked = ASKED_FOR[recipe]
    with pytest.raises(PassError, match=rf"not for 'act' \({op.kind}\); train with .*{asked}"):
        convert(net(op), recipe)


def test_of_many_other_activations_some_are_named() -> None:
    graph = chain((2,), *((f"relu{i}", Relu()) for i in range(9)))

    with pytest.raises(PassError, match=r"'relu0' \(relu\).*'relu2' \(relu\) and 6 more; train"):
        convert(graph, "ho2021-tcl")


def test_a_network_without_activations_is_refused() -> None:
    with pytest.raises(PassError, match="one without activations"):
        convert(chain((2,), ("fc", identity_linear("fc", 2))), "bu2022-qcfs")


def test_a_slip_relu_starts_from_half_its_ceiling() -> None:
    snn = convert(net(SlipRelu(levels=4, max=1.5)), "jiang2023-sliprelu")

    assert snn["act"].spiking == Spiking(threshold=1.5, v_init=0.75)


@pytest.mark.parametrize("levels", [1, 4, 8])
def test_as_many_steps_as_levels_give_the_first_layer_s_qcfs_to_the_spike(levels: int) -> None:
    n = 50
    x = np.random.default_rng(levels).uniform(-1, 3, (1, n)).astype(np.float32)
    graph = net(Qcfs(levels=levels, max=1.5), n)

    run = simulate(convert(graph, "bu2022-qcfs"), x, steps=levels, record="spikes")

    counts = np.bincount(run.trace.neuron, minlength=n)
    np.testing.assert_allclose(counts * 1.5 / levels, evaluate(graph, x)[0], rtol=1e-6)
