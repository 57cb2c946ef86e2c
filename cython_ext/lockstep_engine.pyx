"""The lockstep schedule, compiled: step by step, population by population in rank order."""

import numpy as np

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from thresher.cython_ext.calendar cimport Bucket, push
from thresher.cython_ext.loops cimport (
    add_run_double, add_run_float, fire_hard_double, fire_hard_float, fire_soft_double,
    fire_soft_float, gather_double, gather_float, lowest_bit,
)
from thresher.cython_ext.measures cimport decide, free_spikes, record, saw_evidence
from thresher.cython_ext.types cimport (
    RUNS, Decision, Projection, Spikes, int8_t, int16_t, int32_t, int64_t, real, uint8_t,
    uint64_t,
)
from thresher.cython_ext.wiring cimport Wiring, spike_columns


cdef struct Run:
    int64_t step
    int64_t slots             # steps whose spikes are kept: longest delay + 1
    Bucket* emitted           # slot * n_populations + population; neuron << 1 | sign is negative
    const uint8_t* kept       # population -> whether its spikes are recorded
    int64_t* counts           # population -> spikes
    void* input               # neuron of a population -> what one step brings it, real
    uint8_t* fired            # neuron of a population -> whether it fires; padded to eights
    int32_t* begin            # position -> first of the spikes that enter there; one more at the end
    int32_t* channel          # entering spike -> its channel
    uint8_t* negative         # entering spike -> whether its sign is negative
    double* values            # three per class: value, value at t_start, weight of a spike
    int64_t operations
    int64_t events
    int64_t peak
    bint failed               # memory ran out
    Spikes spikes
    Decision decision


