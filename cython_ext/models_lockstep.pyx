"""The lockstep schedule for every neuron model, compiled; `if` alone has a faster kernel."""

import numpy as np

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from thresher.cython_ext.calendar cimport Bucket, push
from thresher.cython_ext.gather cimport GATHER, Gather
from thresher.cython_ext.measures cimport saw_evidence, undecided
from thresher.cython_ext.models_run cimport (
    Core, allocate, count_in_windows, count_spike, is_waiting, neuron_of, observe, operate, packed,
    release, sign_of, store,
)
from thresher.cython_ext.neurons cimport DIFFERENTIAL, POOL, Arrival
from thresher.cython_ext.populations cimport Populations
from thresher.cython_ext.types cimport RUNS, Projection, int8_t, int32_t, int64_t, uint8_t
from thresher.cython_ext.wiring cimport Wiring, address, spike_columns


cdef struct Run:
    Core core
    int64_t slots             # steps whose spikes are kept: longest delay + 1
    int64_t last_due          # last step at which a spike arrives
    Bucket* emitted           # slot * n_populations + population; spikes as `packed` writes them
    void* sum                 # neuron of a population -> what one step brings it
    int32_t* begin            # position -> first of the spikes that enter there; one more at the end
    int32_t* channel          # entering spike, by position -> its channel
    int8_t* payload           # and its payload
    int32_t* found            # neurons that are to fire


def run_models_lockstep(
    Wiring wiring, Populations populations, current, int64_t steps, int64_t settle_limit,
    int64_t t_start, double confidence, int64_t evidence, const int64_t[::1] input_ticks,
    const int32_t[::1] input_neurons, const int8_t[::1] input_signs, const uint8_t[::1] kept,
    const int64_t[::1] watch, const int32_t[::1] stop,
):
    """Run one sample; see `sim.contract` for what goes in and comes out.

    Returns the fields of `SampleRun`, in its order.
    """
    predictions = np.full(steps + (settle_limit > 0), -1, np.int64)
    counts = np.zeros(wiring.n_populations, np.int64)
    potentials = np.zeros(wiring.n_neurons, current.dtype)
    watched = np.zeros((steps if watch.shape[0] else 0, watch.shape[0]), current.dtype)
    cdef int64_t[::1] predictions_view = predictions, counts_view = counts
    cdef void* potentials_at = <void*>address(potentials)
    cdef void* watched_at = <void*>address(watched)
    cdef int64_t i, quiescent = -1
    cdef Run run
    errors = []
    memset(&run, 0, sizeof(Run))
    run.core.errors = <void*>errors
    run.core.end, run.core.last = steps, steps + settle_limit
    run.core.kept, run.core.counts = &kept[0], &counts_view[0]
    run.core.decision = undecided(1, t_start, confidence, evidence)
    run.core.neurons.current, run.core.neurons.lockstep = <void*>address(current), True
    run.slots = min(wiring.longest_delay, run.core.last) + 1
    run.emitted = <Bucket*>calloc(run.slots * wiring.n_populations, sizeof(Bucket))
    run.sum = malloc(wiring.largest * wiring.width)
    run.begin = <int32_t*>calloc(wiring.most_positions + 2, sizeof(int32_t))
    run.channel = <int32_t*>malloc(wiring.largest * sizeof(int32_t))
    run.payload = <int8_t*>malloc(wiring.largest)
    run.found = <int32_t*>malloc((wiring.largest + 1) * sizeof(int32_t))
    try:
        if not (
            run.emitted and run.sum and run.begin and run.channel and run.payload and run.found
        ):
            raise MemoryError
        with nogil:
            allocate(wiring, populations, &run.core)
            if not run.core.failed:
                quiescent = simulate(
                    wiring, populations, &run, &stop[0], input_ticks, input_neurons, input_signs,
                    &predictions_view[0], watch, watched_at,
                )
                for i in range(wiring.n_neurons):
                    store(wiring, populations, &run.core, i, potentials_at, i)
        if errors:
            raise errors[0]
        if run.core.failed:
            raise MemoryError("the lockstep engine ran out of memory")
        return (
            predictions, run.core.decision.first_evidence, run.core.decision.settled,
            run.core.decision.confident, counts, run.core.operations, run.core.events,
            run.core.peak, potentials, *spike_columns(&run.core.spikes), watched, quiescent,
        )
    finally:
        if run.emitted != NULL:
            for i in range(run.slots * wiring.n_populations):
                free(run.emitted[i].spike)
        free(run.emitted)
        free(run.sum)
        free(run.begin)
        free(run.channel)
        free(run.payload)
        free(run.found)
        release(&run.core)


