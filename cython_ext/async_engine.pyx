"""The asynchronous schedule, compiled: work grows with spikes and synaptic operations.

Neurons are grouped into blocks (a position's channels). A block has a date in the calendar, a
tick before which none of its neurons can cross theta by its ramp, and each neuron a limit, which
its u must reach before it can fire ahead of that date; so an arrival costs an addition and a
comparison with the limit. When one is reached, or the date comes, the block is compared with theta
and gets a new date and limits. A near date leaves the limits high: after an arrival it is PACE
ticks off, and each look that no arrival came before doubles that, so that a quiet block costs next
to nothing. Dates and limits are lower bounds, so a look may find nothing; what fires is always
decided by v(k) = u + current * (k / R) >= theta itself. A neuron that only its constant current
drives is a block of its own, whose date is exact.
"""

import numpy as np

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from thresher.cython_ext.async_run cimport Neurons, Run, allocate, release
from thresher.cython_ext.calendar cimport (
    Bucket, Calendar, push, schedule, sort_blocks, take_out,
)
from thresher.cython_ext.dates cimport FAR, SLACK, any_reached, crossing, limit
from thresher.cython_ext.loops cimport (
    any_over_double, any_over_float, arrive_double, arrive_float, lowest_bit,
)
from thresher.cython_ext.measures cimport decide, record, saw_evidence
from thresher.cython_ext.types cimport (
    RUNS, Decision, Projection, int8_t, int16_t, int32_t, int64_t, real, uint8_t,
    uint64_t,
)
from thresher.cython_ext.wiring cimport Wiring, spike_columns

cdef int64_t PACE = 16      # ticks to a block's date after an arrival, at most


