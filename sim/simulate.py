"""Simulate a converted graph on images: options checked once, samples run in threads."""

import os
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.errors import DataError, SimulationError
from thresher.ir.events import Recordings
from thresher.ir.fields import is_integer
from thresher.ir.graph import Graph
from thresher.ir.images import Images, check_images, image_blocks
from thresher.ir.node import Readout
from thresher.ir.tensor import Tensor
from thresher.ir.threads import map_in_threads
from thresher.ir.time_codes import TIME_CODED
from thresher.sim import options as checks
from thresher.sim.bounds import Extent, fit_membranes
from thresher.sim.compile import compile_graph, expect_converted
from thresher.sim.compiled import obstacle
from thresher.sim.contract import ENGINES, NEVER, Options, Run, SampleRun
from thresher.sim.encoders import ENCODERS, Events
from thresher.sim.gathered import Gathered, Progress
from thresher.sim.layered import layered_steps, prepare_layered
from thresher.sim.memory import available_bytes
from thresher.sim.network import Network
from thresher.sim.neurons import neuron_of
from thresher.sim.probe import expect_probe, probed, steps_of_probe
from thresher.sim.recorded_input import Playback, RecordedStimuli, with_events
from thresher.sim.recording import (
    Recording,
    select,
    tensors_sha256,
    trace_header,
)
from thresher.sim.result import Result, Settings
from thresher.sim.stimulus import Stimuli, expect_threshold
from thresher.version import package_version

DTYPES: dict[str, type[np.floating | np.signedinteger]] = {
    "float32": np.float32,
    "float64": np.float64,
    "int": np.int64,
}


