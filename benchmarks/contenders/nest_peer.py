"""Peer NEST: one thread, float64, every synapse listed.

NEST has no integrate-and-fire neuron with soft reset. `mat2_psc_exp` without leak comes to the
same: its potential is never reset, its threshold rises by 1 with each spike and stays there. It
must rest one step of NEST's after a spike, and a spike takes two from a population to the next; so
two steps of NEST's make one of the workload, population k runs 2 k of them later, and everything
that a neuron receives, its constant current too (from a generator), comes in every other step. A
strong inhibition keeps a population from firing after its last step.
"""

import time

import nest
import numpy as np
from numpy.typing import NDArray

from benchmarks.common import STEPS, Workload
from benchmarks.contenders.contender import Run
from benchmarks.contenders.explicit import list_synapses

TAU_SYNAPSE = 0.01
"""Milliseconds, of NEST's steps of 1: a synaptic current is gone, to e^-100, within a step."""
PSP = 1.0 / TAU_SYNAPSE
"""Weight whose spike lifts the potential by 1 (capacitance 1 pF, no leak to speak of)."""
FOREVER = 1e12
NEURON = {
    "C_m": 1.0,
    "E_L": 0.0,
    "V_m": 0.0,
    "omega": 1.0,
    "alpha_1": 1.0,
    "alpha_2": 0.0,
    "tau_1": FOREVER,
    "tau_2": FOREVER / 2,
    "tau_m": FOREVER,
    "tau_syn_ex": TAU_SYNAPSE,
    "tau_syn_in": TAU_SYNAPSE,
    "t_ref": 1.0,
}


def build(workload: Workload) -> Run:
    """Build the network once; a run sets each image's currents and the neurons back."""
    nest.ResetKernel()
    nest.set_verbosity("M_ERROR")
    nest.SetKernelStatus({"resolution": 1.0, "local_num_threads": 1})
    explicit = list_synapses(workload)
    groups = [nest.Create("mat2_psc_exp", n, NEURON) for n in explicit.sizes]
    groups[-1].set({"omega": 1e9})  # the readout integrates and never fires
    for item in explicit.synapses:
        before = np.asarray(groups[item.source].tolist())[item.pre]
        after = np.asarray(groups[item.target].tolist())[item.post]
        _connect(before, after, item.weight)
    generators = [nest.Create("spike_generator") for _ in groups]
    stops = nest.Create("spike_generator", len(groups))
    feeds = []
    for rank, group in enumerate(groups):
        n = explicit.sizes[rank]
        after = np.asarray(group.tolist())
        _connect(np.repeat(generators[rank].tolist(), n), after, np.ones(n))
        _connect(np.repeat(stops[rank].tolist(), n), after, np.full(n, -1e9))
        feeds.append(nest.GetConnections(generators[rank], group))
    last = len(groups) - 1
    length = 2 * (STEPS + last) + 4

    def run() -> tuple[float, int]:
        seconds, spikes = 0.0, 0
        for image in range(len(workload.images)):
            now = nest.GetKernelStatus("biological_time")
            for rank, group in enumerate(groups):
                steps = now + 2.0 * np.arange(1, STEPS + 1) + 2 * rank
                generators[rank].set({"spike_times": steps})
                stops[rank].set({"spike_times": [steps[-1] + 1.0]})
                feeds[rank].set({"weight": PSP * explicit.currents[rank][image].astype(float)})
                group.set({"V_m": 0.0, "V_th_alpha_1": 0.0})
            nest.Prepare()
            started = time.perf_counter()
            nest.Run(float(length))
            seconds += time.perf_counter() - started
            nest.Cleanup()
            risen = [np.sum(group.get("V_th_alpha_1")) for group in groups[:-1]]
            spikes += round(float(sum(risen)))
        return seconds, spikes

    run()
    return run


def _connect(
    before: NDArray[np.int64], after: NDArray[np.int64], weight: NDArray[np.floating]
) -> None:
    """Connect neurons one by one; weights in units of the threshold, one step's delay."""
    synapse = {"weight": PSP * weight.astype(float), "delay": np.ones(len(weight))}
    nest.Connect(before, after, conn_spec="one_to_one", syn_spec=synapse)
