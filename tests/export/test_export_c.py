"""C out: compiled without a warning, the file fires the spikes of the simulator's int run."""

import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from c_program import GCC, SANITIZED, build, needs_gcc, run
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import chain, conv, fires, linear, neurons
from running import Setting, network_of, stimulus_of
from running import run as simulated
from signed_strategies import MixedBuilder, SignedBuilder, pooled_graphs
from strategies import graphs, images

from thresher import convert, digits, load, simulate
from thresher.errors import SimulationError
from thresher.export import export_c
from thresher.ir import Graph, Op, Preprocess, Probe, Readout, Spiking, Tensor
from thresher.ir.ops import (
    Flatten,
    Identity,
    MaxPool2d,
    Pad,
    Relu,
    Sigmoid,
    Slice,
    UpsampleNearest,
)
from thresher.sim.contract import NEVER

ROOT = Path(__file__).parents[2]
PENDING = -2
"""What a file says that has not settled at its limit."""


def exported(graph: Graph, folder: Path, **timing: object) -> Path:
    path = folder / "net.c"
    export_c(replace(graph, name="net"), path, **timing)
    return path


def compare(graph: Graph, image: np.ndarray, setting: Setting, folder: Path) -> None:
    """Compare every spike and decision of one image with the reference engine's."""
    network = network_of(graph, setting)
    stimulus = stimulus_of(graph, network, image, setting)
    expected = simulated(network, stimulus, setting, "reference")
    event_driven, limit = setting.schedule == "async", setting.settle_limit
    ticks = {"ticks_per_step": setting.ticks_per_step, "refractory": setting.refractory}
    path = exported(
        replace(graph, readout=replace(graph.readout, t_start=setting.t_start)),
        folder,
        steps=setting.steps,
        delay=setting.delay,
        **(ticks if event_driven else {}),
        **({"settle": True, "settle_limit": limit} if limit else {}),
    )

    (found,) = run(build(path, event_driven=event_driven, flags=SANITIZED), image[None])

    numbers = [network.populations[rank].row_major for rank in expected.populations]
    neurons = [numbering[n] for numbering, n in zip(numbers, expected.neurons, strict=True)]
    columns = [expected.ticks, expected.populations, np.array(neurons, int), expected.signs]
    np.testing.assert_array_equal(found.spikes, np.stack(columns, axis=1))
    predictions = expected.predictions.tolist()
    if limit and expected.quiescent == NEVER:
        predictions[-1] = PENDING
    assert found.decisions == predictions


def draw_setting(data: st.DataObject) -> Setting:
    """Draw how to run a network in whole numbers, in what a C file has of schedules."""
    steps = data.draw(st.sampled_from([4, 5, 3, 2, 1]))
    timing = {}
    if data.draw(st.booleans()):
        rate = data.draw(st.sampled_from([16, 1, 2, 7, 64]))
        rest = data.draw(st.one_of(st.just(rate - 1), st.integers(0, 2 * rate)))
        timing = {"schedule": "async", "ticks_per_step": rate, "refractory": rest, "netted": False}
    return Setting(
        steps=steps,
        delay=data.draw(st.sampled_from([0, 0, 1, 3])),
        t_start=data.draw(st.one_of(st.just(0), st.integers(0, steps - 1))),
        precision="int",
        **timing,
    )


@needs_gcc
@given(data=st.data())
@settings(max_examples=50)
def test_a_random_network_fires_the_same_spikes_in_the_same_order(data: st.DataObject) -> None:
    graph = data.draw(graphs(delays=True, resets=("soft", "hard")))
    with tempfile.TemporaryDirectory() as folder:
        compare(graph, data.draw(images(graph))[0], draw_setting(data), Path(folder))


@needs_gcc
@given(data=st.data())
@settings(max_examples=60)
def test_signs_payloads_and_settling_are_the_simulators(data: st.DataObject) -> None:
    builder = data.draw(st.sampled_from([SignedBuilder, MixedBuilder]))
    graph = data.draw(graphs(delays=True, builder_of=builder))
    limit = data.draw(st.sampled_from([0, 200, 1, 3]))
    setting = replace(draw_setting(data), settle_limit=limit)
    with tempfile.TemporaryDirectory() as folder:
        compare(graph, data.draw(images(graph))[0], setting, Path(folder))


