"""The options of simulate: what each schedule takes, its defaults, answers to mistakes."""

from dataclasses import replace

import numpy as np
import pytest
from networks import chain, fires, linear, neurons

from thresher import DataError, SimulationError, simulate
from thresher.ir import Graph
from thresher.ir.ops import Relu
from thresher.sim import Progress, compiled, compiled_available

NOTHING = np.zeros((1, 1), np.float32)
ASYNC = {"schedule": "async"}


def simulated(graph: Graph | None = None, **options: object) -> object:
    options = {"steps": 4} | options
    return simulate(graph or neurons([1.0], [[1.0]]), NOTHING, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": None}, "how many steps. Give --steps T, or steps=T"),
        ({"steps": 0}, "steps is 0; expected a whole number of steps, at least 1"),
        ({"steps": 2.0}, r"steps is 2\.0; expected a whole number"),
        ({"steps": True}, "steps is True; expected a whole number"),
        ({"schedule": "clocked"}, "schedule is 'clocked'; expected one of lockstep, async, layer"),
        ({"delay": -1}, r"delay is -1; expected a whole number of ticks \(steps in lockstep\), at"),
        ({"delay": 0.5}, r"delay is 0\.5; expected a whole number"),
        (ASYNC | {"ticks_per_step": 0}, "ticks per step is 0; expected a whole number of ticks, a"),
        (ASYNC | {"ticks_per_step": "4"}, "ticks per step is '4'; expected a whole number"),
        (ASYNC | {"refractory": -1}, "refractory is -1; expected a whole number of ticks, at leas"),
        (ASYNC | {"arrivals": "both"}, "arrivals is 'both'; expected one of individual, netted"),
        ({"ticks_per_step": 4}, "ticks per step has no meaning in schedule 'lockstep'; leave it "),
        ({"refractory": 0}, "refractory has no meaning in schedule 'lockstep'; .* --schedule asyn"),
        ({"arrivals": "netted"}, "arrivals has no meaning in schedule 'lockstep'"),
        ({"schedule": "layered", "delay": 1}, "delay has no meaning in schedule 'layered'"),
        ({"schedule": "layered", "ticks_per_step": 2}, "ticks per step has no meaning in schedule"),
        (
            ASYNC | {"steps": 2**20, "ticks_per_step": 2**11},
            "1048576 steps of 2048 ticks are 2,147,483,648 ticks; at most 1,073,741,824 are supp",
        ),
        ({"encoder": "constants"}, "unknown encoder 'constants': did you mean 'constant'"),
        ({"engine": "cythonic"}, "unknown engine 'cythonic': did you mean 'cython'"),
        ({"precision": "int8"}, "precision is 'int8'; expected one of float32, float64, int"),
        (
            {"precision": "int"},
            "has no scale for precision 'int': convert with the pass 'quantize'",
        ),
        ({"readout": "voltage"}, "readout is 'voltage'; expected one of membrane, spikes"),
        ({"readout": "spikes"}, "readout 'spikes' needs a threshold on the output 'out'"),
        ({"t_start": -1}, "t_start is -1; expected a whole number of steps, at least 0"),
        ({"t_start": 4}, "t_start is 4; expected less than the 4 steps"),
        ({"schedule": "layered", "t_start": 1}, "schedule 'layered' decides once, at the end; t_"),
        ({"schedule": "layered", "membranes": {"if": [0]}}, "'layered' has no potential at every"),
        (
            {"delay": 2**63},
            r"delay is .*; expected a whole number of ticks .*, at most 1,073,741,824",
        ),
        (ASYNC | {"refractory": 2**63 - 1}, "refractory is .*; .*, at most 1,073,741,824"),
        ({"steps": 2**40}, "steps is 1099511627776; expected a whole number of steps, at most 1,0"),
        ({"seed": -1}, "seed is -1; expected a whole number, at least 0"),
        ({"seed": 0.5}, r"seed is 0\.5; expected a whole number, at least 0"),
        ({"offset": -1}, "offset is -1; expected a whole number of samples, at least 0"),
        ({"confidence": 1.5}, r"confidence is 1\.5; expected a number from 0 to 1"),
        ({"confidence": float("nan")}, "confidence is nan; expected a number from 0 to 1"),
        ({"confidence": "high"}, "confidence is 'high'; expected a number from 0 to 1"),
        ({"threads": 0}, "threads is 0; expected a whole number of threads, at least 1"),
    ],
)
def test_a_mistaken_option_is_named_with_what_was_expected(options: dict, message: str) -> None:
    with pytest.raises(SimulationError, match=message):
        simulated(**options)


def test_layered_refuses_hard_reset_by_node() -> None:
    graph = neurons([1.0], [[1.0]], reset="hard")
    message = "schedule 'layered' counts what soft reset keeps; node 'if' has hard reset"
    with pytest.raises(SimulationError, match=message):
        simulated(graph, schedule="layered")


def test_layered_refuses_a_projections_own_delay() -> None:
    graph = neurons([1.0], [[1.0]]).replace("out", delay=3)
    message = "schedule 'layered' knows no delays; the projection onto 'out' has 3"
    with pytest.raises(SimulationError, match=message):
        simulated(graph, schedule="layered")


def test_a_projections_delay_beyond_any_run_is_refused() -> None:
    graph = neurons([1.0], [[1.0]]).replace("out", delay=2**63 - 1)
    message = "projection 'if' -> 'out': delay 9,223,372,036,854,775,807 is longer than"
    for schedule in ("lockstep", "async"):
        with pytest.raises(SimulationError, match=message):
            simulated(graph, schedule=schedule)


def test_a_seed_may_be_any_size() -> None:
    assert simulated(seed=2**100).settings.seed == 2**100


