"""The lockstep schedule, compiled: step by step, population by population in rank order."""

import numpy as np

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from thresher.cython_ext.calendar cimport Bucket, push, reserve
from thresher.cython_ext.gather cimport GATHER, Gather
from thresher.cython_ext.layers cimport LAYERS, Layers
from thresher.cython_ext.measures cimport decide, free_spikes, record, saw_evidence, undecided
from thresher.cython_ext.types cimport (
    RUNS, Decision, Projection, Spikes, int8_t, int32_t, int64_t, lowest_bit, uint8_t, uint64_t,
)
from thresher.cython_ext.wiring cimport Wiring, address, spike_columns


cdef struct Run:
    int64_t step
    int64_t slots             # steps whose spikes are kept: longest delay + 1
    Bucket* emitted           # slot * n_populations + population; neuron << 1 | sign is negative
    const uint8_t* kept       # population -> whether its spikes are recorded
    int64_t* counts           # population -> spikes
    void* v                   # potentials
    const void* current       # per step
    const void* start         # initial potentials
    void* input               # neuron of a population -> what one step brings it
    const Layers* on          # what to do with them, in the run's precision
    int32_t* found            # neurons that fire in this step
    uint8_t* fired            # neuron of a population -> whether it fires; padded to eights
    int32_t* begin            # position -> first of the spikes that enter there; one more at the end
    int32_t* channel          # entering spike -> its channel
    int8_t* payload           # entering spike -> 1, or -1 where its sign is negative
    double* values            # two per class: value, value at t_start
    int64_t operations
    int64_t events
    int64_t peak
    bint failed               # memory ran out
    Spikes spikes
    Decision decision


def run_lockstep(
    Wiring wiring, current, start, int64_t steps, int64_t t_start, double confidence,
    int64_t evidence, const int64_t[::1] input_ticks, const int32_t[::1] input_neurons,
    const int8_t[::1] input_signs, const uint8_t[::1] kept, const int64_t[::1] watch,
    const int32_t[::1] stop,
):
    """Run one sample; see `sim.contract` for what goes in and comes out.

    `start` replaces the wiring's v_init unless it is None; `evidence` is the step from which the
    readout decides whatever arrives, -1 for none; a 1 in `stop`, set by another thread, ends the
    run early. Returns the fields of `SampleRun`, in its order.
    """
    cdef int64_t n = wiring.n_neurons
    cdef int n_output = <int>(n - wiring.offsets[wiring.n_populations - 1])
    predictions = np.full(steps, -1, np.int64)
    counts = np.zeros(wiring.n_populations, np.int64)
    potentials = np.zeros(n, current.dtype)
    watched = np.zeros((steps if watch.shape[0] else 0, watch.shape[0]), current.dtype)
    cdef int64_t[::1] predictions_view = predictions, counts_view = counts
    cdef void* watched_at = <void*>address(watched)
    cdef int64_t i
    cdef Run run
    memset(&run, 0, sizeof(Run))
    run.slots = min(wiring.longest_delay, steps) + 1
    run.kept, run.counts = &kept[0], &counts_view[0]
    run.decision = undecided(1, t_start, confidence, evidence)
    run.v, run.current = <void*>address(potentials), address(current)
    run.start = wiring.v_init if start is None else address(start)
    run.on = &LAYERS[wiring.precision]
    run.emitted = <Bucket*>calloc(run.slots * wiring.n_populations, sizeof(Bucket))
    run.values = <double*>calloc(2 * n_output, sizeof(double))
    run.input = malloc(wiring.largest * wiring.width)
    run.fired = <uint8_t*>calloc(wiring.largest + 8, 1)
    run.found = <int32_t*>malloc(wiring.largest * sizeof(int32_t))
    run.begin = <int32_t*>calloc(wiring.most_positions + 2, sizeof(int32_t))
    run.channel = <int32_t*>malloc(wiring.largest * sizeof(int32_t))
    run.payload = <int8_t*>malloc(wiring.largest)
    try:
        if not (
            run.emitted and run.values and run.input and run.fired and run.found and run.begin
            and run.channel and run.payload
        ):
            raise MemoryError
        with nogil:
            simulate(
                wiring, &run, steps, &stop[0], input_ticks, input_neurons, input_signs,
                &predictions_view[0], watch, watched_at,
            )
        if run.failed:
            raise MemoryError("the lockstep engine ran out of memory")
        return (
            predictions, run.decision.first_evidence, run.decision.settled,
            run.decision.confident, counts, run.operations, run.events, run.peak, potentials,
            *spike_columns(&run.spikes), watched,
        )
    finally:
        if run.emitted != NULL:
            for i in range(run.slots * wiring.n_populations):
                free(run.emitted[i].spike)
        free(run.emitted)
        free(run.values)
        free(run.input)
        free(run.fired)
        free(run.found)
        free(run.begin)
        free(run.channel)
        free(run.payload)
        free_spikes(&run.spikes)