@needs_gcc
@given(data=st.data())
@settings(max_examples=60)
def test_max_pools_follow_the_counts_that_the_simulators_do(data: st.DataObject) -> None:
    graph = data.draw(pooled_graphs())
    limit = data.draw(st.sampled_from([0, 200]))
    setting = replace(draw_setting(data), settle_limit=limit)
    with tempfile.TemporaryDirectory() as folder:
        compare(graph, data.draw(images(graph))[0], setting, Path(folder))


@needs_gcc
def test_a_run_settles_when_nothing_is_on_its_way_and_says_so_where_it_is(tmp_path: Path) -> None:
    # the only spike leaves in step 2 and takes 5 steps: it arrives 5 steps after the input
    graph = neurons([0.5], [[-1.0], [1.0]], scale=8.0)
    graph = replace(graph, readout=Readout(scale=8.0))
    decided = {}
    for limit in (4, 5):
        options = {"steps": 2, "delay": 5, "settle": True, "settle_limit": limit}
        path = exported(graph, tmp_path, **options)
        (found,) = run(build(path, event_driven=False), np.zeros((1, 1), np.float32))
        decided[limit] = found.decisions
    assert decided == {4: [-1, -1, PENDING], 5: [-1, -1, 1]}


@needs_gcc
@pytest.mark.parametrize("event_driven", [False, True])
def test_a_signed_neuron_takes_back_what_it_sent_too_much(
    event_driven: bool, tmp_path: Path
) -> None:
    # 'one' fires in steps 1..3, and its spikes bring -1 to 'two' 2 steps later, whose current of 1
    # has made it fire by then: 3 - 3 = 0 of its spikes stand in the end
    weight = np.array([[0.0, 0.0], [-1.0, 0.0]])
    graph = chain(
        (1,),
        ("in", linear("in", [[1.0], [0.0]])),
        ("one", *fires(1.0, scale=8.0, neuron="signed_if")),
        ("between", linear("between", weight, [0.0, 1.0])),
        ("two", *fires(1.0, scale=8.0, neuron="signed_if")),
        ("out", linear("out", np.eye(2))),
        delays={"between": 2},
    )
    timing = {"ticks_per_step": 1} if event_driven else {}
    options = {"steps": 3, "settle": True, **timing}
    path = exported(replace(graph, readout=Readout(scale=8.0)), tmp_path, **options)

    (found,) = run(build(path, event_driven=event_driven), np.ones((1, 1), np.float32))

    payloads = {of: found.spikes[found.spikes[:, 1] == of] for of in (0, 1)}
    assert payloads[0][:, [0, 3]].tolist() == [[1, 1], [2, 1], [3, 1]]
    assert payloads[1][:, 3].sum() == 0 and -1 in payloads[1][:, 3]
    assert found.outputs == [0, 0]


@needs_gcc
def test_a_current_takes_a_spike_back_at_the_first_tick_below_zero(tmp_path: Path) -> None:
    # in units of 1/8: 'two' has 12 from the spike of tick 1, less 8 for its own, less 2 a step of 4
    # ticks: 4 + floor(-2 k / 4) is below 0 from k = 9 on
    graph = chain(
        (1,),
        ("in", linear("in", [[0.0]])),
        ("one", *fires(1.0, scale=8.0, v_init=1.0)),
        ("between", linear("between", [[1.5]], [-0.25])),
        ("two", *fires(1.0, scale=8.0, neuron="signed_if")),
        ("out", linear("out", [[1.0]])),
    )
    graph = replace(graph, readout=Readout(scale=8.0))
    path = exported(graph, tmp_path, steps=4, ticks_per_step=4)
    (found,) = run(build(path, event_driven=True), np.zeros((1, 1), np.float32))
    assert found.spikes[:, [0, 1, 3]].tolist() == [[1, 0, 1], [1, 1, 1], [9, 1, -1]]


