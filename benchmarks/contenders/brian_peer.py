"""Peer Brian2: C++ standalone, clock-driven, one thread, float32, every synapse listed.

The schedule takes one population after another within a step, so that a spike arrives in the step
that it was fired in, as in lockstep. Timed is Brian's own measure of its run loop: neither code
generation nor compilation, nor reading the synapses from disk.
"""

import tempfile

import brian2 as b2
import numpy as np
from brian2.devices.device import device

from benchmarks.common import STEPS, Workload
from benchmarks.contenders.contender import Run
from benchmarks.contenders.explicit import list_synapses

b2.prefs.core.default_float_dtype = np.float32
b2.prefs.devices.cpp_standalone.openmp_threads = 0


def standalone(workload: Workload) -> Run:
    """Build and compile the network once; a run gives the program each image's currents."""
    folder = tempfile.TemporaryDirectory(prefix="thresher-brian2-")
    b2.set_device("cpp_standalone", build_on_run=False)
    b2.defaultclock.dt = 1 * b2.ms
    explicit = list_synapses(workload)
    groups = [_population(rank, n, explicit.sizes) for rank, n in enumerate(explicit.sizes)]
    connected = []
    for item in explicit.synapses:
        joined = b2.Synapses(
            groups[item.source], groups[item.target], "w : 1 (constant)", on_pre="v_post += w"
        )
        joined.connect(i=item.pre, j=item.post)
        joined.w = item.weight
        joined.pre.when = f"deliver{item.source}"
        connected.append(joined)
    network = b2.Network(*groups, *connected)
    slots = [
        f"{slot}{rank}"
        for rank in range(len(groups))
        for slot in ("integrate", "compare", "deliver", "subtract")
    ]
    network.schedule = ["start", "groups", *slots, "end"]
    network.run(STEPS * b2.ms)
    device.build(directory=f"{folder.name}/project", run=False, compile=True)

    def run() -> tuple[float, int]:
        seconds, spikes = 0.0, 0
        for image in range(len(workload.images)):
            currents = {
                group.current: values[image]
                for group, values in zip(groups, explicit.currents, strict=True)
            }
            device.run(f"{folder.name}/project", with_output=False, run_args=currents)
            seconds += device._last_run_time
            spikes += sum(int(np.sum(group.count[:])) for group in groups[:-1])
        return seconds, spikes

    run()
    return run


def _population(rank: int, n: int, sizes: tuple[int, ...]) -> "b2.NeuronGroup":
    """Make a population of n neurons; the last one integrates and never fires."""
    model = "v : 1\ncurrent : 1\ncount : 1"
    if rank == len(sizes) - 1:
        group = b2.NeuronGroup(n, model)
    else:
        group = b2.NeuronGroup(n, model, threshold="v >= 1", reset="v -= 1\ncount += 1")
        group.thresholder["spike"].when = f"compare{rank}"
        group.resetter["spike"].when = f"subtract{rank}"
    group.run_regularly("v += current", when=f"integrate{rank}")
    return group
