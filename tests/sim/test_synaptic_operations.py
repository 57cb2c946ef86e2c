"""Synaptic operations: one for each neuron that one delivered spike reaches."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, conv, fires, linear, neurons
from running import Setting, every_engine, network_of, run, stimulus_of
from strategies import graphs, images, settings_of

from thresher import simulate
from thresher.ir import Graph, Node
from thresher.ir.ops import Add, AvgPool2d, Flatten, Slice

schedules = pytest.mark.parametrize("schedule", ["lockstep", "async", "layered"])


def operations(graph: Graph, x: object, engine: str, schedule: str, **options: object) -> int:
    result = simulate(
        graph, np.asarray(x, np.float32)[None], engine=engine, schedule=schedule, **options
    )
    return int(result.synaptic_operations[0])


def padded_conv(image_size: int) -> Graph:
    """The image fires once a pixel of 1; a 3 x 3 kernel of 2 channels, padding 1, is behind it."""
    n = image_size * image_size
    return chain(
        (1, image_size, image_size),
        ("if", *fires()),
        ("conv", conv("conv", np.ones((2, 1, 3, 3)), padding=1)),
        ("flat", Flatten()),
        ("out", linear("out", np.ones((1, 2 * n)))),
    ).without("out")


@every_engine
@schedules
@pytest.mark.parametrize(
    ("row", "column", "reached"), [(0, 0, 4), (0, 1, 6), (1, 1, 9), (3, 3, 4), (2, 3, 6)]
)
def test_a_spike_at_the_border_reaches_fewer_neurons(
    engine: str, schedule: str, row: int, column: int, reached: int
) -> None:
    image = np.zeros((1, 4, 4))
    image[0, row, column] = 1.0
    assert operations(padded_conv(4), image, engine, schedule, steps=1) == 2 * reached


@every_engine
@schedules
def test_a_stride_leaves_some_pixels_fewer_targets(engine: str, schedule: str) -> None:
    graph = chain(
        (1, 1, 5),
        ("if", *fires()),
        ("conv", conv("conv", np.ones((1, 1, 1, 3)), stride=(1, 2))),
    )
    # windows 0..2 and 2..4: pixel 2 lies in both
    assert operations(graph, np.ones((1, 1, 5)), engine, schedule, steps=1) == 6


@every_engine
@schedules
def test_a_pool_before_a_convolution_costs_nothing_of_its_own(engine: str, schedule: str) -> None:
    graph = chain(
        (1, 4, 4),
        ("if", *fires()),
        ("pool", AvgPool2d(2)),
        ("conv", conv("conv", np.ones((3, 1, 2, 2)))),
    )
    # 16 spikes; each reaches the one position of 3 channels through the pool
    assert operations(graph, np.ones((1, 4, 4)), engine, schedule, steps=1) == 16 * 3


@every_engine
@schedules
def test_a_weight_of_zero_is_a_synapse(engine: str, schedule: str) -> None:
    graph = neurons([1.0], [[0.0], [0.0], [1.0]])
    assert operations(graph, [0.0], engine, schedule, steps=4) == 4 * 3


@every_engine
@schedules
def test_a_neuron_that_is_sliced_away_has_no_synapse(engine: str, schedule: str) -> None:
    graph = chain(
        (4,),
        ("if", *fires()),
        ("slice", Slice(start=(1,), step=(2,))),
        ("out", linear("out", np.ones((5, 2)))),
    )
    assert operations(graph, np.ones(4), engine, schedule, steps=3) == 3 * 2 * 5


@every_engine
@schedules
def test_parallel_paths_are_one_projection_and_count_each_neuron_once(
    engine: str, schedule: str
) -> None:
    graph = chain((3,), ("if", *fires()), ("fc", linear("fc", np.ones((3, 3)))))
    graph = replace(
        graph, nodes=(*graph.nodes, Node("sum", Add(), ("fc", "if", "if"))), outputs=("sum",)
    )
    assert operations(graph, [1, 0, 0], engine, schedule, steps=1) == 3


@every_engine
def test_spikes_still_in_flight_at_the_end_cost_nothing(engine: str) -> None:
    graph = neurons([1.0], [[1.0]])  # fires at steps 1, 2, 3, 4
    assert operations(graph, [0.0], engine, "lockstep", steps=4, delay=3) == 1
    timing = {"ticks_per_step": 2, "delay": 3}  # fires at ticks 2, 4, 6, 8; 5 and 7 are in time
    assert operations(graph, [0.0], engine, "async", steps=4, **timing) == 2


@every_engine
@schedules
def test_spikes_of_the_input_count(engine: str, schedule: str) -> None:
    graph = chain((2,), ("out", linear("out", np.ones((5, 2)))), threshold=1.0)
    assert operations(graph, [1, -1], engine, schedule, steps=3, encoder="regular") == 30


@every_engine
@schedules
def test_an_analog_input_costs_input_macs_at_every_step_and_no_operations(
    engine: str, schedule: str
) -> None:
    graph = chain((2,), ("out", linear("out", np.ones((5, 2)))))
    x = np.ones((1, 2), np.float32)
    result = simulate(graph, x, steps=3, engine=engine, schedule=schedule)
    np.testing.assert_array_equal(result.synaptic_operations, [0])
    assert result.input_macs == 3 * 10
    assert result.dense_macs == 10


@every_engine
@given(data=st.data())
@settings(max_examples=40)
def test_operations_are_the_fan_out_of_every_delivered_spike(
    engine: str, data: st.DataObject
) -> None:
    graph = data.draw(graphs(delays=True, resets=("soft", "hard")))
    setting = data.draw(settings_of(ticks=(1, 3, 8)))
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], setting)
    sample = run(network, stimulus, setting, engine)
    expected = 0
    for projection in network.projections:
        of = sample.populations == projection.source
        delivered = of & (sample.ticks + projection.delay <= setting.ticks)
        expected += projection.synapses.fan_out()[sample.neurons[delivered]].sum()
    assert sample.synaptic_operations == expected


@given(data=st.data())
@settings(max_examples=20)
def test_layered_operations_are_the_fan_out_of_every_spike(data: st.DataObject) -> None:
    graph = data.draw(graphs())
    drawn = data.draw(settings_of(schedules=("layered",)))
    setting = Setting("layered", drawn.steps, encoder=drawn.encoder)
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, data.draw(images(graph))[0], setting)
    sample = run(network, stimulus, setting, "reference")
    expected = sum(
        projection.synapses.fan_out()[sample.neurons[sample.populations == projection.source]].sum()
        for projection in network.projections
    )
    assert sample.synaptic_operations == expected
