"""The asynchronous schedule, compiled: work grows with spikes and synaptic operations.

Neurons are grouped into blocks (a position's channels). A block has a date in the calendar, a
tick before which none of its neurons can cross theta by its ramp, and each neuron a limit, which
its u must reach before it can fire ahead of that date; so an arrival costs an addition and a
comparison with the limit. When one is reached, or the date comes, the block is compared with theta
and gets a new date and limits. A near date leaves the limits high: after an arrival it is `pace`
ticks off, and each look that no arrival came before doubles that, so that a quiet block costs next
to nothing. Dates and limits are lower bounds, so a look may find nothing; what fires is always
decided by v(k) = u + current * (k / R) >= theta itself. A population that only its constant
currents drive has no blocks: its spikes are made ahead.
"""

import numpy as np

from libc.string cimport memset

from thresher.cython_ext.async_run cimport Run, allocate, is_self_driven, open_trains, release
from thresher.cython_ext.calendar cimport Bucket, Calendar, push, schedule, sort_blocks, take_out
from thresher.cython_ext.cells cimport KEPT, OVER, REACHED
from thresher.cython_ext.dates cimport crossing
from thresher.cython_ext.measures cimport decide, margin, record, saw_evidence, undecided
from thresher.cython_ext.outlook cimport UNTOLD, quiet_ticks
from thresher.cython_ext.trains cimport Train, advance
from thresher.cython_ext.types cimport (
    SPARSE, Projection, int8_t, int32_t, int64_t, lowest_bit, uint8_t, uint64_t,
)
from thresher.cython_ext.wiring cimport Wiring, address, spike_columns

cdef int64_t PACES = 4     # looks at a block in a step, at most, where nothing arrives


