"""Suggestion: how a converted graph is meant to be simulated, as its neurons and weights tell."""

from dataclasses import dataclass

from thresher.ir.graph import Graph
from thresher.ir.spiking import SIGNED
from thresher.ir.time_codes import TIME_CODED


@dataclass(frozen=True)
class Suggestion:
    """Options of `simulate` that a recipe counts on, and leaves to whoever runs its network."""

    schedule: str = "lockstep"
    settle: bool = False
    precision: str = "float32"

    def arguments(self) -> list[str]:
        """List what differs from the defaults, as the command line's options."""
        settle = ["--settle"] if self.settle else []
        schedule = [] if self.schedule == "lockstep" else ["--schedule", self.schedule]
        precision = [] if self.precision == "float32" else ["--precision", self.precision]
        return [*settle, *schedule, *precision]


def suggest_options(graph: Graph) -> Suggestion:
    """Tell how a graph is meant to be simulated.

    Neurons that take spikes back want a run that settles, time-coded ones the layered schedule,
    and weights that were rounded to whole numbers precision "int".
    """
    neurons = {node.spiking.neuron for node in graph if node.spiking is not None}
    return Suggestion(
        schedule="layered" if neurons & set(TIME_CODED) else "lockstep",
        settle=SIGNED in neurons,
        precision="float32" if graph.readout.scale is None else "int",
    )
