"""The asynchronous schedule for every neuron model, compiled; `if` alone has a faster kernel.

Neurons are grouped into blocks. A block has a date in the calendar, a tick before which none of
its neurons fires unless something arrives; an arrival compares every neuron that it reaches, and
brings the block's date forward where one may fire sooner. Dates are lower bounds, so that a look
may find nothing; what fires is always decided by the model's own comparison. A run that settles
goes on, once the input has ended, until no spike is on its way and no block has a date.
"""

import numpy as np

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from thresher.cython_ext.calendar cimport Bucket, Calendar, push, schedule, sort_blocks, take_out
from thresher.cython_ext.measures cimport saw_evidence, undecided
from thresher.cython_ext.models_run cimport (
    Core, allocate, count_in_windows, count_spike, is_waiting, neuron_of, number_of, observe,
    operate, packed, release, sign_of, store,
)
from thresher.cython_ext.neurons cimport LEAKY, NO_TICK, POOL, Arrival, Population
from thresher.cython_ext.populations cimport Populations
from thresher.cython_ext.types cimport (
    RUNS, Projection, int8_t, int32_t, int64_t, uint8_t, uint64_t,
)
from thresher.cython_ext.wiring cimport Wiring, address, spike_columns

cdef enum:
    WHEEL = 4096          # slots of the calendar, at most
    LONGEST = 0x7fffffff  # ticks: beyond any run


cdef struct Run:
    Core core
    int64_t refractory
    bint netted
    int64_t slots             # buckets of a population: more than the longest delay, a power of two
    int64_t* first_block      # population -> first block; one more at the end
    Calendar calendar
    int64_t dated             # blocks that have a date
    Bucket* buckets           # slot * n_populations + population
    uint64_t* arriving        # slot -> populations (modulo 64) that have a bucket there, as bits
    uint8_t* touched          # block -> whether a netted arrival touched it
    int32_t* looked           # blocks to look at, at this tick
    int64_t n_looked
    int32_t* found            # neurons that are to fire