def run_async(
    Wiring wiring, current, ramp, int64_t ticks, int64_t refractory, bint netted,
    int64_t ticks_per_step, int64_t t_start, double confidence, int64_t evidence,
    const int64_t[::1] input_ticks, const int32_t[::1] input_neurons,
    const int8_t[::1] input_signs, const uint8_t[::1] kept, const int64_t[::1] watch,
    const int32_t[::1] stop,
):
    """Run one sample; see `sim.contract` for what goes in and comes out.

    `ramp` holds k / R for k = 0..ticks, in floating point; `evidence` is the tick from which the
    readout decides whatever arrives, -1 for none; a 1 in `stop`, set by another thread, ends the
    run early. Returns the fields of `SampleRun`, in its order.
    """
    predictions = np.full(ticks // ticks_per_step, -1, np.int64)
    counts = np.zeros(wiring.n_populations, np.int64)
    potentials = np.zeros(wiring.n_neurons, current.dtype)
    watched = np.zeros((ticks if watch.shape[0] else 0, watch.shape[0]), current.dtype)
    cdef int64_t[::1] predictions_view = predictions, counts_view = counts
    cdef void* potentials_at = <void*>address(potentials)
    cdef void* watched_at = <void*>address(watched)
    cdef Run run
    memset(&run, 0, sizeof(Run))
    run.last, run.refractory, run.netted = ticks, refractory, netted
    run.pace = max(1, ticks_per_step // PACES)
    run.kept, run.counts = &kept[0], &counts_view[0]
    run.decision = undecided(ticks_per_step, t_start * ticks_per_step, confidence, evidence)
    run.cells.current, run.cells.ramp = address(current), address(ramp)
    run.cells.theta, run.cells.v_init = wiring.theta, wiring.v_init
    run.cells.ticks_per_step, run.cells.last = ticks_per_step, ticks
    try:
        with nogil:
            allocate(wiring, &run)
            if not run.failed:
                open_trains(wiring, &run, watch.shape[0] > 0)
            if not run.failed:
                simulate(
                    wiring, &run, &stop[0], input_ticks, input_neurons, input_signs,
                    &predictions_view[0], potentials_at, watch, watched_at,
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
    Wiring wiring, Run* run, const int32_t* stop, const int64_t[::1] input_ticks,
    const int32_t[::1] input_neurons, const int8_t[::1] input_signs, int64_t* predictions,
    void* potentials, const int64_t[::1] watch, void* watched,
) noexcept nogil:
    cdef int64_t per_step = run.decision.ticks_per_step
    cdef int64_t i, tick, entry = 0, n_input = input_ticks.shape[0]
    start(wiring, run)
    for tick in range(1, run.last + 1):
        run.tick = tick
        if tick > run.window_last:
            make_trains(wiring, run)
        while entry < n_input and input_ticks[entry] == tick:
            emit(wiring, run, 0, input_neurons[entry], input_signs[entry])
            entry += 1
        if (
            run.arriving[tick & (run.slots - 1)]
            or run.calendar.waiting[tick & run.calendar.mask]
        ):
            handle(wiring, run)
        if run.output.touched or tick > run.output.quiet or tick == run.decision.start:
            observe(wiring, run)
        for i in range(watch.shape[0]):
            run.on.store(&run.cells, watch[i], tick, watched, (tick - 1) * watch.shape[0] + i)
        if tick % per_step == 0:
            predictions[tick // per_step - 1] = run.decision.chosen
            if stop[0]:
                break
        if run.failed:
            break
    for i in range(wiring.n_neurons):
        run.on.store(&run.cells, i, run.last, potentials, i)


cdef void start(Wiring wiring, Run* run) noexcept nogil:
    """Set every neuron to its initial potential, and every block due at the first tick."""
    cdef int64_t block, i, output = wiring.offsets[wiring.n_populations - 1]
    cdef int p
    for i in range(run.output.n):
        run.output.rise[i] = run.on.rise(&run.cells, output + i)
    for p in range(wiring.n_populations):
        if not wiring.fires[p] or wiring.driven[p] or is_self_driven(wiring, p):
            continue
        for block in range(run.first_block[p], run.first_block[p + 1]):
            run.paces[block] = <int32_t>run.pace
            schedule(&run.calendar, <int32_t>block, p, 0, 1)


cdef void make_trains(Wiring wiring, Run* run) noexcept nogil:
    """Make the spikes of the next window of ticks, and note at which ticks there are some."""
    cdef int64_t ticks = min(run.window, run.last + 1 - run.tick), k
    cdef Train* train
    cdef int p
    run.window_first, run.window_last = run.tick, run.tick + ticks - 1
    for p in range(wiring.n_populations):
        train = &run.trains[p]
        if train.due == NULL:
            continue
        advance(
            train, run.on, &run.cells, run.tick, ticks, run.refractory, wiring.hard[p],
            wiring.v_reset[p],
        )
        for k in range(ticks):
            if train.begin[k + 1] > train.begin[k]:
                run.calendar.waiting[(run.tick + k) & run.calendar.mask] |= (
                    <uint64_t>1 << (p & 63)
                )


cdef void handle(Wiring wiring, Run* run) noexcept nogil:
    """Handle what is due at this tick, population by population in rank order."""
    cdef uint64_t* waiting = &run.calendar.waiting[run.tick & run.calendar.mask]
    cdef int64_t slot = run.tick & (run.slots - 1), i
    cdef Bucket* bucket
    cdef int p
    for p in range(wiring.n_populations):
        if not ((waiting[0] | run.arriving[slot]) >> (p & 63)) & 1:
            continue
        bucket = &run.buckets[slot * wiring.n_populations + p]
        if run.trains[p].due != NULL:
            fire_train(wiring, run, p)
        elif run.netted:
            barrier(wiring, run, bucket, p)
        else:
            look_at_due(wiring, run, p)
            for i in range(bucket.n):
                arrive(wiring, run, bucket.spike[i], p, True)
        run.pending -= bucket.n
        bucket.n = 0
    waiting[0] = 0
    run.arriving[slot] = 0


cdef void fire_train(Wiring wiring, Run* run, int p) noexcept nogil:
    """Emit the spikes that were made for this tick."""
    cdef Train* train = &run.trains[p]
    cdef int64_t k = run.tick - run.window_first, i
    for i in range(train.begin[k], train.begin[k + 1]):
        run.events += 1
        emit(wiring, run, p, train.spike[i], 1)


cdef void look_at_due(Wiring wiring, Run* run, int p) noexcept nogil:
    """Ramp phase: look at the blocks that are due, in index order."""
    cdef int64_t i
    gather_due(run, p)
    if run.n_looked:
        sort_blocks(run.looked, run.n_looked)
        for i in range(run.n_looked):
            look(wiring, run, run.looked[i], p)


cdef inline void gather_due(Run* run, int p) noexcept nogil:
    cdef Calendar* calendar = &run.calendar
    cdef int32_t* head = &calendar.head[
        (run.tick & calendar.mask) * calendar.n_populations + p
    ]
    cdef int32_t block = head[0]
    run.n_looked = 0
    while block >= 0:
        run.looked[run.n_looked] = block
        run.n_looked += 1
        calendar.due[block] = 0
        block = calendar.next[block]
    head[0] = -1


cdef void barrier(Wiring wiring, Run* run, Bucket* bucket, int p) noexcept nogil:
    """Netted arrivals: add all that is due, then compare the blocks that are due or touched."""
    cdef int64_t i
    cdef int32_t block
    gather_due(run, p)
    for i in range(run.n_looked):
        run.touched[run.looked[i]] = True
    for i in range(bucket.n):
        arrive(wiring, run, bucket.spike[i], p, False)
    sort_blocks(run.looked, run.n_looked)
    for i in range(run.n_looked):
        block = run.looked[i]
        run.touched[block] = False
        if run.calendar.due[block]:
            take_out(&run.calendar, block, p)
        look(wiring, run, block, p)


cdef void look(Wiring wiring, Run* run, int32_t block, int p) noexcept nogil:
    """Fire the neurons of a block that are over theta, and find its next date."""
    cdef int64_t first = wiring.offsets[p] + (block - run.first_block[p]) * wiring.block[p]
    cdef int64_t end = min(first + wiring.block[p], wiring.offsets[p + 1]), due
    cdef int state
    run.events += 1
    run.paces[block] = <int32_t>min(2 * <int64_t>run.paces[block], run.last)
    if run.netted:
        fire(wiring, run, first, end, p)
        date(run, block, p, crossing(run, first, end))
        return
    due = min(run.tick + run.paces[block], run.last + 1)
    state = run.on.survey(&run.cells, first, end, run.tick, due)
    if state & OVER and fire(wiring, run, first, end, p):
        plan(wiring, run, block, first, end, p)
    else:
        plan_by(run, block, first, end, p, due, state)


cdef int64_t fire(Wiring wiring, Run* run, int64_t first, int64_t end, int p) noexcept nogil:
    """Fire the neurons first..end that are over theta and not refractory, in index order."""
    cdef int64_t n = run.on.over(&run.cells, first, end, run.tick, run.found), i
    for i in range(n):
        run.on.reset(
            &run.cells, run.found[i], wiring.hard[p], wiring.v_reset[p], run.tick, run.refractory
        )
        emit(wiring, run, p, <int32_t>(run.found[i] - wiring.offsets[p]), 1)
    return n


cdef void plan(
    Wiring wiring, Run* run, int32_t block, int64_t first, int64_t end, int p
) noexcept nogil:
    """Give a block its next date, and its neurons the limits that hold until then."""
    cdef int64_t due = min(run.tick + run.paces[block], run.last + 1)
    plan_by(
        run, block, first, end, p, due, run.on.survey(&run.cells, first, end, run.tick, due)
    )


cdef void plan_by(
    Run* run, int32_t block, int64_t first, int64_t end, int p, int64_t due, int state
) noexcept nogil:
    """Keep the date `due`, for which limits were set, where no neuron may fire before it."""
    cdef int64_t soonest
    if state & REACHED:
        soonest = crossing(run, first, end)
        if soonest < due:
            due = soonest
            run.on.survey(&run.cells, first, end, run.tick, due)
    date(run, block, p, due)


cdef inline void date(Run* run, int32_t block, int p, int64_t due) noexcept nogil:
    if due <= run.last:
        schedule(&run.calendar, block, p, run.tick, due)
    elif run.calendar.due[block]:
        take_out(&run.calendar, block, p)


cdef void emit(Wiring wiring, Run* run, int p, int32_t neuron, int sign) noexcept nogil:
    """Count a spike, record it, and send it along the population's projections."""
    cdef int32_t entry, number
    cdef int64_t arrival, slot
    cdef Projection* projection
    run.counts[p] += 1
    if run.kept[p] and not record(&run.spikes, run.tick, p, neuron, sign):
        run.failed = True
    if p == wiring.n_populations - 1:
        run.output.value[neuron] += sign
        run.output.touched = True
        saw_evidence(&run.decision, run.tick)
    for entry in range(wiring.out_first[p], wiring.out_first[p + 1]):
        number = wiring.out_list[entry]
        projection = &wiring.projections[number]
        arrival = run.tick + projection.delay
        if arrival > run.last:
            continue
        slot = arrival & (run.slots - 1)
        run.arriving[slot] |= <uint64_t>1 << (projection.target & 63)
        if not push(
            &run.buckets[slot * wiring.n_populations + projection.target],
            (<int64_t>number << 32) | (<int64_t>neuron << 1) | (sign < 0),
        ):
            run.failed = True
            return
        run.pending += 1
        run.peak = max(run.peak, run.pending)


cdef void arrive(
    Wiring wiring, Run* run, int64_t spike, int p, bint compare
) noexcept nogil:
    """Deliver one spike: add its potentials; where `compare`, fire what it lifts over theta."""
    cdef Projection* projection = &wiring.projections[spike >> 32]
    cdef int32_t neuron = (<int32_t>spike) >> 1
    cdef int sign = -1 if spike & 1 else 1
    cdef int64_t before = run.operations
    run.events += 1
    if projection.kind == SPARSE:
        arrive_one_by_one(wiring, run, projection, neuron, sign, p, compare)
    elif projection.position[neuron] >= 0:
        arrive_along_runs(wiring, run, projection, neuron, sign, p, compare)
    if run.operations > before and p == wiring.n_populations - 1 and not wiring.fires[p]:
        run.output.touched = True
        saw_evidence(&run.decision, run.tick)


cdef void arrive_along_runs(
    Wiring wiring, Run* run, Projection* projection, int32_t neuron, int sign, int p, bint compare
) noexcept nogil:
    cdef int32_t position = projection.position[neuron], channel = projection.channel[neuron]
    cdef int64_t base = wiring.offsets[p] + channel // projection.per_group * projection.length
    cdef int64_t row = <int64_t>channel * projection.taps * projection.length
    cdef int32_t entry = projection.runs[position], end = projection.runs[position + 1], at
    cdef uint64_t reached
    cdef int n
    run.operations += projection.reach[position]
    while entry < end:
        n = min(64, end - entry)
        reached = run.on.arrive(
            &run.cells, base, projection.weights, row, projection.start + entry,
            projection.weight + entry, projection.extent + entry, sign, n,
        )
        if compare:
            while reached:
                at = entry + lowest_bit(reached)
                reached &= reached - 1
                compare_run(
                    wiring, run, base + projection.start[at], projection.extent[at], p
                )
        elif wiring.fires[p]:
            for at in range(entry, entry + n):
                touch_run(wiring, run, base + projection.start[at], projection.extent[at], p)
        entry += n


cdef void arrive_one_by_one(
    Wiring wiring, Run* run, Projection* projection, int32_t neuron, int sign, int p, bint compare
) noexcept nogil:
    cdef int64_t base = wiring.offsets[p], synapse, target
    cdef int64_t first = projection.indptr[neuron], end = projection.indptr[neuron + 1]
    run.operations += end - first
    run.on.add(&run.cells, base, projection.weights, projection.indices, first, end, sign)
    if not wiring.fires[p]:
        return
    for synapse in range(first, end):
        target = base + projection.indices[synapse]
        if compare:
            compare_run(wiring, run, target, 1, p)
        else:
            touch(run, <int32_t>run.first_block[p] + wiring.block_of[target])


cdef void compare_run(
    Wiring wiring, Run* run, int64_t first, int64_t n, int p
) noexcept nogil:
    """Fire what is over theta among neighbouring neurons that reached limits, block by block."""
    cdef int64_t size = wiring.block[p], begin, end, stop = first + n, fired, i
    cdef int64_t due = min(run.tick + run.pace, run.last + 1), kept
    cdef int32_t block
    cdef int state
    while first < stop:
        begin = wiring.offsets[p] + wiring.block_of[first] * size
        end = min(begin + size, wiring.offsets[p + 1])
        block = <int32_t>run.first_block[p] + wiring.block_of[first]
        kept = run.calendar.due[block] if run.calendar.due[block] else run.last + 1
        fired = run.on.compare(
            &run.cells, begin, end, first, min(stop, end), run.tick, kept, due, run.refractory,
            wiring.hard[p], wiring.v_reset[p], run.found, &state,
        )
        for i in range(fired):
            emit(wiring, run, p, <int32_t>(run.found[i] - wiring.offsets[p]), 1)
        if fired >= 0 and state != KEPT:
            run.paces[block] = <int32_t>run.pace
            plan_by(run, block, begin, end, p, due, state)
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


cdef void observe(Wiring wiring, Run* run) noexcept nogil:
    """Let the decision see the output after everything that happened at this tick."""
    cdef int64_t offset = wiring.offsets[wiring.n_populations - 1], quiet, i
    cdef bint fires = wiring.fires[wiring.n_populations - 1]
    cdef double* value = run.output.value
    cdef double* base = run.output.base
    if not fires:
        for i in range(run.output.n):
            value[i] = run.on.value(&run.cells, offset + i, run.tick)
    if run.tick == run.decision.start:
        for i in range(run.output.n):
            base[i] = value[i]
    for i in range(run.output.n):
        value[i] -= base[i]
    decide(&run.decision, run.tick, value, wiring.weight, wiring.scale, run.output.n)
    if not fires:
        quiet = quiet_ticks(
            &run.decision, run.tick, value, base, run.output.rise, wiring.scale[0],
            <double>run.last / run.decision.ticks_per_step, wiring.grain, run.output.n,
        )
    elif run.decision.confident < 0 and run.decision.first_evidence >= 0 and margin(
        &run.decision, run.tick, value, wiring.weight, wiring.scale, run.output.n
    ) >= 0:
        quiet = 0
    else:
        quiet = UNTOLD
    for i in range(run.output.n):
        value[i] += base[i]
    run.output.quiet = run.tick + quiet
    run.output.touched = False
