"""The options of a simulation, checked: what each schedule takes, and the defaults."""

from typing import Any

import numpy as np

from thresher.errors import SimulationError
from thresher.ir.fields import is_integer
from thresher.ir.graph import Graph
from thresher.sim.contract import ENGINES, Options
from thresher.sim.encoders import ENCODERS
from thresher.sim.network import Network
from thresher.sim.neurons import MaxPool, model_of

SCHEDULES = ("lockstep", "async", "layered")
ARRIVALS = ("individual", "netted")
PRECISIONS = ("float32", "float64", "int")
TICKS_PER_STEP = 64
MOST_TICKS = 2**30
SETTLE_STEPS = 100
"""Steps for each step of the input in which a run may settle, where neither says how many."""


def whole(name: str, value: Any, least: int, unit: str = "", most: int | None = MOST_TICKS) -> int:
    """Return a whole number, or raise SimulationError naming the option."""
    of_units = f" of {unit}" if unit else ""
    if not is_integer(value) or value < least:
        raise SimulationError(
            f"{name} is {value!r}; expected a whole number{of_units}, at least {least}"
        )
    if most is not None and value > most:
        raise SimulationError(
            f"{name} is {value!r}; expected a whole number{of_units}, at most {most:,}"
        )
    return int(value)


def choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return a word that is one of the choices, or raise SimulationError naming the option."""
    if value not in choices:
        raise SimulationError(f"{name} is '{value}'; expected one of {', '.join(choices)}")
    return value


def margin(confidence: Any) -> float:
    """Return a confidence, or raise SimulationError where none can be reached or all are."""
    if not isinstance(confidence, (int, float, np.number)) or not 0 <= confidence <= 1:
        raise SimulationError(f"confidence is {confidence!r}; expected a number from 0 to 1")
    return float(confidence)


def steps_of(graph: Graph, steps: int | None) -> int:
    """Return the steps asked for, or those that the graph was converted for."""
    converted = graph.meta.get("steps")
    if steps is None and converted is None:
        raise SimulationError("how many steps? Give --steps T, or steps=T")
    return whole("steps", converted if steps is None else steps, 1, "steps")


def timing(
    schedule: str,
    ticks_per_step: int | None,
    refractory: int | None,
    arrivals: str | None,
    delay: int | None,
) -> tuple[int, int, str, int]:
    """Return (ticks per step, refractory, arrivals, delay) as the schedule takes them.

    Raises
    ------
    SimulationError
        Where a value is out of range, or given for a schedule in which it has no meaning.
    """
    choice("schedule", schedule, SCHEDULES)
    delay_ticks = whole("delay", 0 if delay is None else delay, 0, "ticks (steps in lockstep)")
    if schedule == "async":
        ticks = TICKS_PER_STEP if ticks_per_step is None else ticks_per_step
        ticks = whole("ticks per step", ticks, 1, "ticks")
        rest = ticks - 1 if refractory is None else refractory
        rest = whole("refractory", rest, 0, "ticks")
        return ticks, rest, choice("arrivals", arrivals or "individual", ARRIVALS), delay_ticks
    _refuse(schedule, "ticks per step", ticks_per_step not in (None, 1))
    _refuse(schedule, "refractory", refractory is not None)
    _refuse(schedule, "arrivals", arrivals is not None)
    if schedule == "layered":
        _refuse(schedule, "delay", delay_ticks > 0)
    return 1, 0, "netted", delay_ticks


def settling(graph: Graph, settle: bool, limit: int | None, steps: int, ticks_per_step: int) -> int:
    """Return the steps that a run may take to settle after its input: 0 where it does not."""
    if not settle:
        if limit is None:
            return 0
        raise SimulationError(
            "settle_limit has no meaning in a run that does not settle; leave it out, or add "
            "--settle"
        )
    chosen = graph.settle_limit if limit is None else limit
    if chosen is not None:
        return whole("settle_limit", chosen, 1, "steps")
    return max(1, min(SETTLE_STEPS * steps, MOST_TICKS // ticks_per_step - steps))


def expect_steps(network: Network, schedule: str) -> None:
    """Raise SimulationError where spikes tell of steps that a schedule does not have."""
    for population in network.spiking:
        if model_of(population).differential and schedule != "lockstep":
            raise SimulationError(
                f"schedule '{schedule}' has no steps that all neurons share, by which node "
                f"'{population.name}', of neuron '{population.neuron}', says how its value "
                "changes. Take lockstep"
            )


def expect_layered(network: Network, options: Options) -> None:
    """Raise SimulationError where a run asks for something that `layered` cannot mean."""
    for population in network.spiking:
        if model_of(population).leaks:
            raise SimulationError(
                f"schedule 'layered' counts what no leak takes; node '{population.name}' is of "
                f"neuron '{population.neuron}'. Take lockstep or async"
            )
        if model_of(population).window is None and population.neuron != MaxPool.name:
            raise SimulationError(
                f"schedule 'layered' counts what goes into the whole input; node "
                f"'{population.name}' is of neuron '{population.neuron}', whose spikes depend on "
                "when it came. Take lockstep or async"
            )
        if population.hard_reset:
            raise SimulationError(
                f"schedule 'layered' counts what soft reset keeps; node '{population.name}' has "
                "hard reset. Convert with soft reset, or take lockstep or async"
            )
    for projection in network.projections:
        if projection.delay:
            target = network.populations[projection.target].name
            raise SimulationError(
                f"schedule 'layered' knows no delays; the projection onto '{target}' has "
                f"{projection.delay}. Take lockstep or async"
            )
    if network.readout.t_start:
        raise SimulationError("schedule 'layered' decides once, at the end; t_start must be 0")
    if options.watch:
        raise SimulationError(
            "schedule 'layered' has no potential at every tick; leave membranes out, or take "
            "lockstep or async"
        )


def expect_quiescence(network: Network) -> None:
    """Raise SimulationError where a run is to settle and a neuron may always fire again."""
    for population in network.spiking:
        if model_of(population).differential:
            raise SimulationError(
                "a run that settles goes on after its input, without which nothing is left to say "
                f"for neuron '{population.neuron}' (node '{population.name}'); leave --settle out"
            )
        if population.operation is not None:
            raise SimulationError(
                f"node '{population.name}' follows a function of its mean input, of which there is "
                "none when the input has ended; leave --settle out"
            )
        if model_of(population).stepped:
            raise SimulationError(
                "a run settles when no neuron is to fire any more, which cannot be told of neuron "
                f"'{population.neuron}' (node '{population.name}'); leave --settle out"
            )


def expect_duration(steps: int, ticks_per_step: int) -> None:
    """Raise SimulationError where a run has more ticks than the engines count."""
    if steps * ticks_per_step > MOST_TICKS:
        raise SimulationError(
            f"{steps} steps of {ticks_per_step} ticks are {steps * ticks_per_step:,} ticks; at "
            f"most {MOST_TICKS:,} are supported"
        )


def expect_names(encoder: str, engine: str, precision: str) -> None:
    """Raise SimulationError for an unknown encoder, engine or precision."""
    ENCODERS.get(encoder)
    if engine != "auto":
        ENGINES.get(engine)
    choice("precision", precision, PRECISIONS)


def step_length(step_ms: Any, encoder: str, recorded: bool) -> float:
    """Return how long a step of recorded events is, in milliseconds; 1 by default."""
    if step_ms is None:
        return 1.0
    if not recorded:
        raise SimulationError(
            f"step_ms has no meaning for encoder '{encoder}', whose input has no time of its own; "
            "leave it out"
        )
    if not isinstance(step_ms, (int, float)) or not 1e-3 <= step_ms < 1e9:
        raise SimulationError(f"step_ms is {step_ms!r}; expected milliseconds, at least 0.001")
    return float(step_ms)


def _refuse(schedule: str, name: str, given: bool) -> None:
    if given:
        raise SimulationError(
            f"{name} has no meaning in schedule '{schedule}'; leave it out, or take "
            "--schedule async"
        )