cdef int64_t simulate(
    Wiring wiring, Populations populations, Run* run, const int32_t* stop,
    const int64_t[::1] input_ticks, const int32_t[::1] input_neurons,
    const int8_t[::1] input_signs, int64_t* predictions, const int64_t[::1] watch, void* watched,
) noexcept nogil:
    """Return the step from which nothing is pending; -1 where none comes, or none is asked for."""
    cdef Core* core = &run.core
    cdef int64_t steps = core.end, step, entry = 0, n_input = input_ticks.shape[0], i
    cdef int p
    for step in range(1, core.last + 1):
        core.tick = step
        core.pending = 0
        for p in range(wiring.n_populations):
            run.emitted[(step % run.slots) * wiring.n_populations + p].n = 0
            if wiring.driven[p]:
                while entry < n_input and input_ticks[entry] == step:
                    emit(wiring, run, p, input_neurons[entry], input_signs[entry])
                    entry += 1
            else:
                integrate(wiring, populations, run, p)
        core.peak = max(core.peak, core.pending)
        observe(wiring, populations, core)
        if step <= steps:
            predictions[step - 1] = core.decision.chosen
            for i in range(watch.shape[0]):
                store(
                    wiring, populations, core, watch[i], watched, (step - 1) * watch.shape[0] + i
                )
        if core.last > steps:
            predictions[steps] = core.decision.chosen
            if step >= steps and run.last_due <= step and not is_waiting(
                wiring, populations, core, False
            ):
                return step
        if core.failed or stop[0]:
            break
    return -1


cdef void integrate(Wiring wiring, Populations populations, Run* run, int p) noexcept nogil:
    """Sum what comes in this step, the constant current first; add it and fire."""
    cdef Core* core = &run.core
    cdef int64_t first = wiring.offsets[p], end = wiring.offsets[p + 1], sent
    cdef int64_t before = core.operations
    cdef int32_t entry, number
    cdef Bucket* bucket
    if populations.of[p].operates:
        operate(wiring, populations, core, p)
        fire(wiring, populations, run, p)
        return
    core.on.open_step(&core.neurons, &populations.of[p], run.sum, first, end, core.tick)
    for entry in range(wiring.in_first[p], wiring.in_first[p + 1]):
        number = wiring.in_list[entry]
        sent = core.tick - wiring.projections[number].delay
        if sent < 1:
            continue
        bucket = &run.emitted[
            (sent % run.slots) * wiring.n_populations + wiring.projections[number].source
        ]
        receive(wiring, populations, run, number, bucket, sent)
        core.events += bucket.n
    core.on.close_step(&core.neurons, &populations.of[p], run.sum, first, end, core.tick)
    if not wiring.fires[p]:
        if core.operations > before and p == wiring.n_populations - 1:
            saw_evidence(&core.decision, core.tick)
        return
    fire(wiring, populations, run, p)


cdef void fire(Wiring wiring, Populations populations, Run* run, int p) noexcept nogil:
    """Fire the neurons of a population that are to, in index order."""
    cdef Core* core = &run.core
    cdef int64_t first = wiring.offsets[p], end = wiring.offsets[p + 1], n, k
    cdef int32_t i
    cdef int sign
    if core.failed:
        return
    n = core.on.firing(&core.neurons, &populations.of[p], first, end, core.tick, run.found)
    for k in range(n):
        i = run.found[k]
        sign = core.on.sign(&core.neurons, &populations.of[p], i, core.tick)
        core.on.reset(&core.neurons, &populations.of[p], i, sign, core.tick)
        emit(wiring, run, p, <int32_t>(i - first), sign)