@needs_gcc
def test_a_max_pool_sends_every_change_within_one_tick(tmp_path: Path) -> None:
    # 'one', at 0.75 k / 2, fires at tick 3 and brings -1 to the first of 'two', which has fired at
    # tick 1, and 1 to the second: the largest count is 1, then at tick 3 first 0, then 1 again
    first = Tensor("two.v_init", np.array([[[1.0, 0.0]]], np.float32))
    graph = chain(
        (1, 1, 1),
        ("in", conv("in", [[[[0.75]]]])),
        ("one", *fires(1.0, scale=8.0)),
        ("between", conv("between", [[[[1.0, -1.0]]]], padding=((0, 0), (1, 1)))),
        ("two", *fires(1.0, scale=8.0, neuron="signed_if", v_init=first)),
        ("pool", MaxPool2d((1, 2))),
        ("flat", Flatten()),
        ("out", linear("out", [[1.0]])),
    )
    graph = replace(graph, readout=Readout(scale=8.0))
    path = exported(graph, tmp_path, steps=2, ticks_per_step=2)

    (found,) = run(build(path, event_driven=True), np.ones((1, 1, 1, 1), np.float32))

    pool = found.spikes[found.spikes[:, 1] == 2]
    assert pool[:, [0, 3]].tolist() == [[1, 1], [3, -1], [3, 1]]
    assert found.outputs == [8]


@needs_gcc
def test_spikes_may_reach_nothing(tmp_path: Path) -> None:
    # what is kept of (0, spike, 0) are the places 0 and 2
    graph = chain(
        (1, 1),
        ("in", Identity()),
        ("if", *fires(1.0, scale=8.0)),
        ("pad", Pad((0, 0), (0, 0), (1, 1))),
        ("slice", Slice((0, 0), (None, None), (1, 2))),
        ("flat", Flatten()),
        ("out", linear("out", [[1.0, 1.0]])),
    )
    path = exported(replace(graph, readout=Readout(scale=8.0)), tmp_path, steps=2)
    (found,) = run(build(path, event_driven=False), np.ones((1, 1, 1), np.float32))
    assert len(found.spikes) == 2 and found.decisions == [-1, -1]


@pytest.fixture(scope="module")
def cnn() -> Graph:
    """The digits CNN as recipe int8 makes it: weights of 8 bits, pools folded into synapses."""
    x_train, *_ = digits.load()
    return convert(load(ROOT / "specs" / "digits_cnn.yaml"), "int8", calibration=x_train, steps=8)


@pytest.fixture(scope="module")
def exact() -> Graph:
    """The digits CNN with a max pool, as recipe exact-int8 makes it."""
    x_train, *_ = digits.load()
    graph = load(ROOT / "specs" / "digits_cnn.yaml")
    node = next(node for node in graph if node.op.kind == "avg_pool2d")
    graph = graph.replace_all({node.name: replace(node, op=MaxPool2d(node.op.kernel))})
    return convert(graph, "exact-int8", calibration=x_train, steps=8)