cdef void simulate(
    Wiring wiring, Run* run, int64_t steps, const int32_t* stop, const int64_t[::1] input_ticks,
    const int32_t[::1] input_neurons, const int8_t[::1] input_signs, int64_t* predictions,
    const int64_t[::1] watch, void* watched,
) noexcept nogil:
    cdef int64_t i, step, entry = 0, n_input = input_ticks.shape[0], pending
    cdef int p
    run.on.begin(run.v, run.start, wiring.n_neurons)
    for step in range(1, steps + 1):
        run.step = step
        pending = 0
        for p in range(wiring.n_populations):
            emitted(wiring, run, step, p).n = 0
            if wiring.driven[p]:
                while entry < n_input and input_ticks[entry] == step:
                    emit(wiring, run, p, input_neurons[entry], input_signs[entry])
                    entry += 1
            else:
                integrate(wiring, run, p)
            pending += emitted(wiring, run, step, p).n
        run.peak = max(run.peak, pending)
        observe(wiring, run)
        predictions[step - 1] = run.decision.chosen
        for i in range(watch.shape[0]):
            run.on.store(run.v, watch[i], watched, (step - 1) * watch.shape[0] + i)
        if run.failed or stop[0]:
            return


cdef void integrate(Wiring wiring, Run* run, int p) noexcept nogil:
    """Sum the constant current and the potentials of every spike that is due; add it and fire."""
    cdef int64_t sent, offset = wiring.offsets[p], size = wiring.offsets[p + 1] - offset
    cdef int64_t before = run.operations
    cdef int32_t entry
    cdef Projection* projection
    cdef Bucket* bucket
    if wiring.in_first[p] == wiring.in_first[p + 1] and wiring.fires[p]:
        fire(wiring, run, <const uint8_t*>run.current + offset * wiring.width, p)
        return
    run.on.copy(run.input, run.current, offset, size)
    for entry in range(wiring.in_first[p], wiring.in_first[p + 1]):
        projection = &wiring.projections[wiring.in_list[entry]]
        sent = run.step - projection.delay
        if sent < 1:
            continue
        bucket = emitted(wiring, run, sent, projection.source)
        if projection.kind == RUNS:
            enter(run, projection, bucket)
            if projection.outputs and 8 * bucket.n > projection.positions:
                gather(wiring, run, projection)
            else:
                spread(run, projection)
        else:
            deliver(run, projection, bucket)
        run.events += bucket.n
    if wiring.fires[p]:
        fire(wiring, run, run.input, p)
        return
    run.on.integrate(run.v, offset, run.input, size)
    if run.operations > before and p == wiring.n_populations - 1:
        saw_evidence(&run.decision, run.step)


cdef void enter(Run* run, Projection* projection, Bucket* bucket) noexcept nogil:
    """Sort the spikes by the position at which they enter the kernel, stably; count operations."""
    cdef int32_t* begin = run.begin
    cdef int32_t neuron, position, place
    cdef int64_t i
    memset(begin, 0, (projection.positions + 2) * sizeof(int32_t))
    for i in range(bucket.n):
        position = projection.position[bucket.spike[i] >> 1]
        if position >= 0:
            begin[position + 2] += 1
    for i in range(projection.positions):
        run.operations += <int64_t>begin[i + 2] * projection.reach[i]
        begin[i + 2] += begin[i + 1]
    for i in range(bucket.n):
        neuron = <int32_t>(bucket.spike[i] >> 1)
        position = projection.position[neuron]
        if position >= 0:
            place = begin[position + 1]
            begin[position + 1] += 1
            run.channel[place] = projection.channel[neuron]
            run.payload[place] = -1 if bucket.spike[i] & 1 else 1


