"""Contender: one way of running the workload, and how it is prepared; the list of all."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from benchmarks.common import Workload

Run = Callable[[], tuple[float, int]]
"""Run the workload's images once: seconds taken, and spikes fired in all."""


@dataclass(frozen=True)
class Contender:
    """One row of the comparison.

    `make` is "module.function" in this folder; the function takes the workload and `arguments`,
    does all that is done once (imports, building, compiling, one untimed run that counts the
    spikes) and returns the timed run. `against` names the run of Thresher that the ratio refers
    to; `images` is how many of the 64 images it runs in a round.
    """

    name: str
    label: str
    make: str
    arguments: tuple[object, ...] = ()
    package: str = "torch"
    batch: str = "1"
    threads: int = 2
    against: str = "lockstep-1"
    images: int = 64

    def prepare(self, workload: Workload) -> Run:
        module, function = self.make.split(".")
        make = getattr(import_module(f"benchmarks.contenders.{module}"), function)
        run: Run = make(workload, *self.arguments)
        return run


def _ours(name: str, label: str, threads: int, schedule: str, together: bool) -> Contender:
    return Contender(
        name,
        f"Thresher, {label}",
        "ours.simulate_images" if together else "ours.call_per_image",
        (schedule, threads),
        package="thresher",
        threads=threads,
        against=f"lockstep-{threads}",
    )


def _torch(name: str, label: str, package: str, stepwise: bool) -> tuple[Contender, Contender]:
    """List a PyTorch peer twice: one image at a time, and all 64 in one batch."""
    make = f"torch_peers.{'step_by_step' if stepwise else 'layer_by_layer'}"
    order = "step by step" if stepwise else "layer by layer"
    label = f"{label}, {order}"
    return (
        Contender(f"{name}-1", label, make, (name, 1), package),
        Contender(f"{name}-64", label, make, (name, 64), package, "64", against="lockstep-2"),
    )


OURS = (
    _ours("lockstep-1", "lockstep", 1, "lockstep", True),
    _ours("lockstep-2", "lockstep", 2, "lockstep", True),
    _ours("lockstep-call", "lockstep, a call of `simulate` an image", 1, "lockstep", False),
    _ours("async-1", "async, R = 64", 1, "async", True),
    _ours("async-2", "async, R = 64", 2, "async", True),
)

CONTENDERS = (
    *OURS,
    *_torch("pytorch", "PyTorch", "torch", True),
    *_torch("pytorch-layers", "PyTorch", "torch", False),
    *_torch("spikingjelly", "SpikingJelly", "spikingjelly", True),
    *_torch("spikingjelly-layers", "SpikingJelly", "spikingjelly", False),
    *_torch("sinabs", "sinabs", "sinabs", False),
    *_torch("snntorch", "snnTorch", "snntorch", True),
    *_torch("norse", "Norse", "norse", True),
    Contender(
        "brian2",
        "Brian2, C++ standalone",
        "brian_peer.standalone",
        package="brian2",
        threads=1,
        images=4,
    ),
    Contender("nest", "NEST", "nest_peer.build", package="nest-simulator", threads=1, images=4),
)
