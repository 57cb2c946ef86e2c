"""Diagnose: simulate images block by block, and compare every layer with the ANN's."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thresher.diagnosis.diagnosis import Diagnosis
from thresher.diagnosis.subject import Layer, layers_of
from thresher.diagnosis.sums import DiagnosisSums
from thresher.errors import SimulationError
from thresher.ir import Graph
from thresher.ir.images import Images, check_images, preprocess
from thresher.sim import Progress, Result, compile_graph, simulate
from thresher.sim import options as checks
from thresher.sim.simulate import check_labels

PRECISIONS: dict[str, type[np.floating[Any]]] = {"float32": np.float32, "float64": np.float64}
BLOCK = 64
"""Images at a time, where the network is small."""
BLOCK_SPIKES = 2**25
"""Spikes that a block could have, at one a neuron and step; some 10 to 40 bytes a spike it has."""


def diagnose(
    snn: Graph,
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
    precision: str = "float32",
    engine: str = "auto",
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Diagnosis:
    """Tell which layer of a converted network loses what the ANN knows, and by what.

    The error of every layer, theta * spikes / T less the ANN's activation, is split into clipping,
    quantisation, unevenness and what it inherits (`Parts`); the SNN's values up to each layer are
    carried on by the ANN, which tells where its decisions are lost. Images x (N, *shape), with
    labels y (N,) where known, are simulated in blocks under a constant current; memory grows with
    a block's spikes, not with N. The options are those of `simulate`.

    Raises
    ------
    SimulationError
        Where the options do not fit, the graph asks for a probe, a population leaks or says its
        values by time, and for precision "int".
    GraphError
        For a readout that there is not.
    DataError
        Where images or labels do not fit the graph.

    Notes
    -----
    What a delay keeps from arriving in time is part of the unevenness. Neurons whose count has no
    closed form are run on even input in lockstep (`EvenRun`), also for `async`. The dense side
    is computed in float64: a potential that ends within the engine's rounding of a threshold may
    leave a spike of unevenness.
    """
    if snn.probe is not None:
        raise SimulationError(
            "the graph asks for a probe, after which every sample starts from potentials of its "
            "own, so that no staircase is the network's; diagnose takes networks without a probe"
        )
    n_steps = checks.steps_of(snn, steps)
    *_, delay_ticks = checks.timing(schedule, ticks_per_step, refractory, arrivals, delay)
    dtype = _dtype(precision)
    graph = _with_readout(snn, readout, t_start)
    network = compile_graph(graph, delay=delay_ticks, dtype=dtype)
    layers = layers_of(graph, network, n_steps, dtype, layered=schedule == "layered")
    labels = check_labels(graph, x, y)
    options = {
        "steps": n_steps,
        "schedule": schedule,
        "ticks_per_step": ticks_per_step,
        "delay": delay,
        "refractory": refractory,
        "arrivals": arrivals,
        "settle": settle,
        "settle_limit": settle_limit,
        "precision": precision,
        "engine": engine,
        "threads": threads,
    }
    sums = DiagnosisSums(layers, labels is not None)
    for start, block, result in _simulated(
        graph, x, _block_size(layers, n_steps), progress, options
    ):
        known = None if labels is None else labels[start : start + len(block)]
        image = preprocess(graph, block).astype(np.float64)
        sums.add(graph, image, result, known)
    return sums.finish()


def _simulated(
    graph: Graph,
    x: Images,
    size: int,
    progress: Callable[[Progress], None] | None,
    options: Mapping[str, Any],
) -> Iterator[tuple[int, NDArray[Any], Result]]:
    """Simulate `size` images at a time; yield where each block starts, its images, the result."""
    x = check_images(graph, x)
    before = reached = Progress(0, len(x), 0, 0)

    def report(now: Progress) -> None:
        nonlocal reached
        reached = Progress(
            before.done + now.done,
            len(x),
            before.spikes + now.spikes,
            before.synaptic_operations + now.synaptic_operations,
        )
        if progress is not None:
            progress(reached)

    for start in range(0, len(x), size):
        block = np.asarray(x[start : start + size])
        with warnings.catch_warnings():
            if start:  # the first block has said it
                warnings.simplefilter("ignore")
            result = simulate(
                graph, block, offset=start, record="spikes", progress=report, **options
            )
        yield start, block, result
        before = reached


def _dtype(precision: str) -> type[np.floating[Any]]:
    if precision == "int":
        raise SimulationError(
            "precision 'int' rounds weights and thresholds, which is another error than those that "
            "are told apart here; diagnose in float32 or float64"
        )
    return PRECISIONS[checks.choice("precision", precision, tuple(PRECISIONS))]


def _with_readout(graph: Graph, kind: str | None, t_start: int | None) -> Graph:
    """Return the graph with the readout that the user asks for."""
    wanted = graph.readout
    if kind is not None:
        wanted = replace(wanted, kind=kind)
    if t_start is not None:
        wanted = replace(wanted, t_start=t_start)
    return replace(graph, readout=wanted)


def _block_size(layers: Sequence[Layer], steps: int) -> int:
    neurons = sum(prod(layer.shape) for layer in layers)
    return max(1, min(BLOCK, BLOCK_SPIKES // (neurons * steps)))
