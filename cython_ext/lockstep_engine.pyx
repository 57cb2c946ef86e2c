"""The lockstep schedule, compiled: step by step, population by population in rank order."""

import numpy as np

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from thresher.cython_ext.calendar cimport Bucket, push
from thresher.cython_ext.measures cimport decide, free_spikes, record, saw_evidence
from thresher.cython_ext.types cimport (
    RUNS, Decision, Projection, Spikes, int8_t, int16_t, int32_t, int64_t, real, uint8_t,
)
from thresher.cython_ext.wiring cimport Wiring, spike_columns


cdef struct Run:
    int64_t step
    int64_t slots             # steps whose spikes are kept: longest delay + 1
    Bucket* emitted           # slot * n_populations + population; neuron << 1 | sign is negative
    const uint8_t* kept       # population -> whether its spikes are recorded
    int64_t* counts           # population -> spikes
    void* input               # neuron -> what one step brings it, real
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
    run.input = malloc(n * sizeof(real))
    try:
        if not (run.emitted and run.values and run.input):
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
                if wiring.fires[p]:
                    fire(wiring, run, v, p)
            pending += run.emitted[(step % run.slots) * wiring.n_populations + p].n
        run.peak = max(run.peak, pending)
        observe(wiring, run, v)
        predictions[step - 1] = run.decision.chosen
        for i in range(watch.shape[0]):
            watched[step - 1, i] = v[watch[i]]
        if run.failed or stop[0]:
            return


cdef void integrate(Wiring wiring, Run* run, real* v, real* current, int p) noexcept nogil:
    """Sum the constant current and the potentials of every spike that is due, and add it."""
    cdef real* input = <real*>run.input
    cdef int64_t i, sent, offset = wiring.offsets[p], size = wiring.offsets[p + 1] - offset
    cdef int32_t entry
    cdef int64_t before = run.operations
    cdef Projection* projection
    cdef Bucket* bucket
    for i in range(size):
        input[i] = current[offset + i]
    for entry in range(wiring.in_first[p], wiring.in_first[p + 1]):
        projection = &wiring.projections[wiring.in_list[entry]]
        sent = run.step - projection.delay
        if sent < 1:
            continue
        bucket = &run.emitted[(sent % run.slots) * wiring.n_populations + projection.source]
        for i in range(bucket.n):
            deliver(projection, bucket.spike[i], input, &run.operations)
        run.events += bucket.n
    for i in range(size):
        v[offset + i] += input[i]
    if run.operations > before and p == wiring.n_populations - 1 and not wiring.fires[p]:
        saw_evidence(&run.decision, run.step)


cdef inline void deliver(
    Projection* projection, int64_t spike, real* input, int64_t* operations
) noexcept nogil:
    """Add one spike's potentials to the input of the target population's neurons."""
    cdef int32_t neuron = <int32_t>(spike >> 1), row, channel, entry
    cdef real sign = <real>(-1.0 if spike & 1 else 1.0)
    cdef const real* weights = <const real*>projection.weights
    cdef const real* run_weights
    cdef real* target
    cdef int64_t length = projection.length, synapse, i
    if projection.kind == RUNS:
        row = projection.rows[neuron]
        if row < 0:
            return
        channel = row % projection.channels
        row //= projection.channels
        input += channel // projection.per_group * length
        weights += channel * length
        for entry in range(projection.runs[row], projection.runs[row + 1]):
            target = input + projection.start[entry]
            run_weights = weights + projection.tap[entry] * projection.channels * length
            for i in range(length):
                target[i] += sign * run_weights[i]
        operations[0] += length * (projection.runs[row + 1] - projection.runs[row])
    else:
        for synapse in range(projection.indptr[neuron], projection.indptr[neuron + 1]):
            input[projection.indices[synapse]] += sign * weights[synapse]
        operations[0] += projection.indptr[neuron + 1] - projection.indptr[neuron]


cdef void fire(Wiring wiring, Run* run, real* v, int p) noexcept nogil:
    """Fire each neuron at or over theta once, and reset it."""
    cdef const real* theta = <const real*>wiring.theta
    cdef int64_t i, offset = wiring.offsets[p]
    for i in range(offset, wiring.offsets[p + 1]):
        if v[i] >= theta[i]:
            if wiring.hard[p]:
                v[i] = <real>wiring.v_reset[p]
            else:
                v[i] -= theta[i]
            emit(wiring, run, p, <int32_t>(i - offset), 1)


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
