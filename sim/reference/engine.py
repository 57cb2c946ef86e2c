"""The reference engine as one of the engines."""

from thresher.sim.contract import ENGINES, Options, Run, SampleRun, Stimulus
from thresher.sim.network import Network
from thresher.sim.reference.asynchronous import AsyncRun
from thresher.sim.reference.lockstep import LockstepRun


class ReferenceEngine:
    """Run samples in pure Python and numpy; any neuron model, any precision."""

    def prepare(self, network: Network, options: Options) -> Run:
        kind = LockstepRun if options.schedule == "lockstep" else AsyncRun

        def run(stimulus: Stimulus) -> SampleRun:
            return kind(network, options, stimulus).run()

        return run


ENGINES.register("reference", ReferenceEngine())
