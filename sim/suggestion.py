"""Suggestion: how a converted graph is meant to be simulated, as far as the graph tells."""

from collections.abc import Mapping
from dataclasses import dataclass

from thresher.ir.graph import Graph
from thresher.ir.operation import operation_of
from thresher.ir.spiking import SIGNED
from thresher.ir.time_codes import TIME_CODED


@dataclass(frozen=True)
class Suggestion:
    """Options of `simulate` that a recipe counts on, and leaves to whoever runs its network."""

    schedule: str = "lockstep"
    ticks_per_step: int | None = None
    settle: bool = False
    precision: str = "float32"

    def arguments(self) -> list[str]:
        """List what differs from the defaults, as the command line's options."""
        settle = ["--settle"] if self.settle else []
        schedule = [] if self.schedule == "lockstep" else [f"--schedule {self.schedule}"]
        ticks = [] if self.ticks_per_step is None else [f"--ticks-per-step {self.ticks_per_step}"]
        precision = [] if self.precision == "float32" else [f"--precision {self.precision}"]
        return [*settle, *schedule, *ticks, *precision]


def suggest_options(graph: Graph) -> Suggestion:
    """Tell how a graph is meant to be simulated.

    Neurons that take spikes back want a run that settles, unless there are operators, which follow
    nothing once the input has ended; time-coded ones want the layered schedule, weights that were
    rounded to whole numbers precision "int", and what was calibrated with individual spikes, or
    chosen by them, the asynchronous schedule with as many ticks a step.
    """
    ticks = _calibrated_ticks(graph)
    neurons = {node.spiking.neuron for node in graph if node.spiking is not None}
    operates = any(operation_of(graph, node) is not None for node in graph)
    return Suggestion(
        schedule=_schedule(neurons, ticks is not None or _is_chosen_by_spikes(graph)),
        ticks_per_step=ticks,
        settle=SIGNED in neurons and not operates,
        precision="float32" if graph.readout.scale is None else "int",
    )


def _schedule(neurons: set[str], individual: bool) -> str:
    if neurons & set(TIME_CODED):
        return "layered"
    return "async" if individual else "lockstep"


def _is_chosen_by_spikes(graph: Graph) -> bool:
    """Tell whether a search chose the recipe in the asynchronous schedule."""
    found = graph.meta.get("selection")
    return isinstance(found, Mapping) and found.get("schedule") == "async"


def _calibrated_ticks(graph: Graph) -> int | None:
    """Return the `ticks_per_step` of the pass that was given one, as the provenance tells."""
    for entry in graph.meta.get("passes", ()):
        if isinstance(entry, Mapping):
            for parameters in entry.values():
                if isinstance(parameters, Mapping) and parameters.get("ticks_per_step"):
                    return int(parameters["ticks_per_step"])
    return None