@needs_gcc
@pytest.mark.parametrize("schedule", ["lockstep", "async"])
@pytest.mark.parametrize("name", ["cnn", "exact"])
def test_the_digits_cnn_fires_the_simulators_spikes(
    name: str, schedule: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    graph, x = request.getfixturevalue(name), digits.load()[2][:40]
    timing = {"ticks_per_step": 16} if schedule == "async" else {}
    settle = {"settle": name == "exact"}
    options = {"precision": "int", "record": "spikes", **timing, **settle}
    expected = simulate(graph, x, steps=8, schedule=schedule, **options)
    path = exported(graph, tmp_path, ticks_per_step=16, schedule=schedule, **settle)

    found = run(build(path, event_driven=schedule == "async", flags=["-O2"]), x)

    trace = expected.trace
    for sample, image in enumerate(found):
        of = trace.sample == sample
        columns = (trace.tick, trace.population, trace.neuron, trace.sign)
        np.testing.assert_array_equal(image.spikes, np.stack([c[of] for c in columns], axis=1))
    np.testing.assert_array_equal([image.decisions for image in found], expected.predictions)


@needs_gcc
def test_the_outputs_are_logits_in_the_units_that_the_file_names(tmp_path: Path) -> None:
    # 3 steps of 1.5 through a threshold of 1: 1, 2, 4 spikes... v = 1.5, 2.0, 2.5: 3 spikes
    graph = chain(
        (1,),
        ("in", linear("in", [[1.5]])),
        ("if", *fires(1.0, scale=8.0)),
        ("out", linear("out", [[0.5], [-0.25]])),
    )
    path = exported(replace(graph, readout=Readout(scale=16.0)), tmp_path, steps=3)
    (found,) = run(build(path, event_driven=False), np.ones((1, 1), np.float32))
    assert found.outputs == [3 * 8, 3 * -4]
    assert "divided by\n   16.0 and by the steps since then" in path.read_text()


@needs_gcc
def test_pixels_are_preprocessed_channel_by_channel(tmp_path: Path) -> None:
    graph = chain(
        (2, 1, 1),
        ("c", conv("c", np.eye(2).reshape(2, 2, 1, 1))),
        ("if", *fires(0.25, scale=64.0)),
        ("flat", Flatten()),
        ("out", linear("out", np.eye(2))),
    )
    item = replace(graph.inputs[0], preprocess=Preprocess(255.0, (0.5, 0.25), (0.25, 0.5)))
    graph = replace(graph, inputs=(item,), readout=Readout(scale=64.0))
    images = np.array([[[[255]], [[102]]], [[[140]], [[255]]]], np.float32)
    expected = simulate(graph, images, steps=4, precision="int", record="spikes").trace

    found = run(build(exported(graph, tmp_path, steps=4), event_driven=False), images)

    for sample, image in enumerate(found):
        of = expected.sample == sample
        np.testing.assert_array_equal(image.spikes[:, 0], expected.tick[of])
        np.testing.assert_array_equal(image.spikes[:, 2], expected.neuron[of])
    assert len(found[0].spikes)


@needs_gcc
@pytest.mark.parametrize("pixel", [1e30, np.inf, np.nan])
def test_an_image_that_could_overflow_a_membrane_is_refused(pixel: float, tmp_path: Path) -> None:
    graph = chain((1,), ("in", linear("in", [[1.0]])), ("if", *fires(1.0, scale=8.0)))
    graph = replace(graph, readout=Readout("spikes", scale=8.0))
    binary = build(exported(graph, tmp_path, steps=3), event_driven=False, flags=SANITIZED)
    bad, good = run(binary, np.array([[pixel], [1.0]], np.float32))
    assert bad.refused and not bad.decisions
    assert not good.refused and good.decisions == [0, 0, 0]


@needs_gcc
@pytest.mark.parametrize("event_driven", [False, True])
@pytest.mark.parametrize("name", ["cnn", "exact"])
def test_the_memory_that_is_stated_is_what_the_object_file_takes(
    name: str, event_driven: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = exported(request.getfixturevalue(name), tmp_path)
    command = [str(GCC), "-std=c99", f"-DNET_ASYNC={int(event_driven)}", "-c", str(path)]
    subprocess.run([*command, "-o", str(tmp_path / "net.o")], check=True)
    sizes = subprocess.run(
        ["size", "-A", str(tmp_path / "net.o")], capture_output=True, text=True, check=True
    ).stdout
    bss = next(int(line.split()[1]) for line in sizes.splitlines() if line.startswith(".bss"))
    word = "event-driven" if event_driven else "lockstep"
    head = path.read_text().partition("*/")[0]
    assert f"{bss} bytes ({word})" in head


@needs_gcc
def test_another_size_than_the_stated_one_does_not_compile(cnn: Graph, tmp_path: Path) -> None:
    path = exported(cnn, tmp_path)
    text = path.read_text().replace("#define NET_CLASSES 10", "#define NET_CLASSES 10\n#define x")
    path.write_text(text.replace(" tick;", " tick, more[4];"))
    command = [str(GCC), "-std=c99", "-c", str(path), "-o", str(tmp_path / "net.o")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode and "net_memory_is_as_stated" in found.stderr


def test_a_convolution_keeps_its_weights_shared(tmp_path: Path) -> None:
    kernel = np.arange(1, 37).reshape(2, 2, 3, 3) / 64
    graph = chain(
        (2, 16, 16),
        ("if1", *fires(1.0, scale=64.0)),
        ("c", conv("c", kernel, padding=1)),
        ("if2", *fires(1.0, scale=64.0)),
        ("flat", Flatten()),
        ("out", linear("out", np.ones((2, 512)))),
    )
    path = exported(replace(graph, readout=Readout(scale=64.0)), tmp_path, steps=4)
    text = path.read_text()
    # source channel, tap, target channel
    flat = kernel.transpose(1, 2, 3, 0).ravel() * 64
    assert ", ".join(str(int(value)) for value in flat[:20]) in text
    assert text.count("static const net_weight") == 2


def refused(graph: Graph, message: str, **options: object) -> None:
    with pytest.raises(SimulationError, match=message):
        export_c(graph, "never.c", steps=4, **options)
    assert not Path("never.c").exists()


def test_a_graph_without_scales_is_refused_with_the_pass_that_gives_them() -> None:
    refused(neurons([1.0], [[1.0]]), r"convert with the pass 'quantize'(?!.*--precision)")


@pytest.mark.parametrize("neuron", ["ttfs", "two_spike", "resonate_and_fire", "differential"])
def test_other_neurons_are_refused_by_name(neuron: str) -> None:
    graph = neurons([1.0], [[1.0]], neuron=neuron, scale=8.0)
    graph = replace(graph, readout=Readout(scale=8.0))
    refused(graph, f"node 'if' has neurons '{neuron}', and a C file runs .*'if', 'burst', .*'snm'")


@pytest.mark.parametrize(
    ("op", "spiking", "message"),
    [
        (
            Sigmoid(),
            Spiking(0.1, "expectation"),
            "node 'n' follows a function of its mean input.* without operators(?!.*'int8')",
        ),
        (Relu(), Spiking(0.1, "differential"), "node 'n' has neurons 'differential', and a C file"),
    ],
    ids=["operator", "differential"],
)
def test_what_has_fractions_is_refused_without_an_option_of_another_command(
    op: Op, spiking: Spiking, message: str
) -> None:
    links = (("fc", linear("fc", np.eye(2))), ("n", op, spiking), ("out", linear("out", np.eye(2))))
    refused(chain((2,), *links), message + r"(?!.*--precision)")


def test_a_max_pool_of_repeated_values_is_refused_by_name() -> None:
    graph = chain(
        (1, 2, 2),
        ("in", Identity()),
        ("if", *fires(1.0, scale=8.0)),
        ("up", UpsampleNearest((2, 2))),
        ("pool", MaxPool2d((2, 2), (1, 1))),
        ("flat", Flatten()),
        ("out", linear("out", np.ones((2, 9)))),
    )
    graph = replace(graph, readout=Readout(scale=8.0))
    refused(graph, "node 'pool' is a max pool of 'if' by way of .* repeats them")


def test_a_limit_without_settling_is_refused() -> None:
    graph = replace(neurons([1.0], [[1.0]], scale=8.0), readout=Readout(scale=8.0))
    refused(graph, "settle_limit has no meaning", settle_limit=5)


def test_a_probe_is_refused() -> None:
    graph = replace(neurons([1.0], [[1.0]], scale=8.0), probe=Probe("srp"))
    refused(graph, "probes each sample before it runs")


def test_a_readout_that_begins_after_the_last_step_is_refused() -> None:
    graph = neurons([1.0], [[1.0]], scale=8.0)
    graph = replace(graph, readout=Readout(t_start=4, scale=8.0))
    refused(graph, "steps is 4, and the readout counts from step 4 on")


def test_names_that_c_cannot_carry_become_ones_that_it_can(tmp_path: Path) -> None:
    graph = neurons([1.0], [[1.0]], scale=8.0)
    name = "9-netz*/\u00fc??/"
    graph = replace(graph, name=name, readout=Readout(scale=8.0))
    facts = export_c(graph, tmp_path / "net.c", steps=2)
    assert "functions net_9_netz_start" in facts[0]
    text = (tmp_path / "net.c").read_text()
    assert "Spiking network '9-netz______'" in text
