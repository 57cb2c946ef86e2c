"""quantize: the largest weight of a population, or channel, is as many units as its bits hold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_graphs import chain, relu_net, spiking_net, tensor

from thresher import convert
from thresher.converters import Context, load_recipe
from thresher.converters.passes import Quantize
from thresher.errors import GraphError, PassError
from thresher.ir import Graph, Spiking, load, save
from thresher.ir.ops import AvgPool2d, Conv2d, Flatten, Linear, Relu, Softmax


def pooled_net(v_reset: float = 0.0, **threshold: float) -> Graph:
    """A convolution of two channels, a pool of four and a linear layer of one output."""
    kernel = np.array([[[[1.0, -2.0]]], [[[0.5, 0.25]]]])
    graph = chain(
        (1, 2, 3),
        ("conv", Conv2d(weight=tensor("conv.weight", kernel))),
        ("relu", Relu()),
        ("pool", AvgPool2d(kernel=2)),
        ("flat", Flatten()),
        ("fc", Linear(weight=tensor("fc.weight", [[0.5, -3.0]]))),
    )
    graph = replace(graph, inputs=(replace(graph.inputs[0], **threshold),))
    reset = "hard" if v_reset else "soft"
    return graph.replace("relu", spiking=Spiking(threshold=4.0, reset=reset, v_reset=v_reset))


def test_the_analog_input_counts_with_its_threshold() -> None:
    scaled = Quantize(bits=8).apply(pooled_net(threshold=0.5), Context())
    assert scaled["relu"].spiking == Spiking(threshold=4.0, scale=127 / (0.5 * 2.0))


def test_the_analog_input_counts_as_it_is_where_it_has_no_threshold() -> None:
    scaled = Quantize(bits=8).apply(pooled_net(), Context())
    assert scaled["relu"].spiking == Spiking(threshold=4.0, scale=127 / 2.0)


def test_what_a_spike_brings_is_composed_before_it_is_measured() -> None:
    scaled = Quantize(bits=8).apply(pooled_net(), Context())
    assert scaled.readout.scale == 127 / (4.0 * 0.25 * 3.0)


def test_channels_have_scales_of_their_own_and_the_readout_one() -> None:
    scaled = Quantize(bits=3, granularity="channel").apply(pooled_net(), Context())
    scale = scaled["relu"].spiking.scale
    np.testing.assert_array_equal(scale.values, [3 / 2.0, 3 / 0.5])
    assert scale.values.dtype == np.float64
    assert scaled.readout.scale == 3 / (4.0 * 0.25 * 3.0)


def test_a_population_that_resets_to_another_value_has_one_scale() -> None:
    scaled = Quantize(granularity="channel").apply(pooled_net(v_reset=-0.5), Context())
    assert scaled["relu"].spiking.scale == 127 / 2.0


@pytest.mark.parametrize("granularity", ["layer", "channel"])
def test_the_threshold_stands_in_where_all_weights_are_0(granularity: str) -> None:
    graph = spiking_net(Spiking(threshold=0.5))
    nothing = Linear(weight=tensor("fc1.weight", np.zeros((2, 2))))

    scaled = Quantize(granularity=granularity).apply(graph.replace("fc1", op=nothing), Context())

    assert scaled["relu1"].spiking.scale == 127 / 0.5


def test_a_readout_that_nothing_reaches_has_a_finite_scale() -> None:
    graph = spiking_net(Spiking(threshold=0.5))
    nothing = Linear(weight=tensor("fc2.weight", np.zeros((2, 2))))
    scaled = Quantize().apply(graph.replace("fc2", op=nothing), Context())
    assert scaled.readout.scale == 127.0


def test_the_readout_before_a_softmax_is_the_one_that_is_scaled() -> None:
    links = (("relu", Relu()), ("fc", Linear(weight=tensor("fc.weight", np.eye(2) * 0.5))))
    graph = chain((2,), *links, ("prob", Softmax()))
    graph = graph.replace("relu", spiking=Spiking(threshold=2.0))
    assert Quantize().apply(graph, Context()).readout.scale == 127.0


def test_a_node_without_a_threshold_is_refused_by_name() -> None:
    message = r"node 'relu1': it has no threshold yet; put 'balance-thresholds' before it"
    with pytest.raises(PassError, match=message):
        convert(relu_net(2), [Quantize()])


def test_differential_neurons_have_no_whole_numbers() -> None:
    graph = relu_net(2).replace("relu1", spiking=Spiking(0.25, "differential"))
    with pytest.raises(PassError, match="a spike of its neurons goes on bringing a part"):
        Quantize().apply(graph, Context())


@pytest.mark.parametrize("bits", [1, 17, 8.5, True])
def test_bits_that_no_int16_holds_are_refused(bits: object) -> None:
    with pytest.raises(
        PassError, match=r"field 'bits' is .*; expected a whole number from 2 to 16"
    ):
        Quantize(bits=bits)


@pytest.mark.parametrize(("recipe", "whole"), [("default", "int8"), ("exact", "exact-int8")])
def test_recipes_of_8_bits_are_others_with_weights_of_8_bits(recipe: str, whole: str) -> None:
    passes = load_recipe(whole).passes
    assert passes == (*load_recipe(recipe).passes, Quantize(bits=8, granularity="channel"))


@pytest.mark.parametrize("granularity", ["layer", "channel"])
def test_scales_survive_a_spec_file(granularity: str, tmp_path: Path) -> None:
    scaled = Quantize(granularity=granularity).apply(pooled_net(), Context())
    save(scaled, tmp_path / "one.yaml")
    assert load(tmp_path / "one.yaml") == scaled
    save(load(tmp_path / "one.yaml"), tmp_path / "two.yaml")
    one, two = ((tmp_path / f"{name}.yaml").read_text("utf-8") for name in ("one", "two"))
    assert two == one.replace("one.safetensors", "two.safetensors")


def test_a_scale_for_each_neuron_is_refused() -> None:
    scale = tensor("relu.scale", np.ones((2, 2, 2)))
    spiking = Spiking(threshold=4.0, scale=scale)
    message = r"scale 'relu.scale' is \[2, 2, 2\]; expected a scalar, \[2\]$"
    with pytest.raises(GraphError, match=message):
        pooled_net().replace("relu", spiking=spiking)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.inf])
def test_a_scale_that_is_not_positive_and_finite_is_refused(scale: float) -> None:
    with pytest.raises(GraphError, match=r"field 'scale' is .*; expected a finite number above 0"):
        Spiking(threshold=1.0, scale=scale)