def run_models_async(
    Wiring wiring, Populations populations, current, ramp, int64_t ticks, int64_t last,
    int64_t refractory, bint netted, int64_t ticks_per_step, int64_t t_start, double confidence,
    int64_t evidence, const int64_t[::1] input_ticks, const int32_t[::1] input_neurons,
    const int8_t[::1] input_signs, const uint8_t[::1] kept, const int64_t[::1] watch,
    const int32_t[::1] stop,
):
    """Run one sample; see `sim.contract` for what goes in and comes out.

    `ticks` are those of the input; the run goes on up to tick `last` to settle. Returns the fields
    of `SampleRun`, in its order.
    """
    predictions = np.full(ticks // ticks_per_step + (last > ticks), -1, np.int64)
    counts = np.zeros(wiring.n_populations, np.int64)
    potentials = np.zeros(wiring.n_neurons, current.dtype)
    watched = np.zeros((ticks if watch.shape[0] else 0, watch.shape[0]), current.dtype)
    cdef int64_t[::1] predictions_view = predictions, counts_view = counts
    cdef void* potentials_at = <void*>address(potentials)
    cdef void* watched_at = <void*>address(watched)
    cdef int64_t i, quiescent = -1
    cdef Run run
    errors = []
    memset(&run, 0, sizeof(Run))
    run.core.errors = <void*>errors
    run.core.end, run.core.last = ticks, last
    run.core.kept, run.core.counts = &kept[0], &counts_view[0]
    run.core.decision = undecided(
        ticks_per_step, t_start * ticks_per_step, confidence, evidence
    )
    run.core.neurons.current = <void*>address(current)
    run.core.neurons.ramp = address(ramp)
    run.refractory, run.netted = refractory, netted
    try:
        with nogil:
            allocate(wiring, populations, &run.core)
            open_calendar(wiring, &run)
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
            raise MemoryError("the asynchronous engine ran out of memory")
        return (
            predictions, run.core.decision.first_evidence, run.core.decision.settled,
            run.core.decision.confident, counts, run.core.operations, run.core.events,
            run.core.peak, potentials, *spike_columns(&run.core.spikes), watched, quiescent,
        )
    finally:
        close_calendar(wiring, &run)
        release(&run.core)


cdef void open_calendar(Wiring wiring, Run* run) noexcept nogil:
    cdef int populations = wiring.n_populations, p
    cdef int64_t size, blocks = 0, slots = 1, i
    run.first_block = <int64_t*>calloc(populations + 1, sizeof(int64_t))
    if run.first_block == NULL:
        run.core.failed = True
        return
    for p in range(populations):
        run.first_block[p] = blocks
        size = wiring.offsets[p + 1] - wiring.offsets[p]
        blocks += (size + wiring.block[p] - 1) // wiring.block[p]
    run.first_block[populations] = blocks
    while slots < WHEEL and slots < run.core.last + 2:
        slots *= 2
    run.slots = 1
    while run.slots <= wiring.longest_delay and run.slots <= run.core.last:
        run.slots *= 2
    run.calendar.mask = slots - 1
    run.calendar.n_populations = populations
    run.calendar.head = <int32_t*>malloc(slots * populations * sizeof(int32_t))
    run.calendar.waiting = <uint64_t*>calloc(slots, sizeof(uint64_t))
    run.calendar.next = <int32_t*>calloc(blocks, sizeof(int32_t))
    run.calendar.previous = <int32_t*>calloc(blocks, sizeof(int32_t))
    run.calendar.due = <int64_t*>calloc(blocks, sizeof(int64_t))
    run.buckets = <Bucket*>calloc(run.slots * populations, sizeof(Bucket))
    run.arriving = <uint64_t*>calloc(run.slots, sizeof(uint64_t))
    run.touched = <uint8_t*>calloc(blocks, 1)
    run.looked = <int32_t*>calloc(blocks, sizeof(int32_t))
    run.found = <int32_t*>malloc((wiring.largest_block + 1) * sizeof(int32_t))
    if not (
        run.calendar.head and run.calendar.waiting and run.calendar.next and run.calendar.previous
        and run.calendar.due and run.buckets and run.arriving and run.touched and run.looked
        and run.found
    ):
        run.core.failed = True
        return
    for i in range(slots * populations):
        run.calendar.head[i] = -1


cdef void close_calendar(Wiring wiring, Run* run) noexcept:
    cdef int64_t i
    if run.buckets != NULL:
        for i in range(run.slots * wiring.n_populations):
            free(run.buckets[i].spike)
    free(run.first_block)
    free(run.calendar.head)
    free(run.calendar.waiting)
    free(run.calendar.next)
    free(run.calendar.previous)
    free(run.calendar.due)
    free(run.buckets)
    free(run.arriving)
    free(run.touched)
    free(run.looked)
    free(run.found)


cdef int64_t simulate(
    Wiring wiring, Populations populations, Run* run, const int32_t* stop,
    const int64_t[::1] input_ticks, const int32_t[::1] input_neurons,
    const int8_t[::1] input_signs, int64_t* predictions, const int64_t[::1] watch, void* watched,
) noexcept nogil:
    """Return the tick from which nothing is pending; -1 where none comes, or none is asked for."""
    cdef Core* core = &run.core
    cdef int64_t per_step = core.decision.ticks_per_step, steps = core.end // per_step
    cdef int64_t i, tick, entry = 0, n_input = input_ticks.shape[0]
    start(wiring, populations, run)
    for tick in range(1, core.end + 1):
        core.tick = tick
        while entry < n_input and input_ticks[entry] == tick:
            emit(wiring, run, 0, input_neurons[entry], input_signs[entry])
            entry += 1
        handle(wiring, populations, run)
        observe(wiring, populations, core)
        for i in range(watch.shape[0]):
            store(wiring, populations, core, watch[i], watched, (tick - 1) * watch.shape[0] + i)
        if tick % per_step == 0:
            predictions[tick // per_step - 1] = core.decision.chosen
            if stop[0]:
                return -1
        if core.failed:
            return -1
    if core.last == core.end:
        return -1
    return settle(wiring, populations, run, stop, &predictions[steps])


cdef int64_t settle(
    Wiring wiring, Populations populations, Run* run, const int32_t* stop, int64_t* prediction
) noexcept nogil:
    """Go on until nothing is pending, and return the tick of the last event; -1 at the limit."""
    cdef Core* core = &run.core
    cdef bint pending
    cdef int p
    for p in range(wiring.n_populations):
        if populations.of[p].model != LEAKY and populations.of[p].model != POOL:
            core.on.end_input(
                &core.neurons, &populations.of[p], wiring.offsets[p], wiring.offsets[p + 1]
            )
    while core.tick < core.last and (core.pending or run.dated):
        core.tick += 1
        if handle(wiring, populations, run):
            observe(wiring, populations, core)
        if core.failed or (stop[0] and core.tick % core.decision.ticks_per_step == 0):
            return -1
    prediction[0] = core.decision.chosen
    pending = core.pending or core.beyond or is_waiting(wiring, populations, core, True)
    core.tick = max(core.end, core.last_event)
    return -1 if pending else core.tick


cdef void start(Wiring wiring, Populations populations, Run* run) noexcept nogil:
    """Let every block have a look at the first tick."""
    cdef int64_t block
    cdef int p
    for p in range(wiring.n_populations):
        if not wiring.fires[p] or wiring.driven[p]:
            continue
        if populations.of[p].model == POOL or populations.of[p].operates:
            continue
        for block in range(run.first_block[p], run.first_block[p + 1]):
            date(run, <int32_t>block, p, 1)


cdef bint handle(Wiring wiring, Populations populations, Run* run) noexcept nogil:
    """Handle what is due at this tick, in rank order; tell whether anything was.

    An operator compares in the last tick of every step.
    """
    cdef Core* core = &run.core
    cdef int64_t slot = core.tick & (run.slots - 1), i
    cdef uint64_t* waiting = &run.calendar.waiting[core.tick & run.calendar.mask]
    cdef Bucket* bucket
    cdef bint ends = populations.any_operates and core.tick % core.decision.ticks_per_step == 0
    cdef int p
    if not (waiting[0] or run.arriving[slot] or ends):
        return False
    for p in range(wiring.n_populations):
        if populations.of[p].operates:
            if ends:
                operate(wiring, populations, core, p)
                fire_all(wiring, populations, run, p)
            continue
        if not ((waiting[0] | run.arriving[slot]) >> (p & 63)) & 1:
            continue
        bucket = &run.buckets[slot * wiring.n_populations + p]
        gather_due(run, p)
        if run.netted:
            barrier(wiring, populations, run, bucket, p)
        else:
            sort_blocks(run.looked, run.n_looked)
            for i in range(run.n_looked):
                look(wiring, populations, run, run.looked[i], p)
            for i in range(bucket.n):
                arrive(wiring, populations, run, bucket.spike[i], p)
        if bucket.n:
            core.last_event = core.tick
        core.pending -= bucket.n
        bucket.n = 0
    waiting[0] = 0
    run.arriving[slot] = 0
    return True


cdef inline void gather_due(Run* run, int p) noexcept nogil:
    """List the blocks of a population that are due."""
    cdef Calendar* calendar = &run.calendar
    cdef int32_t* head = &calendar.head[
        (run.core.tick & calendar.mask) * calendar.n_populations + p
    ]
    cdef int32_t block = head[0]
    run.n_looked = 0
    while block >= 0:
        run.looked[run.n_looked] = block
        run.n_looked += 1
        calendar.due[block] = 0
        block = calendar.next[block]
    run.dated -= run.n_looked
    head[0] = -1


cdef void barrier(
    Wiring wiring, Populations populations, Run* run, Bucket* bucket, int p
) noexcept nogil:
    """Netted arrivals: add all that is due, then compare the blocks that are due or touched."""
    cdef int64_t i
    for i in range(run.n_looked):
        run.touched[run.looked[i]] = True
    for i in range(bucket.n):
        arrive(wiring, populations, run, bucket.spike[i], p)
    sort_blocks(run.looked, run.n_looked)
    for i in range(run.n_looked):
        run.touched[run.looked[i]] = False
        look(wiring, populations, run, run.looked[i], p)


cdef void look(
    Wiring wiring, Populations populations, Run* run, int32_t block, int p
) noexcept nogil:
    """Fire the neurons of a block that are to, and find its next date."""
    cdef Core* core = &run.core
    cdef int64_t first = wiring.offsets[p] + (block - run.first_block[p]) * wiring.block[p]
    cdef int64_t end = min(first + wiring.block[p], wiring.offsets[p + 1])
    core.events += 1
    fire(wiring, populations, run, first, end, p)
    date(run, block, p, core.on.due(&core.neurons, &populations.of[p], first, end, core.tick))


cdef void fire_all(Wiring wiring, Populations populations, Run* run, int p) noexcept nogil:
    """Fire the neurons of an operator that are to, in index order."""
    cdef int64_t first = wiring.offsets[p], stop = wiring.offsets[p + 1], end
    if run.core.failed:
        return
    while first < stop:
        end = min(first + wiring.block[p], stop)
        fire(wiring, populations, run, first, end, p)
        first = end


cdef void fire(
    Wiring wiring, Populations populations, Run* run, int64_t first, int64_t end, int p
) noexcept nogil:
    """Fire the neurons first..end that are to and are not refractory, in index order."""
    cdef Core* core = &run.core
    cdef Population* population = &populations.of[p]
    cdef int64_t n = core.on.firing(&core.neurons, population, first, end, core.tick, run.found)
    cdef int64_t k
    cdef int32_t i
    cdef int sign
    for k in range(n):
        i = run.found[k]
        sign = core.on.sign(&core.neurons, population, i, core.tick)
        core.on.reset(&core.neurons, population, i, sign, core.tick)
        if population.model != POOL and not population.operates:
            core.neurons.allowed[i] = <int32_t>min(
                core.tick + 1 + run.refractory, <int64_t>LONGEST
            )
        emit(wiring, run, p, <int32_t>(i - wiring.offsets[p]), sign)


cdef void date(Run* run, int32_t block, int p, int64_t due) noexcept nogil:
    """Give a block a date in place of its earlier one; none beyond the run."""
    run.dated -= run.calendar.due[block] != 0
    if due <= run.core.last:
        schedule(&run.calendar, block, p, run.core.tick, due)
        run.dated += 1
    elif run.calendar.due[block]:
        take_out(&run.calendar, block, p)


cdef void emit(Wiring wiring, Run* run, int p, int32_t neuron, int sign) noexcept nogil:
    """Count a spike, and send it along the population's projections."""
    cdef Core* core = &run.core
    cdef int32_t entry, number
    cdef int64_t arrival, slot
    cdef Projection* projection
    count_spike(wiring, core, p, neuron, sign)
    for entry in range(wiring.out_first[p], wiring.out_first[p + 1]):
        number = wiring.out_list[entry]
        projection = &wiring.projections[number]
        arrival = core.tick + projection.delay
        if arrival > core.last:
            core.beyond = True
            continue
        slot = arrival & (run.slots - 1)
        run.arriving[slot] |= <uint64_t>1 << (projection.target & 63)
        if not push(
            &run.buckets[slot * wiring.n_populations + projection.target],
            packed(number, neuron, sign),
        ):
            core.failed = True
            return
        core.pending += 1
        core.peak = max(core.peak, core.pending)


cdef void arrive(
    Wiring wiring, Populations populations, Run* run, int64_t spike, int p
) noexcept nogil:
    """Deliver one spike; where arrivals are individual, fire what it lets fire."""
    cdef Core* core = &run.core
    cdef int32_t number = <int32_t>number_of(spike), neuron = neuron_of(spike)
    cdef Projection* projection = &wiring.projections[number]
    cdef int64_t before = core.operations
    core.events += 1
    if projection.kind != RUNS:
        arrive_one_by_one(wiring, populations, run, number, neuron, sign_of(spike), p)
    elif projection.position[neuron] >= 0:
        arrive_along_runs(wiring, populations, run, projection, neuron, sign_of(spike), p)
    if core.operations > before and p == wiring.n_populations - 1 and not wiring.fires[p]:
        saw_evidence(&core.decision, core.tick)


cdef void arrive_along_runs(
    Wiring wiring, Populations populations, Run* run, Projection* projection, int32_t neuron,
    int sign, int p,
) noexcept nogil:
    cdef Core* core = &run.core
    cdef int32_t position = projection.position[neuron], channel = projection.channel[neuron]
    cdef int32_t first = projection.runs[position], k
    cdef Arrival arrival
    arrival.base = wiring.offsets[p] + channel // projection.per_group * projection.length
    arrival.row = <int64_t>channel * projection.taps * projection.length
    arrival.weights, arrival.sign = projection.weights, sign
    arrival.start, arrival.weight = projection.start + first, projection.weight + first
    arrival.extent = projection.extent + first
    arrival.n = projection.runs[position + 1] - first
    core.operations += projection.reach[position]
    if populations.of[p].model == LEAKY:
        core.on.settle_runs(&core.neurons, &populations.of[p], &arrival, core.tick)
    core.on.add_runs(core.neurons.v, &arrival)
    if wiring.fires[p]:
        for k in range(arrival.n):
            compare_run(
                wiring, populations, run, arrival.base + arrival.start[k], arrival.extent[k], p
            )


cdef void arrive_one_by_one(
    Wiring wiring, Populations populations, Run* run, int32_t number, int32_t neuron, int sign,
    int p,
) noexcept nogil:
    cdef Core* core = &run.core
    cdef Projection* projection = &wiring.projections[number]
    cdef int64_t first = projection.indptr[neuron], n = projection.indptr[neuron + 1] - first, i
    cdef const int32_t* target = projection.indices + first
    cdef Arrival arrival
    arrival.base, arrival.row, arrival.weights = wiring.offsets[p], first, projection.weights
    arrival.sign = sign
    core.operations += n
    if populations.of[p].model == POOL:
        count_in_windows(wiring, populations, core, number, neuron, sign)
    else:
        if populations.of[p].model == LEAKY:
            core.on.settle_listed(
                &core.neurons, &populations.of[p], &arrival, target, n, core.tick
            )
        core.on.add_listed(core.neurons.v, &arrival, target, n)
    if wiring.fires[p]:
        for i in range(n):
            compare_run(wiring, populations, run, arrival.base + target[i], 1, p)


cdef void compare_run(
    Wiring wiring, Populations populations, Run* run, int64_t first, int64_t n, int p
) noexcept nogil:
    """Compare neighbouring neurons, block by block; most blocks have none that may fire. Where
    arrivals are netted the comparison follows them."""
    cdef Core* core = &run.core
    cdef int64_t size = wiring.block[p], stop = first + n, end, due
    cdef int32_t block
    while first < stop:
        block = <int32_t>run.first_block[p] + wiring.block_of[first]
        end = min(stop, wiring.offsets[p] + (wiring.block_of[first] + 1) * size)
        due = run.calendar.due[block]
        if run.netted:
            touch(run, block)
        elif not core.on.quiet(
            &core.neurons, &populations.of[p], first, end, core.tick, due - 1 if due else core.last
        ):
            compare(wiring, populations, run, block, first, end, p)
        first = end


cdef inline void touch(Run* run, int32_t block) noexcept nogil:
    """Remember a block for the comparison that follows the arrivals of this tick."""
    if not run.touched[block]:
        run.touched[block] = True
        run.looked[run.n_looked] = block
        run.n_looked += 1


cdef void compare(
    Wiring wiring, Populations populations, Run* run, int32_t block, int64_t first, int64_t end,
    int p,
) noexcept nogil:
    """Fire the neurons of a block that an arrival lets fire, and bring its date forward."""
    cdef int64_t date_now, due
    fire(wiring, populations, run, first, end, p)
    date_now = run.calendar.due[block]
    if date_now == 0 or date_now > run.core.tick + 1:
        due = run.core.on.due(&run.core.neurons, &populations.of[p], first, end, run.core.tick)
        if due != NO_TICK and (date_now == 0 or due < date_now):
            date(run, block, p, due)