cdef void receive(
    Wiring wiring, Populations populations, Run* run, int32_t number, Bucket* bucket, int64_t sent
) noexcept nogil:
    """Add what the spikes of one projection, sent in one step, bring, in the reference's order."""
    cdef Core* core = &run.core
    cdef Projection* projection = &wiring.projections[number]
    cdef bint differential = populations.of[projection.source].model == DIFFERENTIAL
    cdef int64_t begin = wiring.offsets[projection.target]
    cdef Arrival arrival
    cdef int64_t i, first
    cdef int32_t neuron
    if projection.kind == RUNS:
        enter(run, projection, bucket)
        if projection.outputs and not differential and 8 * bucket.n > projection.positions:
            gather(wiring, run, projection)
        else:
            spread(run, projection, sent, begin if differential else -1)
        return
    arrival.sent = sent
    for i in range(bucket.n):
        neuron = neuron_of(bucket.spike[i])
        arrival.sign = sign_of(bucket.spike[i])
        first = projection.indptr[neuron]
        core.operations += projection.indptr[neuron + 1] - first
        if populations.of[projection.target].model == POOL:
            count_in_windows(wiring, populations, core, number, neuron, arrival.sign)
            continue
        arrival.base, arrival.row, arrival.weights = 0, first, projection.weights
        core.on.add_listed(
            run.sum, &arrival, projection.indices + first, projection.indptr[neuron + 1] - first
        )
        if differential:
            core.on.hold_listed(
                &core.neurons, &arrival, begin, projection.indices + first,
                projection.indptr[neuron + 1] - first,
            )


cdef void enter(Run* run, Projection* projection, Bucket* bucket) noexcept nogil:
    """Sort the spikes by the position at which they enter the kernel, stably; count operations."""
    cdef int32_t* begin = run.begin
    cdef int32_t neuron, position, place
    cdef int64_t i
    memset(begin, 0, (projection.positions + 2) * sizeof(int32_t))
    for i in range(bucket.n):
        position = projection.position[neuron_of(bucket.spike[i])]
        if position >= 0:
            begin[position + 2] += 1
    for i in range(projection.positions):
        run.core.operations += <int64_t>begin[i + 2] * projection.reach[i]
        begin[i + 2] += begin[i + 1]
    for i in range(bucket.n):
        neuron = neuron_of(bucket.spike[i])
        position = projection.position[neuron]
        if position >= 0:
            place = begin[position + 1]
            begin[position + 1] += 1
            run.channel[place] = projection.channel[neuron]
            run.payload[place] = <int8_t>sign_of(bucket.spike[i])


cdef inline void gather(Wiring wiring, Run* run, Projection* projection) noexcept nogil:
    """Let every target position collect the spikes that reach it: its sums stay in registers."""
    cdef Gather what = Gather(
        projection.weights, projection.taps, projection.length, projection.outputs,
        projection.reads, projection.read_position, projection.read_tap, run.begin, run.channel,
        run.payload,
    )
    GATHER[wiring.precision](run.sum, &what)


cdef void spread(Run* run, Projection* projection, int64_t sent, int64_t held) noexcept nogil:
    """Let every spike go to its targets, in the same order.

    Those of differential neurons bring more to the currents of their targets, which begin at
    `held`; it is -1 for others.
    """
    cdef Core* core = &run.core
    cdef int32_t position, channel, first, k
    cdef Arrival arrival
    arrival.sent, arrival.weights = sent, projection.weights
    for position in range(projection.positions):
        first = projection.runs[position]
        arrival.start, arrival.weight = projection.start + first, projection.weight + first
        arrival.extent = projection.extent + first
        arrival.n = projection.runs[position + 1] - first
        for k in range(run.begin[position], run.begin[position + 1]):
            channel = run.channel[k]
            arrival.base = <int64_t>(channel // projection.per_group) * projection.length
            arrival.row = <int64_t>channel * projection.taps * projection.length
            arrival.sign = run.payload[k]
            core.on.add_runs(run.sum, &arrival)
            if held >= 0:
                core.on.hold_runs(&core.neurons, &arrival, held)


cdef void emit(Wiring wiring, Run* run, int p, int32_t neuron, int sign) noexcept nogil:
    """Count a spike, and keep it for the projections that it goes along."""
    cdef Core* core = &run.core
    cdef int32_t entry
    count_spike(wiring, core, p, neuron, sign)
    core.pending += 1
    for entry in range(wiring.out_first[p], wiring.out_first[p + 1]):
        run.last_due = max(
            run.last_due, core.tick + wiring.projections[wiring.out_list[entry]].delay
        )
    if not push(
        &run.emitted[(core.tick % run.slots) * wiring.n_populations + p],
        packed(0, neuron, sign),
    ):
        core.failed = True
