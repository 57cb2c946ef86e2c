"""What an asynchronous run keeps while it runs, and its memory."""

from libc.stdlib cimport calloc, free, malloc

from thresher.cython_ext.calendar cimport Bucket, Calendar
from thresher.cython_ext.measures cimport free_spikes
from thresher.cython_ext.types cimport Decision, Spikes, int32_t, int64_t, uint8_t
from thresher.cython_ext.wiring cimport Wiring

cdef enum:
    WHEEL = 4096  # slots of the calendar, at most


cdef struct Run:
    int64_t tick
    int64_t last              # ticks of the run
    int64_t refractory
    bint netted
    int64_t slots             # buckets of a population: more than the longest delay, a power of two
    int64_t* first_block      # population -> first block; one more at the end
    Calendar calendar
    Bucket* buckets           # slot * n_populations + population
    uint8_t* touched          # block -> whether a netted arrival touched it
    int32_t* pace             # block -> ticks to its next date, at most
    int32_t* looked           # blocks to look at, at this tick
    int64_t n_looked
    const uint8_t* kept       # population -> whether its spikes are recorded
    int64_t* counts           # population -> spikes
    int64_t* output_counts    # class -> net spikes of the output, where it fires
    int64_t operations
    int64_t events
    int64_t pending
    int64_t peak
    bint failed               # memory ran out
    Spikes spikes
    Decision decision


cdef struct Neurons:
    # What the loops over a block read, as bytes of the engine's precision.
    void* u                   # potential without the ramp
    void* current             # per step
    void* inverse             # ticks that the ramp takes for one unit; FAR where it never rises
    void* limit               # what u must reach for the neuron to fire before its block's date
    const void* theta
    int32_t* allowed          # first tick at which the neuron may fire
    double* slack             # block -> ticks by which a predicted date may be late


cdef inline void allocate(Wiring wiring, Run* run, int n_output) noexcept nogil:
    cdef int populations = wiring.n_populations, p
    cdef int64_t size, blocks = 0, slots = 1, i
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
    run.calendar.next = <int32_t*>calloc(blocks, sizeof(int32_t))
    run.calendar.previous = <int32_t*>calloc(blocks, sizeof(int32_t))
    run.calendar.due = <int64_t*>calloc(blocks, sizeof(int64_t))
    run.buckets = <Bucket*>calloc(run.slots * populations, sizeof(Bucket))
    run.touched = <uint8_t*>calloc(blocks, 1)
    run.pace = <int32_t*>calloc(blocks, sizeof(int32_t))
    run.looked = <int32_t*>calloc(blocks, sizeof(int32_t))
    run.output_counts = <int64_t*>calloc(n_output, sizeof(int64_t))
    if not (
        run.calendar.head and run.calendar.next and run.calendar.previous and run.calendar.due
        and run.buckets and run.touched and run.pace and run.looked and run.output_counts
    ):
        run.failed = True
        return
    for i in range(slots * populations):
        run.calendar.head[i] = -1


cdef inline void release(Wiring wiring, Run* run) noexcept:
    cdef int64_t i
    if run.buckets != NULL:
        for i in range(run.slots * wiring.n_populations):
            free(run.buckets[i].spike)
    free(run.first_block)
    free(run.calendar.head)
    free(run.calendar.next)
    free(run.calendar.previous)
    free(run.calendar.due)
    free(run.buckets)
    free(run.touched)
    free(run.pace)
    free(run.looked)
    free(run.output_counts)
    free_spikes(&run.spikes)