cdef inline void gather(Wiring wiring, Run* run, Projection* projection) noexcept nogil:
    """Let every target position collect the spikes that reach it: its sums stay in registers."""
    cdef Gather what = Gather(
        projection.weights, projection.taps, projection.length, projection.outputs,
        projection.reads, projection.read_position, projection.read_tap, run.begin, run.channel,
        NULL,
    )
    if wiring.driven[projection.source]:
        what.payload = run.payload
    GATHER[wiring.precision](run.input, &what)


cdef void spread(Run* run, Projection* projection) noexcept nogil:
    """Let every spike go to its targets, in the same order."""
    cdef int64_t base, row
    cdef int32_t position, k, first, channel
    for position in range(projection.positions):
        first = projection.runs[position]
        for k in range(run.begin[position], run.begin[position + 1]):
            channel = run.channel[k]
            base = <int64_t>(channel // projection.per_group) * projection.length
            row = <int64_t>channel * projection.taps * projection.length
            run.on.spread(
                run.input, base, projection.weights, row, projection.start + first,
                projection.weight + first, projection.extent + first,
                run.payload[k], projection.runs[position + 1] - first,
            )


cdef void deliver(Run* run, Projection* projection, Bucket* bucket) noexcept nogil:
    """Deliver the spikes of a projection whose synapses are listed one by one."""
    cdef int64_t i, first, end
    cdef int32_t neuron
    for i in range(bucket.n):
        neuron = <int32_t>(bucket.spike[i] >> 1)
        first, end = projection.indptr[neuron], projection.indptr[neuron + 1]
        run.on.deliver(
            run.input, projection.weights, projection.indices, first, end,
            -1 if bucket.spike[i] & 1 else 1,
        )
        run.operations += end - first


cdef void fire(Wiring wiring, Run* run, const void* input, int p) noexcept nogil:
    """Add the input; fire each neuron at or over theta once, and reset it."""
    cdef int64_t n = wiring.offsets[p + 1] - wiring.offsets[p], i, count = 0
    cdef Bucket* bucket = emitted(wiring, run, run.step, p)
    cdef uint64_t eight
    run.on.fire(
        run.v, wiring.offsets[p], input, wiring.theta, wiring.hard[p], wiring.v_reset[p],
        run.fired, n,
    )
    memset(run.fired + n, 0, 8)
    for i in range(0, n, 8):
        memcpy(&eight, run.fired + i, 8)
        while eight:
            run.found[count] = <int32_t>i + lowest_bit(eight) // 8
            count += 1
            eight &= eight - 1
    run.counts[p] += count
    if not reserve(bucket, count):
        run.failed = True
        return
    for i in range(count):
        bucket.spike[i] = <int64_t>run.found[i] << 1
    bucket.n = count
    if run.kept[p] or p == wiring.n_populations - 1:
        for i in range(count):
            note(wiring, run, p, run.found[i], 1)


cdef inline Bucket* emitted(Wiring wiring, Run* run, int64_t step, int p) noexcept nogil:
    return &run.emitted[(step % run.slots) * wiring.n_populations + p]


cdef void emit(Wiring wiring, Run* run, int p, int32_t neuron, int sign) noexcept nogil:
    """Count a spike of the encoder, and keep it for the projections that it goes along."""
    run.counts[p] += 1
    if not push(emitted(wiring, run, run.step, p), (<int64_t>neuron << 1) | (sign < 0)):
        run.failed = True
    note(wiring, run, p, neuron, sign)


cdef void note(Wiring wiring, Run* run, int p, int32_t neuron, int sign) noexcept nogil:
    """Record a spike, and let the decision see one of the output."""
    if run.kept[p] and not record(&run.spikes, run.step, p, neuron, sign):
        run.failed = True
    if p == wiring.n_populations - 1:
        run.values[neuron] += sign
        saw_evidence(&run.decision, run.step)


cdef void observe(Wiring wiring, Run* run) noexcept nogil:
    """Let the decision see the output after this step."""
    cdef int output = wiring.n_populations - 1
    cdef int64_t offset = wiring.offsets[output], i
    cdef int n = <int>(wiring.n_neurons - offset)
    cdef double* base = run.values + n
    if not wiring.fires[output]:
        for i in range(n):
            run.values[i] = run.on.value(run.v, offset + i)
    if run.step == run.decision.start:
        for i in range(n):
            base[i] = run.values[i]
    for i in range(n):
        run.values[i] -= base[i]
    decide(&run.decision, run.step, run.values, wiring.weight, wiring.scale, n)
    for i in range(n):
        run.values[i] += base[i]