def test_t_start_of_the_graph_must_lie_within_the_run() -> None:
    graph = neurons([1.0], [[1.0]])
    graph = replace(graph, readout=replace(graph.readout, t_start=9))
    with pytest.raises(SimulationError, match="t_start is 9; expected less than the 4 steps"):
        simulated(graph)
    simulated(graph, t_start=0)


@pytest.mark.parametrize(
    ("options", "ticks_per_step", "refractory", "arrivals"),
    [
        ({}, 1, 0, "netted"),
        ({"ticks_per_step": 1}, 1, 0, "netted"),
        ({"schedule": "layered"}, 1, 0, "netted"),
        (ASYNC, 64, 63, "individual"),
        (ASYNC | {"ticks_per_step": 10}, 10, 9, "individual"),
        (ASYNC | {"ticks_per_step": 10, "refractory": 0}, 10, 0, "individual"),
        (ASYNC | {"arrivals": "netted"}, 64, 63, "netted"),
    ],
)
def test_each_schedule_has_its_defaults(
    options: dict, ticks_per_step: int, refractory: int, arrivals: str
) -> None:
    settings = simulated(**options).settings
    found = (settings.ticks_per_step, settings.refractory, settings.arrivals)
    assert found == (ticks_per_step, refractory, arrivals)


def test_the_steps_of_the_conversion_are_the_default() -> None:
    graph = replace(neurons([1.0], [[1.0]]), meta={"steps": 6})
    assert simulate(graph, NOTHING).settings.steps == 6
    assert simulate(graph, NOTHING, steps=2).settings.steps == 2


def test_a_shift_made_for_other_steps_is_warned_of() -> None:
    graph = replace(neurons([1.0], [[1.0]], shift=0.125), meta={"steps": 4})
    with pytest.warns(UserWarning, match="shift was made for 4 steps and 8 are run"):
        simulate(graph, NOTHING, steps=8)


def test_levels_made_for_other_steps_are_warned_of() -> None:
    graph = neurons([1.0], [[1.0]], neuron="signed_if", levels=4)
    with pytest.warns(UserWarning, match="neurons with levels were made for 4 steps and 8 are run"):
        simulate(replace(graph, meta={"steps": 4}), NOTHING, steps=8)


@pytest.mark.filterwarnings("error")
def test_a_shift_made_for_these_steps_is_not_warned_of() -> None:
    simulate(replace(neurons([1.0], [[1.0]], shift=0.125), meta={"steps": 4}), NOTHING, steps=4)
    simulate(replace(neurons([1.0], [[1.0]], v_init=0.5), meta={"steps": 4}), NOTHING, steps=8)


def test_auto_takes_the_compiled_engine_where_it_was_built() -> None:
    expected = "cython" if compiled_available()[0] else "reference"
    assert simulated().settings.engine == expected


def test_kernels_that_were_not_built_are_missed_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "WHY_NOT", "No module named 'thresher.cython_ext.wiring'")
    assert simulated().settings.engine == "reference"
    message = "engine 'cython' is not available .No module named .*; install a C compiler"
    with pytest.raises(SimulationError, match=message):
        simulated(engine="cython")


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((1, 1), int), r"the labels are int64 of shape \[1, 1\]; expected one whole numb"),
        (np.zeros(1), r"the labels are float64 of shape \[1\]; expected one whole number"),
        (np.array([1, 2]), r"of shape \[2\]; .* for each of the 1 images"),
        (np.array([3]), r"label 0 is 3; 'out' has classes 0\.\.2"),
        (np.array([-1]), r"label 0 is -1; 'out' has classes 0\.\.2"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        simulate(neurons([1.0], [[1.0]] * 3), NOTHING, y, steps=1)


def test_no_images_are_refused() -> None:
    with pytest.raises(DataError, match="there are no images to simulate"):
        simulate(neurons([1.0], [[1.0]]), NOTHING[:0], steps=1)


def test_images_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match=r"images are \[2\], but input 'image' takes \[1\]"):
        simulate(neurons([1.0], [[1.0]]), np.zeros((1, 2), np.float32), steps=1)


def test_progress_is_told_sample_by_sample() -> None:
    told: list[Progress] = []
    graph = chain((1,), ("if", *fires()), ("out", linear("out", [[1.0], [1.0]])))
    images = np.array([[1.0], [0.0], [1.0]], np.float32)
    simulate(graph, images, steps=4, progress=told.append)
    assert told == [Progress(1, 3, 4, 8), Progress(2, 3, 4, 8), Progress(3, 3, 8, 16)]


def test_a_current_beyond_the_precision_names_the_image() -> None:
    graph = chain(
        (1,), ("fc", linear("fc", [[1e10]])), ("if", *fires()), ("out", linear("out", [[1.0]]))
    )
    images = np.array([[1.0], [1e35]], np.float32)
    with pytest.raises(DataError, match="image 1 drives a current beyond float32"):
        simulate(graph, images, steps=2)


def test_an_unconverted_graph_is_said_to_be_one_before_its_steps_are_missed() -> None:
    graph = chain(
        (1,), ("fc", linear("fc", [[1.0]])), ("relu", Relu()), ("out", linear("out", [[1.0]]))
    )
    with pytest.raises(
        SimulationError, match=r"'relu' \(relu\) has no threshold: the graph is not"
    ):
        simulate(graph, np.ones((1, 1), np.float32))


def test_decisions_that_memory_cannot_hold_are_refused() -> None:
    graph = chain((1,), ("if", *fires()), ("out", linear("out", [[1.0]])))
    images = np.ones((100_000, 1), np.float32)
    with pytest.raises(SimulationError, match="decisions of 100000 samples at each of 1000000000"):
        simulate(graph, images, steps=1_000_000_000)