def run_lockstep(
    Wiring wiring, real[::1] current, int64_t steps, int64_t t_start, double confidence,
    int64_t evidence, const int64_t[::1] input_ticks, const int32_t[::1] input_neurons,
    const int8_t[::1] input_signs, const uint8_t[::1] kept, const int64_t[::1] watch,
    const int32_t[::1] stop,
):
    """Run one sample; see `sim.contract` for what goes in and comes out.

    `evidence` is the step from which the readout decides whatever arrives, -1 for none; a 1 in
    `stop`, set by another thread, ends the run early. Returns the fields of `SampleRun`, in its
    order.
    """
    cdef int64_t n = wiring.n_neurons
    cdef int n_output = <int>(n - wiring.offsets[wiring.n_populations - 1])
    dtype = np.float64 if wiring.is_double else np.float32
    predictions = np.full(steps, -1, np.int64)
    counts = np.zeros(wiring.n_populations, np.int64)
    potentials = np.zeros(n, dtype)
    watched = np.zeros((steps if watch.shape[0] else 0, watch.shape[0]), dtype)
    cdef int64_t[::1] predictions_view = predictions, counts_view = counts
    cdef real[::1] v = potentials
    cdef real[:, ::1] watched_view = watched
    cdef int64_t i
    cdef Run run
    memset(&run, 0, sizeof(Run))
    run.slots = min(wiring.longest_delay, steps) + 1
    run.kept, run.counts = &kept[0], &counts_view[0]
    run.decision = Decision(1, t_start, confidence, -1, evidence, -1, -1)
    run.emitted = <Bucket*>calloc(run.slots * wiring.n_populations, sizeof(Bucket))
    run.values = <double*>calloc(3 * n_output, sizeof(double))
    run.input = malloc(wiring.largest * sizeof(real))
    run.fired = <uint8_t*>calloc(wiring.largest + 8, 1)
    run.begin = <int32_t*>calloc(wiring.most_positions + 2, sizeof(int32_t))
    run.channel = <int32_t*>malloc(wiring.largest * sizeof(int32_t))
    run.negative = <uint8_t*>malloc(wiring.largest)
    try:
        if not (
            run.emitted and run.values and run.input and run.fired and run.begin and run.channel
            and run.negative
        ):
            raise MemoryError
        with nogil:
            simulate(
                wiring, &run, &v[0], &current[0], steps, &stop[0], input_ticks, input_neurons,
                input_signs, &predictions_view[0], watch, watched_view,
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
        free(run.begin)
        free(run.channel)
        free(run.negative)
        free_spikes(&run.spikes)


cdef void simulate(
    Wiring wiring, Run* run, real* v, real* current, int64_t steps, const int32_t* stop,
    const int64_t[::1] input_ticks, const int32_t[::1] input_neurons,
    const int8_t[::1] input_signs, int64_t* predictions, const int64_t[::1] watch,
    real[:, ::1] watched,
) noexcept nogil:
    cdef const real* v_init = <const real*>wiring.v_init
    cdef int64_t i, step, entry = 0, n_input = input_ticks.shape[0], pending
    cdef int p
    for i in range(wiring.n_neurons):
        v[i] = v_init[i]
    for step in range(1, steps + 1):
        run.step = step
        pending = 0
        for p in range(wiring.n_populations):
            run.emitted[(step % run.slots) * wiring.n_populations + p].n = 0
            if wiring.driven[p]:
                while entry < n_input and input_ticks[entry] == step:
                    emit(wiring, run, p, input_neurons[entry], input_signs[entry])
                    entry += 1
            else:
                integrate(wiring, run, v, current, p)
            pending += run.emitted[(step % run.slots) * wiring.n_populations + p].n
        run.peak = max(run.peak, pending)
        observe(wiring, run, v)
        predictions[step - 1] = run.decision.chosen
        for i in range(watch.shape[0]):
            watched[step - 1, i] = v[watch[i]]
        if run.failed or stop[0]:
            return


cdef void integrate(Wiring wiring, Run* run, real* v, real* current, int p) noexcept nogil:
    """Sum the constant current and the potentials of every spike that is due; add it and fire."""
    cdef real* input = <real*>run.input
    cdef int64_t i, sent, offset = wiring.offsets[p], size = wiring.offsets[p + 1] - offset
    cdef int64_t before = run.operations
    cdef int32_t entry
    cdef Projection* projection
    cdef Bucket* bucket
    if wiring.in_first[p] == wiring.in_first[p + 1]:
        input = &current[offset]
    else:
        for i in range(size):
            input[i] = current[offset + i]
    for entry in range(wiring.in_first[p], wiring.in_first[p + 1]):
        projection = &wiring.projections[wiring.in_list[entry]]
        sent = run.step - projection.delay
        if sent < 1:
            continue
        bucket = &run.emitted[(sent % run.slots) * wiring.n_populations + projection.source]
        if projection.kind == RUNS:
            enter(run, projection, bucket)
            if projection.outputs and not wiring.driven[projection.source] and (
                8 * bucket.n > projection.positions
            ):
                gather(run, projection, input)
            else:
                spread(run, projection, input)
        else:
            deliver(run, projection, bucket, input)
        run.events += bucket.n
    if wiring.fires[p]:
        fire(wiring, run, &v[offset], input, size, p)
        return
    for i in range(size):
        v[offset + i] += input[i]
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
        run.operations += begin[i + 2] * projection.length * <int64_t>(
            projection.runs[i + 1] - projection.runs[i]
        )
        begin[i + 2] += begin[i + 1]
    for i in range(bucket.n):
        neuron = <int32_t>(bucket.spike[i] >> 1)
        position = projection.position[neuron]
        if position >= 0:
            place = begin[position + 1]
            begin[position + 1] += 1
            run.channel[place] = projection.channel[neuron]
            run.negative[place] = bucket.spike[i] & 1


cdef inline void gather(Run* run, Projection* projection, real* input) noexcept nogil:
    """Let every target position collect the spikes that reach it: its sums stay in registers."""
    if real is float:
        gather_float(
            input, <const float*>projection.weights, projection.channels, projection.length,
            projection.outputs, projection.reads, projection.read_position, projection.read_tap,
            run.begin, run.channel,
        )
    else:
        gather_double(
            input, <const double*>projection.weights, projection.channels, projection.length,
            projection.outputs, projection.reads, projection.read_position, projection.read_tap,
            run.begin, run.channel,
        )


cdef void spread(Run* run, Projection* projection, real* input) noexcept nogil:
    """Let every spike go to its targets, in the same order."""
    cdef const real* weights = <const real*>projection.weights
    cdef int64_t length = projection.length
    cdef int32_t position, k, entry, channel
    cdef real* target
    cdef const real* row
    cdef real sign
    for position in range(projection.positions):
        for k in range(run.begin[position], run.begin[position + 1]):
            channel = run.channel[k]
            sign = <real>(-1.0 if run.negative[k] else 1.0)
            target = input + channel // projection.per_group * length
            row = weights + channel * length
            for entry in range(projection.runs[position], projection.runs[position + 1]):
                add_run(
                    target + projection.start[entry],
                    row + projection.tap[entry] * projection.channels * length, sign, length,
                )


cdef inline void add_run(real* u, const real* weights, real sign, int64_t n) noexcept nogil:
    if real is float:
        add_run_float(u, weights, sign, n)
    else:
        add_run_double(u, weights, sign, n)


cdef void deliver(
    Run* run, Projection* projection, Bucket* bucket, real* input
) noexcept nogil:
    """Deliver the spikes of a projection whose synapses are listed one by one."""
    cdef const real* weights = <const real*>projection.weights
    cdef int64_t i, synapse
    cdef int32_t neuron
    cdef real sign
    for i in range(bucket.n):
        neuron = <int32_t>(bucket.spike[i] >> 1)
        sign = <real>(-1.0 if bucket.spike[i] & 1 else 1.0)
        for synapse in range(projection.indptr[neuron], projection.indptr[neuron + 1]):
            input[projection.indices[synapse]] += sign * weights[synapse]
        run.operations += projection.indptr[neuron + 1] - projection.indptr[neuron]


cdef void fire(
    Wiring wiring, Run* run, real* v, const real* input, int64_t n, int p
) noexcept nogil:
    """Add the input; fire each neuron at or over theta once, and reset it."""
    cdef const real* theta = &(<const real*>wiring.theta)[wiring.offsets[p]]
    cdef uint64_t eight
    cdef int64_t i
    cdef int bit
    if real is float:
        if wiring.hard[p]:
            fire_hard_float(v, input, theta, <float>wiring.v_reset[p], run.fired, n)
        else:
            fire_soft_float(v, input, theta, run.fired, n)
    else:
        if wiring.hard[p]:
            fire_hard_double(v, input, theta, wiring.v_reset[p], run.fired, n)
        else:
            fire_soft_double(v, input, theta, run.fired, n)
    memset(run.fired + n, 0, 8)
    for i in range(0, n, 8):
        memcpy(&eight, run.fired + i, 8)
        while eight:
            bit = lowest_bit(eight)
            emit(wiring, run, p, <int32_t>(i + bit // 8), 1)
            eight &= eight - 1


cdef void emit(Wiring wiring, Run* run, int p, int32_t neuron, int sign) noexcept nogil:
    """Count a spike, record it, and keep it for the projections that it goes along."""
    run.counts[p] += 1
    if run.kept[p] and not record(&run.spikes, run.step, p, neuron, sign):
        run.failed = True
    if p == wiring.n_populations - 1:
        run.values[neuron] += sign
        saw_evidence(&run.decision, run.step)
    if not push(
        &run.emitted[(run.step % run.slots) * wiring.n_populations + p],
        (<int64_t>neuron << 1) | (sign < 0),
    ):
        run.failed = True


cdef void observe(Wiring wiring, Run* run, real* v) noexcept nogil:
    """Let the decision see the output after this step."""
    cdef int output = wiring.n_populations - 1
    cdef int64_t offset = wiring.offsets[output], i
    cdef int n = <int>(wiring.n_neurons - offset)
    cdef double* base = run.values + n
    cdef double* weight = run.values + 2 * n
    if wiring.fires[output]:
        for i in range(n):
            weight[i] = (<const real*>wiring.theta)[offset + i]
    else:
        for i in range(n):
            run.values[i] = v[offset + i]
    if run.step == run.decision.start:
        for i in range(n):
            base[i] = run.values[i]
    for i in range(n):
        run.values[i] -= base[i]
    decide(
        &run.decision, run.step, run.values, weight if wiring.fires[output] else NULL, n
    )
    for i in range(n):
        run.values[i] += base[i]
