"""What an asynchronous run keeps while it runs, and its memory."""

from libc.stdlib cimport calloc, free, malloc

from thresher.cython_ext.calendar cimport Bucket, Calendar
from thresher.cython_ext.cells cimport ARITHMETIC, Arithmetic, Cells
from thresher.cython_ext.measures cimport free_spikes
from thresher.cython_ext.trains cimport Train, close_train, open_train, window_of
from thresher.cython_ext.types cimport Decision, Spikes, int32_t, int64_t, uint8_t, uint64_t
from thresher.cython_ext.wiring cimport Wiring

cdef enum:
    WHEEL = 4096  # slots of the calendar, at most


cdef struct Output:
    # The values that decide, as arrays over classes.
    int n
    double* value
    double* base              # value at t_start
    double* rise              # what the constant current adds per step
    int64_t quiet             # last tick at which nothing can change unless something arrives
    bint touched              # whether something arrived, or fired, since the last look


cdef struct Run:
    int64_t tick
    int64_t last              # ticks of the run
    int64_t refractory
    bint netted
    int64_t pace              # ticks to a block's date after an arrival, at most
    int64_t slots             # buckets of a population: more than the longest delay, a power of two
    int64_t* first_block      # population -> first block; one more at the end
    Calendar calendar
    Bucket* buckets           # slot * n_populations + population
    Train* trains             # population -> its spikes, where only constant currents drive it
    int64_t window            # ticks that trains are made ahead
    int64_t window_first      # first tick of this window
    int64_t window_last
    uint64_t* arriving        # slot -> populations (modulo 64) that have a bucket there, as bits
    uint8_t* touched          # block -> whether a netted arrival touched it
    int32_t* paces            # block -> ticks to its next date, at most
    int32_t* looked           # blocks to look at, at this tick
    int64_t n_looked
    int32_t* found            # neurons over theta
    Cells cells
    const Arithmetic* on      # what to do with cells, in the run's precision
    const uint8_t* kept       # population -> whether its spikes are recorded
    int64_t* counts           # population -> spikes
    int64_t operations
    int64_t events
    int64_t pending
    int64_t peak
    bint failed               # memory ran out
    Output output
    Spikes spikes
    Decision decision


cdef inline void allocate(Wiring wiring, Run* run) noexcept nogil:
    cdef int populations = wiring.n_populations, p
    cdef int64_t n = wiring.n_neurons, size, blocks = 0, slots = 1, i
    cdef int width = wiring.width
    run.output.n = <int>(n - wiring.offsets[populations - 1])
    run.first_block = <int64_t*>calloc(populations + 1, sizeof(int64_t))
    if run.first_block == NULL:
        run.failed = True
        return
    for p in range(populations):
        run.first_block[p] = blocks
        size = wiring.offsets[p + 1] - wiring.offsets[p]
        blocks += (size + wiring.block[p] - 1) // wiring.block[p]
    run.first_block[populations] = blocks
    while slots < WHEEL and slots < run.last + 2:
        slots *= 2
    run.slots = 1
    while run.slots <= wiring.longest_delay and run.slots <= run.last:
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
    run.trains = <Train*>calloc(populations, sizeof(Train))
    run.touched = <uint8_t*>calloc(blocks, 1)
    run.paces = <int32_t*>calloc(blocks, sizeof(int32_t))
    run.looked = <int32_t*>calloc(blocks, sizeof(int32_t))
    run.found = <int32_t*>malloc((wiring.largest_block + 1) * sizeof(int32_t))
    run.cells.u = malloc(n * width)
    run.cells.limit = malloc(n * width)
    run.cells.inverse = <float*>malloc(n * sizeof(float))
    run.cells.allowed = <int32_t*>malloc(n * sizeof(int32_t))
    run.output.value = <double*>calloc(3 * run.output.n, sizeof(double))
    if not (
        run.calendar.head and run.calendar.waiting and run.calendar.next and run.calendar.previous
        and run.calendar.due and run.buckets and run.arriving and run.trains and run.touched
        and run.paces and run.looked and run.found and run.cells.u and run.cells.limit
        and run.cells.inverse and run.cells.allowed and run.output.value
    ):
        run.failed = True
        return
    run.output.base = run.output.value + run.output.n
    run.output.rise = run.output.value + 2 * run.output.n
    run.on = &ARITHMETIC[wiring.precision]
    run.on.begin(&run.cells, n)
    for i in range(slots * populations):
        run.calendar.head[i] = -1


cdef inline void open_trains(Wiring wiring, Run* run, bint by_tick) noexcept nogil:
    """Prepare the trains; where `by_tick`, potentials are read at every tick and so made at it."""
    cdef int64_t window = 1 if by_tick else run.calendar.mask
    cdef int p
    for p in range(wiring.n_populations):
        if is_self_driven(wiring, p):
            window = min(window, window_of(
                wiring.offsets[p + 1] - wiring.offsets[p], run.refractory, window
            ))
    run.window = window
    for p in range(wiring.n_populations):
        if is_self_driven(wiring, p) and not open_train(
            &run.trains[p], run.on, &run.cells, wiring.offsets[p], wiring.offsets[p + 1], window,
            run.refractory,
        ):
            run.failed = True


cdef inline bint is_self_driven(Wiring wiring, int p) noexcept nogil:
    return (
        wiring.fires[p] and not wiring.driven[p] and wiring.in_first[p] == wiring.in_first[p + 1]
    )


cdef inline void release(Wiring wiring, Run* run) noexcept:
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
    if run.trains != NULL:
        for i in range(wiring.n_populations):
            close_train(&run.trains[i])
    free(run.trains)
    free(run.arriving)
    free(run.touched)
    free(run.paces)
    free(run.looked)
    free(run.found)
    free(run.cells.u)
    free(run.cells.limit)
    free(run.cells.inverse)
    free(run.cells.allowed)
    free(run.output.value)
    free_spikes(&run.spikes)