def simulate(
    graph: Graph,
    x: Images,
    y: NDArray[np.integer] | None = None,
    *,
    steps: int | None = None,
    schedule: str = "lockstep",
    ticks_per_step: int | None = None,
    delay: int | None = None,
    refractory: int | None = None,
    arrivals: str | None = None,
    settle: bool = False,
    settle_limit: int | None = None,
    readout: str | None = None,
    t_start: int | None = None,
    encoder: str = "constant",
    precision: str = "float32",
    engine: str = "auto",
    threads: int | None = None,
    step_ms: float | None = None,
    seed: int = 0,
    offset: int = 0,
    confidence: float = 0.9,
    record: str | Sequence[str] | None = None,
    record_samples: tuple[int, int] | None = None,
    membranes: Mapping[str, Sequence[int]] | None = None,
    trace: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Run the spiking network on raw images x (N, *shape), with labels y (N,) where known.

    Memory does not grow with the steps or the images but for a few bytes a decision and what is
    recorded: give `trace` a file to record without a limit, and as x what reads `x[start:stop]`
    from a file (`thresher.datasets.stream`) to keep images out of it.

    Parameters
    ----------
    steps : int, optional
        Steps T; by default those that the graph was converted for.
    schedule : {"lockstep", "async", "layered"}
        Every neuron once a step; individual spikes without a barrier; population by population.
    ticks_per_step, delay, refractory, arrivals : optional
        Ticks a step (async, 64); ticks that a spike travels where its projection sets none (0;
        steps in lockstep); ticks after a spike in which a neuron is barred (async,
        ticks_per_step - 1); "individual" or "netted" arrivals (async).
    settle, settle_limit : optional
        Let the run go on after T steps, without input, until nothing is pending; at most so many
        steps more (by default the graph's `settle_limit`, or 100 T). `layered` always has settled.
    readout, t_start : optional
        Override the graph's readout ("membrane" or "spikes") and the step that it counts from;
        `layered`, which decides once, counts everything.
    encoder : {"constant", "regular", "poisson", "ttfs", "events"}
        "events" takes as x recordings (`thresher.datasets.recordings`, or `stream` of a file).
    step_ms : float, optional
        How long a step of recorded events is, in milliseconds; 1 by default.
    precision : {"float32", "float64", "int"}
        "int" takes a graph that the pass 'quantize' has given scales; all engines then agree to
        the last bit.
    engine : {"auto", "cython", "reference"}
    threads : int, optional
        Samples run side by side; by default one a processor. Results do not depend on it.
    seed, offset : int
        Draws depend on (seed, position), where x[0] has position `offset` in its file.
    confidence : float
        Margin (softmax of the best class less the next) whose time `latency.confident` gives.
    record : "none", "spikes" or names of nodes
        Whose spikes the trace holds; by default none, and every population's where there is a
        file for them.
    record_samples : (start, stop), optional
        Indices into x of the samples to record; all by default.
    membranes : dict of node to neurons, optional
        Neurons (row-major) whose potential is kept at every tick.
    trace : str or Path, optional
        File (.npz, .csv, .parquet, .h5, or another that `export_trace` writes) that the spikes go
        to as samples are done; it appears whole at the end. Then they are not kept in memory, and
        `result.trace` is not to be had.
    progress : callable, optional
        Called after every sample with how far the run is.

    Raises
    ------
    SimulationError
        Where the graph is not converted, or the options do not fit it or each other.
    DataError
        Where images or labels do not fit the graph.
    """
    expect_converted(graph)
    n_steps = checks.steps_of(graph, steps)
    expect_room(len(x), n_steps)
    ticks, rest, arriving, delay_ticks = checks.timing(
        schedule, ticks_per_step, refractory, arrivals, delay
    )
    limit = checks.settling(graph, settle, settle_limit, n_steps, ticks)
    checks.expect_duration(n_steps + limit, ticks)
    checks.expect_names(encoder, engine, precision)
    seed = checks.whole("seed", seed, 0, most=None)
    offset = checks.whole("offset", offset, 0, "samples")
    _warn_other_steps(graph, n_steps)
    spiking_input = ENCODERS.get(encoder).spikes
    recorded = encoder == Events.name
    milliseconds = checks.step_length(step_ms, encoder, recorded)
    if recorded:
        graph = with_events(graph, x, n_steps)
    if spiking_input:
        expect_threshold(graph, encoder)
    if t_start is None and schedule == "layered":
        t_start = 0
    wanted = _readout(graph, readout, t_start, n_steps)
    network = compile_graph(
        graph,
        readout=wanted,
        spiking_input=spiking_input,
        delay=delay_ticks,
        dtype=DTYPES[precision],
    )
    if limit:
        checks.expect_quiescence(network)
    if network.is_whole:
        extent = Extent(n_steps, (n_steps + limit) * ticks, rest)
        network = fit_membranes(network, extent, graph.inputs[0].threshold or 1.0)
    labels = check_labels(graph, x, y)
    if record is None:
        record = "none" if trace is None else "spikes"
    selection = select(
        network, graph, record, _sample_range(record_samples, len(x)), membranes or {}
    )
    x = check_images(graph, x)
    options = Options(
        schedule,
        n_steps,
        ticks,
        rest,
        arriving == "netted",
        checks.margin(confidence),
        selection.record,
        selection.watch,
        settle_limit=limit,
    )
    name = _choose_engine(network, engine, options)
    probe_steps = 0
    if graph.probe is None:
        run = _prepare(network, options, name)
    else:
        expect_probe(network, schedule, encoder, limit > 0)
        run = probed(network, options, graph.probe, partial(_prepare, network, engine=name))
        probe_steps = steps_of_probe(network, graph.probe)
    if recorded:
        stimuli: Stimuli = RecordedStimuli(graph, network, n_steps, ticks, milliseconds)
    else:
        stimuli = Stimuli(graph, network, ENCODERS.get(encoder), n_steps, ticks, seed)
    settings = Settings(
        schedule,
        n_steps,
        ticks,
        rest,
        delay_ticks,
        arriving,
        encoder,
        wanted.kind,
        wanted.t_start,
        name,
        precision,
        seed,
        limit,
        probe_steps,
        milliseconds if recorded else None,
    )

    def run_one(item: tuple[int, NDArray[np.floating]]) -> tuple[SampleRun, int]:
        index, image = item
        stimulus, clipped = stimuli.of(image, offset + index)
        sample = run(stimulus)
        if options.settles and sample.quiescent == NEVER and not options.stop[0]:
            raise SimulationError(
                f"image {offset + index} has not settled {limit} steps after the {n_steps} of its "
                "input: spikes are still pending. Take a larger --settle-limit; neurons that fire "
                "without input never settle"
            )
        return sample, clipped

    provenance = {
        "graph": graph.name,
        "tensors_sha256": tensors_sha256(graph),
        "thresher_version": package_version(),
        **vars(settings),
    }
    trace_steps = layered_steps(network, n_steps) if schedule == "layered" else n_steps
    header = trace_header(network, selection, trace_steps, ticks, offset, provenance)
    gathered = Gathered(network, len(x))
    started = time.perf_counter()
    target = None if trace is None else Path(trace)
    playback = (
        Playback(x, n_steps, milliseconds) if isinstance(x, Recordings) and recorded else None
    )
    samples = chain.from_iterable(image_blocks(graph, x)) if playback is None else iter(playback)
    with (
        closing(Recording(network, selection, header, target)) as recording,
        closing(_run_all(samples, run_one, _n_threads(threads), options)) as runs,
    ):
        for index, (sample, clipped) in enumerate(runs):
            reached = gathered.add(sample, clipped)
            recording.add(index, offset + index, sample)
            if progress is not None:
                progress(reached)
        seconds = time.perf_counter() - started
        kept = recording.finish()
    if playback is not None:
        playback.warn()
    return gathered.result(settings, labels, seconds, kept)


def _run_all(
    samples: Iterator[NDArray[Any]],
    run_one: Callable[[tuple[int, NDArray[np.floating]]], tuple[SampleRun, int]],
    threads: int,
    options: Options,
) -> Generator[tuple[SampleRun, int], None, None]:
    """Yield every sample's run in order, a few of them computed ahead."""
    try:
        yield from map_in_threads(run_one, enumerate(samples), threads)
    finally:
        options.stop[0] = 1  # what still runs was interrupted, and ends


def expect_room(samples: int, steps: int) -> None:
    """Raise SimulationError where the decisions of every sample and step would not fit."""
    needed, available = samples * steps, available_bytes()
    if needed > available:
        raise SimulationError(
            f"the decisions of {samples} samples at each of {steps} steps take "
            f"{needed / 1e9:.1f} GB, but only {available / 1e9:.1f} GB of memory are free; take "
            "fewer steps or samples"
        )


def _readout(graph: Graph, kind: str | None, t_start: int | None, steps: int) -> Readout:
    """Return the graph's readout with what the user overrides."""
    wanted = graph.readout
    if kind is not None:
        wanted = replace(wanted, kind=checks.choice("readout", kind, ("membrane", "spikes")))
    if t_start is not None:
        wanted = replace(wanted, t_start=checks.whole("t_start", t_start, 0, "steps"))
    if wanted.t_start >= steps:
        raise SimulationError(
            f"t_start is {wanted.t_start}; expected less than the {steps} steps: run more, or "
            "give a smaller one (--t-start 0)"
        )
    return wanted


def _prepare(network: Network, options: Options, engine: str) -> Run:
    checks.expect_steps(network, options.schedule)
    if options.schedule == "layered":
        checks.expect_layered(network, options)
        return prepare_layered(network, options)
    for population in network.populations:
        neuron_of(population)  # refuses one that no schedule without windows can run
    return ENGINES.get(engine).prepare(network, options)


def _choose_engine(network: Network, engine: str, options: Options) -> str:
    """Return the engine's name; "auto" takes the compiled one where it can run the network."""
    if engine != "auto":
        return engine
    return "reference" if obstacle(network) else "cython"


def check_labels(
    graph: Graph, x: Images, y: NDArray[np.integer] | None
) -> NDArray[np.int64] | None:
    """Return the labels as whole numbers; raise DataError where they do not fit the images."""
    if not len(x):
        raise DataError("there are no images to simulate; expected at least one")
    if y is None:
        return None
    labels = np.asarray(y)
    if labels.shape != (len(x),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"the labels are {labels.dtype} of shape {list(labels.shape)}; expected one whole "
            f"number for each of the {len(x)} images"
        )
    classes = prod(graph.shapes[graph.outputs[0]])
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise DataError(
            f"label {outside[0]} is {labels[outside[0]]}; '{graph.outputs[0]}' has classes "
            f"0..{classes - 1}"
        )
    return labels.astype(np.int64)


def _sample_range(samples: tuple[int, int] | None, n: int) -> range:
    if samples is None:
        return range(n)
    start, stop = samples
    if not (is_integer(start) and is_integer(stop) and 0 <= start < stop <= n):
        raise SimulationError(
            f"record_samples is {start}:{stop}; expected START:STOP with 0 <= START < STOP <= {n}"
        )
    return range(start, stop)


def _n_threads(threads: int | None) -> int:
    if threads is None:
        return os.cpu_count() or 1
    return checks.whole("threads", threads, 1, "threads")


def _warn_other_steps(graph: Graph, steps: int) -> None:
    """Warn where the network was made for another number of steps than are run."""
    converted = graph.meta.get("steps")
    if converted is None or converted == steps:
        return
    for made, consequence in _made_for_steps(graph):
        warnings.warn(
            f"{made} made for {converted} steps and {steps} are run: {consequence}; convert with "
            f"--steps {steps}",
            stacklevel=3,
        )


def _made_for_steps(graph: Graph) -> list[tuple[str, str]]:
    """Say what of a network was made for a number of steps, and what becomes of it in others."""
    annotations = [node.spiking for node in graph.nodes if node.spiking is not None]
    starts = [s.v_init for s in annotations if s.neuron in TIME_CODED]
    found: list[tuple[str, str]] = []
    if any(spiking.levels is not None for spiking in annotations):
        stands_for = "counts stand for other activations"
        found.append(("the thresholds of neurons with levels were", stands_for))
    if any(isinstance(v_init, Tensor) or v_init != 0 for v_init in starts):
        found.append(("the start of time-coded neurons was", "it is no longer half a level"))
    if any(isinstance(s.shift, Tensor) or s.shift != 0 for s in annotations):
        other = "recipe 'bu2022-opi' has a start that fits any number"
        found.append(("the graph's shift was", f"it adds up to another charge ({other})"))
    users = graph.meta.get("steps_used_by")
    if not found and isinstance(users, list):
        named = " and ".join(f"'{name}'" for name in users)
        found.append((f"what {named} set was", "accuracy may be less than it could be"))
    return found