def run_async(
    Wiring wiring, real[::1] current, const real[::1] ramp, int64_t refractory, bint netted,
    int64_t ticks_per_step, int64_t t_start, double confidence, int64_t evidence,
    const int64_t[::1] input_ticks, const int32_t[::1] input_neurons,
    const int8_t[::1] input_signs, const uint8_t[::1] kept, const int64_t[::1] watch,
    const int32_t[::1] stop,
):
    """Run one sample; see `sim.contract` for what goes in and comes out.

    `ramp` holds k / R for k = 0..ticks; `evidence` is the tick from which the readout decides
    whatever arrives, -1 for none; a 1 in `stop`, set by another thread, ends the run early.
    Returns the fields of `SampleRun`, in its order.
    """
    cdef int64_t ticks = ramp.shape[0] - 1, n = wiring.n_neurons, i
    cdef int n_output = <int>(n - wiring.offsets[wiring.n_populations - 1])
    dtype = np.float64 if wiring.is_double else np.float32
    predictions = np.full(ticks // ticks_per_step, -1, np.int64)
    counts = np.zeros(wiring.n_populations, np.int64)
    potentials = np.zeros(n, dtype)
    watched = np.zeros((ticks if watch.shape[0] else 0, watch.shape[0]), dtype)
    cdef int64_t[::1] predictions_view = predictions, counts_view = counts
    cdef real[::1] potentials_view = potentials
    cdef real[:, ::1] watched_view = watched
    cdef Run run
    memset(&run, 0, sizeof(Run))
    run.last, run.refractory, run.netted = ticks, refractory, netted
    run.kept, run.counts = &kept[0], &counts_view[0]
    run.decision = Decision(
        ticks_per_step, t_start * ticks_per_step, confidence, -1, evidence, -1, -1
    )
    try:
        with nogil:
            allocate(wiring, &run, n_output)
            if not run.failed:
                simulate(
                    wiring, &run, &current[0], &ramp[0], &stop[0], input_ticks, input_neurons,
                    input_signs, &predictions_view[0], &potentials_view[0], watch, watched_view,
                )
        if run.failed:
            raise MemoryError("the asynchronous engine ran out of memory")
        return (
            predictions, run.decision.first_evidence, run.decision.settled,
            run.decision.confident, counts, run.operations, run.events, run.peak, potentials,
            *spike_columns(&run.spikes), watched,
        )
    finally:
        release(wiring, &run)


cdef void simulate(
    Wiring wiring, Run* run, real* current, const real* ramp, const int32_t* stop,
    const int64_t[::1] input_ticks, const int32_t[::1] input_neurons,
    const int8_t[::1] input_signs, int64_t* predictions, real* potentials,
    const int64_t[::1] watch, real[:, ::1] watched,
) noexcept nogil:
    cdef int64_t n = wiring.n_neurons, i, tick, entry = 0, n_input = input_ticks.shape[0]
    cdef int p, output = wiring.n_populations - 1
    cdef Neurons neurons
    cdef Bucket* bucket
    neurons.u = malloc(n * sizeof(real))
    neurons.inverse = malloc(n * sizeof(real))
    neurons.limit = malloc(n * sizeof(real))
    neurons.allowed = <int32_t*>malloc(n * sizeof(int32_t))
    neurons.slack = <double*>calloc(run.first_block[output + 1], sizeof(double))
    neurons.current, neurons.theta = current, wiring.theta
    cdef int64_t n_output = n - wiring.offsets[output]
    cdef double* values = <double*>calloc(3 * n_output, sizeof(double))
    if not (
        neurons.u and neurons.inverse and neurons.limit and neurons.allowed and neurons.slack
        and values
    ):
        run.failed = True
    else:
        start(wiring, run, &neurons, current, run.decision.ticks_per_step)
        for tick in range(1, run.last + 1):
            run.tick = tick
            while entry < n_input and input_ticks[entry] == tick:
                emit(wiring, run, 0, input_neurons[entry], input_signs[entry])
                entry += 1
            for p in range(wiring.n_populations):
                bucket = &run.buckets[(tick & (run.slots - 1)) * wiring.n_populations + p]
                if run.netted:
                    barrier(wiring, run, &neurons, bucket, p, current, ramp)
                else:
                    look_at_due(wiring, run, &neurons, p, current, ramp)
                    for i in range(bucket.n):
                        arrive(wiring, run, &neurons, bucket.spike[i], p, current, ramp, True)
                run.pending -= bucket.n
                bucket.n = 0
            observe(wiring, run, &neurons, values, current, ramp)
            if tick % run.decision.ticks_per_step == 0:
                predictions[tick // run.decision.ticks_per_step - 1] = run.decision.chosen
            for i in range(watch.shape[0]):
                watched[tick - 1, i] = (
                    (<real*>neurons.u)[watch[i]] + current[watch[i]] * ramp[tick]
                )
            if run.failed or stop[0]:
                break
        for i in range(n):
            potentials[i] = (<real*>neurons.u)[i] + current[i] * ramp[run.last]
    free(neurons.u)
    free(neurons.inverse)
    free(neurons.limit)
    free(neurons.allowed)
    free(neurons.slack)
    free(values)


cdef void start(
    Wiring wiring, Run* run, Neurons* neurons, real* current, int64_t ticks_per_step
) noexcept nogil:
    """Set every neuron to its initial potential, and every block due at the first tick."""
    cdef real* u = <real*>neurons.u
    cdef real* inverse = <real*>neurons.inverse
    cdef const real* theta = <const real*>wiring.theta
    cdef const real* v_init = <const real*>wiring.v_init
    cdef int64_t i, block, first, end
    cdef double rise, slowest
    cdef int p
    for i in range(wiring.n_neurons):
        u[i] = v_init[i]
        neurons.allowed[i] = 1
        (<real*>neurons.limit)[i] = <real>FAR
        inverse[i] = <real>FAR
        if current[i] > 0 and ticks_per_step / <double>current[i] < FAR:
            inverse[i] = <real>(ticks_per_step / <double>current[i])
    for p in range(wiring.n_populations):
        if not wiring.fires[p] or wiring.driven[p]:
            continue
        for block in range(run.first_block[p], run.first_block[p + 1]):
            first = wiring.offsets[p] + (block - run.first_block[p]) * wiring.block[p]
            end = min(first + wiring.block[p], wiring.offsets[p + 1])
            slowest = 0.0
            for i in range(first, end):
                rise = <double>theta[i] * inverse[i]
                if current[i] > 0 and rise > slowest:
                    slowest = rise
            neurons.slack[block] = SLACK * (slowest + run.last) + 1.0
            run.pace[block] = <int32_t>PACE
            schedule(&run.calendar, <int32_t>block, p, 0, 1)


cdef void look_at_due(
    Wiring wiring, Run* run, Neurons* neurons, int p, real* current, const real* ramp
) noexcept nogil:
    """Ramp phase: look at the blocks that are due, in index order."""
    cdef int64_t i
    gather_due(run, p)
    if run.n_looked:
        sort_blocks(run.looked, run.n_looked)
        for i in range(run.n_looked):
            look(wiring, run, neurons, run.looked[i], p, current, ramp)


cdef inline void gather_due(Run* run, int p) noexcept nogil:
    cdef Calendar* calendar = &run.calendar
    cdef int32_t* head = &calendar.head[
        (run.tick & calendar.mask) * calendar.n_populations + p
    ]
    run.n_looked = 0
    while head[0] >= 0:
        run.looked[run.n_looked] = head[0]
        run.n_looked += 1
        take_out(calendar, head[0], p)


cdef void barrier(
    Wiring wiring, Run* run, Neurons* neurons, Bucket* bucket, int p, real* current,
    const real* ramp,
) noexcept nogil:
    """Netted arrivals: add all that is due, then compare the blocks that are due or touched."""
    cdef int64_t i
    cdef int32_t block
    gather_due(run, p)
    for i in range(run.n_looked):
        run.touched[run.looked[i]] = True
    for i in range(bucket.n):
        arrive(wiring, run, neurons, bucket.spike[i], p, current, ramp, False)
    sort_blocks(run.looked, run.n_looked)
    for i in range(run.n_looked):
        block = run.looked[i]
        run.touched[block] = False
        if run.calendar.due[block]:
            take_out(&run.calendar, block, p)
        look(wiring, run, neurons, block, p, current, ramp)


cdef void look(
    Wiring wiring, Run* run, Neurons* neurons, int32_t block, int p, real* current,
    const real* ramp,
) noexcept nogil:
    """Fire the neurons of a block that are over theta, and find its next date."""
    cdef int64_t first = wiring.offsets[p] + (block - run.first_block[p]) * wiring.block[p]
    cdef int64_t end = min(first + wiring.block[p], wiring.offsets[p + 1])
    run.events += 1
    if wiring.in_first[p] == wiring.in_first[p + 1]:
        look_at_one(wiring, run, neurons, block, first, p, current, ramp)
        return
    fire(wiring, run, neurons, first, end, p, current, ramp)
    run.pace[block] = <int32_t>min(2 * <int64_t>run.pace[block], run.last)
    plan(wiring, run, neurons, block, first, end, p, current, ramp)


cdef void look_at_one(
    Wiring wiring, Run* run, Neurons* neurons, int32_t block, int64_t i, int p, real* current,
    const real* ramp,
) noexcept nogil:
    """Look at a neuron that is a block of its own; its next date is exact."""
    cdef real* u = <real*>neurons.u
    cdef real theta = (<const real*>neurons.theta)[i], now = ramp[run.tick]
    cdef int64_t due, guess
    if u[i] + current[i] * now >= theta and neurons.allowed[i] <= run.tick:
        reset_and_emit(wiring, run, neurons, i, p, current, now)
    due = max(<int64_t>neurons.allowed[i], run.tick + 1)
    if due <= run.last and not u[i] + current[i] * ramp[due] >= theta:
        if not current[i] > 0:
            return
        guess = run.last
        if (theta - u[i]) * (<real*>neurons.inverse)[i] < run.last:
            guess = <int64_t>((theta - u[i]) * (<real*>neurons.inverse)[i])
        guess = min(max(guess, due + 1), run.last)
        while guess > due + 1 and u[i] + current[i] * ramp[guess - 1] >= theta:
            guess -= 1
        while guess <= run.last and not u[i] + current[i] * ramp[guess] >= theta:
            guess += 1
        due = guess
    if due <= run.last:
        schedule(&run.calendar, block, p, run.tick, due)


cdef void fire(
    Wiring wiring, Run* run, Neurons* neurons, int64_t first, int64_t end, int p, real* current,
    const real* ramp,
) noexcept nogil:
    """Fire the neurons first..end that are over theta and not refractory, in index order."""
    cdef real* u = <real*>neurons.u
    cdef const real* theta = <const real*>neurons.theta
    cdef real now = ramp[run.tick]
    cdef int64_t i
    cdef int over
    if real is float:
        over = any_over_float(&u[first], &current[first], now, &theta[first], end - first)
    else:
        over = any_over_double(&u[first], &current[first], now, &theta[first], end - first)
    if not over:
        return
    for i in range(first, end):
        if u[i] + current[i] * now >= theta[i] and neurons.allowed[i] <= run.tick:
            reset_and_emit(wiring, run, neurons, i, p, current, now)


cdef inline void reset_and_emit(
    Wiring wiring, Run* run, Neurons* neurons, int64_t i, int p, real* current, real now
) noexcept nogil:
    cdef real* u = <real*>neurons.u
    if wiring.hard[p]:
        u[i] = <real>wiring.v_reset[p] - current[i] * now
    else:
        u[i] -= (<const real*>neurons.theta)[i]
    neurons.allowed[i] = <int32_t>min(run.tick + 1 + run.refractory, run.last + 1)
    emit(wiring, run, p, <int32_t>(i - wiring.offsets[p]), 1)


cdef void plan(
    Wiring wiring, Run* run, Neurons* neurons, int32_t block, int64_t first, int64_t end, int p,
    real* current, const real* ramp,
) noexcept nogil:
    """Give a block its next date, and its neurons the limits that hold until then."""
    cdef int64_t due = run.last + 1, soonest
    if run.netted:
        due = crossing(run, neurons, block, first, end, current, ramp)
    else:
        due = min(run.tick + run.pace[block], run.last + 1)
        if limit(run, neurons, first, end, due, current, ramp):
            soonest = crossing(run, neurons, block, first, end, current, ramp)
            if soonest < due:
                due = soonest
                limit(run, neurons, first, end, due, current, ramp)
    if due <= run.last:
        schedule(&run.calendar, block, p, run.tick, due)
    elif run.calendar.due[block]:
        take_out(&run.calendar, block, p)


cdef void emit(Wiring wiring, Run* run, int p, int32_t neuron, int sign) noexcept nogil:
    """Count a spike, record it, and send it along the population's projections."""
    cdef int32_t entry, number
    cdef int64_t arrival
    cdef Bucket* bucket
    run.counts[p] += 1
    if run.kept[p] and not record(&run.spikes, run.tick, p, neuron, sign):
        run.failed = True
    if p == wiring.n_populations - 1:
        run.output_counts[neuron] += sign
        saw_evidence(&run.decision, run.tick)
    for entry in range(wiring.out_first[p], wiring.out_first[p + 1]):
        number = wiring.out_list[entry]
        arrival = run.tick + wiring.projections[number].delay
        if arrival > run.last:
            continue
        bucket = &run.buckets[
            (arrival & (run.slots - 1)) * wiring.n_populations + wiring.projections[number].target
        ]
        if not push(bucket, (<int64_t>number << 32) | (<int64_t>neuron << 1) | (sign < 0)):
            run.failed = True
            return
        run.pending += 1
        run.peak = max(run.peak, run.pending)


cdef void arrive(
    Wiring wiring, Run* run, Neurons* neurons, int64_t spike, int p, real* current,
    const real* ramp, bint compare,
) noexcept nogil:
    """Deliver one spike: add its potentials; where `compare`, fire what it lifts over theta."""
    cdef Projection* projection = &wiring.projections[spike >> 32]
    cdef int32_t neuron = (<int32_t>spike) >> 1
    cdef real sign = <real>(-1.0 if spike & 1 else 1.0)
    cdef int64_t before = run.operations
    run.events += 1
    if projection.kind == RUNS:
        if projection.position[neuron] >= 0:
            arrive_along_runs(
                wiring, run, neurons, projection, neuron, sign, p, current, ramp, compare
            )
    else:
        arrive_one_by_one(
            wiring, run, neurons, projection, neuron, sign, p, current, ramp, compare
        )
    if run.operations > before and p == wiring.n_populations - 1 and not wiring.fires[p]:
        saw_evidence(&run.decision, run.tick)


cdef void arrive_along_runs(
    Wiring wiring, Run* run, Neurons* neurons, Projection* projection, int32_t neuron, real sign,
    int p, real* current, const real* ramp, bint compare,
) noexcept nogil:
    cdef int32_t position = projection.position[neuron], channel = projection.channel[neuron]
    cdef int64_t length = projection.length, per_tap = projection.channels * length
    cdef int64_t base = wiring.offsets[p] + channel // projection.per_group * length
    cdef const real* weights = <const real*>projection.weights + channel * length
    cdef real* u = &(<real*>neurons.u)[base]
    cdef real* limit = &(<real*>neurons.limit)[base]
    cdef int32_t entry = projection.runs[position], end = projection.runs[position + 1], run_
    cdef uint64_t reached
    cdef int n
    run.operations += length * (end - entry)
    while entry < end:
        n = min(64, end - entry)
        if real is float:
            reached = arrive_float(
                u, limit, weights, &projection.start[entry], &projection.tap[entry], per_tap,
                length, sign, n,
            )
        else:
            reached = arrive_double(
                u, limit, weights, &projection.start[entry], &projection.tap[entry], per_tap,
                length, sign, n,
            )
        if compare:
            while reached:
                run_ = entry + lowest_bit(reached)
                reached &= reached - 1
                compare_run(
                    wiring, run, neurons, base + projection.start[run_], length, p, current, ramp
                )
        elif wiring.fires[p]:
            for run_ in range(entry, entry + n):
                touch_run(wiring, run, base + projection.start[run_], length, p)
        entry += n


cdef void arrive_one_by_one(
    Wiring wiring, Run* run, Neurons* neurons, Projection* projection, int32_t neuron, real sign,
    int p, real* current, const real* ramp, bint compare,
) noexcept nogil:
    cdef const real* weights = <const real*>projection.weights
    cdef real* u = <real*>neurons.u
    cdef real* limit = <real*>neurons.limit
    cdef int64_t base = wiring.offsets[p], synapse, target
    cdef int64_t first = projection.indptr[neuron], end = projection.indptr[neuron + 1]
    run.operations += end - first
    for synapse in range(first, end):
        u[base + projection.indices[synapse]] += sign * weights[synapse]
    if not wiring.fires[p]:
        return
    for synapse in range(first, end):
        target = base + projection.indices[synapse]
        if not compare:
            touch(run, <int32_t>run.first_block[p] + wiring.block_of[target])
        elif u[target] >= limit[target]:
            compare_run(wiring, run, neurons, target, 1, p, current, ramp)


cdef void compare_run(
    Wiring wiring, Run* run, Neurons* neurons, int64_t first, int64_t n, int p, real* current,
    const real* ramp,
) noexcept nogil:
    """Fire what is over theta among neighbouring neurons that reached limits, block by block."""
    cdef int64_t size = wiring.block[p], begin, end, stop = first + n
    cdef int32_t block
    while first < stop:
        begin = wiring.offsets[p] + wiring.block_of[first] * size
        end = min(stop, begin + size)
        if any_reached(
            &(<real*>neurons.u)[first], &(<real*>neurons.limit)[first], end - first
        ):
            block = <int32_t>run.first_block[p] + wiring.block_of[first]
            fire(wiring, run, neurons, first, end, p, current, ramp)
            run.pace[block] = <int32_t>PACE
            plan(
                wiring, run, neurons, block, begin, min(begin + size, wiring.offsets[p + 1]), p,
                current, ramp,
            )
        first = end


cdef void touch_run(Wiring wiring, Run* run, int64_t first, int64_t n, int p) noexcept nogil:
    cdef int32_t block
    for block in range(wiring.block_of[first], wiring.block_of[first + n - 1] + 1):
        touch(run, <int32_t>run.first_block[p] + block)


cdef inline void touch(Run* run, int32_t block) noexcept nogil:
    """Remember a block for the comparison that follows the arrivals of this tick."""
    if not run.touched[block]:
        run.touched[block] = True
        run.looked[run.n_looked] = block
        run.n_looked += 1


cdef void observe(
    Wiring wiring, Run* run, Neurons* neurons, double* values, real* current, const real* ramp
) noexcept nogil:
    """Let the decision see the output after everything that happened at this tick."""
    cdef int output = wiring.n_populations - 1
    cdef int64_t offset = wiring.offsets[output], i
    cdef int n = <int>(wiring.n_neurons - offset)
    cdef real* u = <real*>neurons.u
    cdef double* base = values + n
    cdef double* weight = values + 2 * n
    for i in range(n):
        if wiring.fires[output]:
            weight[i] = (<const real*>wiring.theta)[offset + i]
            values[i] = run.output_counts[i]
        else:
            values[i] = u[offset + i] + current[offset + i] * ramp[run.tick]
    if run.tick == run.decision.start:
        for i in range(n):
            base[i] = values[i]
    for i in range(n):
        values[i] -= base[i]
    decide(
        &run.decision, run.tick, values, weight if wiring.fires[output] else NULL, n
    )
