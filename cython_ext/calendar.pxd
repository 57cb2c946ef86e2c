"""When the blocks of neurons are due for a look: a calendar of ticks, and of arriving spikes."""

from libc.stdlib cimport free, qsort, realloc

from thresher.cython_ext.types cimport int32_t, int64_t, uint64_t


cdef struct Calendar:
    # Blocks by the tick at which one of their neurons may cross theta, as doubly linked lists in
    # a wheel of slots. A date further off than the wheel is kept as the wheel's last slot: a look
    # too early costs a little and changes nothing.
    int64_t mask            # slots - 1; slots is a power of two
    int n_populations
    int32_t* head           # slot * n_populations + population -> first block, -1: none
    uint64_t* waiting       # slot -> populations (modulo 64) that may have blocks there, as bits
    int32_t* next           # block -> next in its list
    int32_t* previous       # block -> previous in its list, -1: it is the first
    int64_t* due            # block -> tick, 0: in no list


cdef struct Bucket:
    # Spikes that arrive at one population at one tick, in order of emission; each is
    # projection << 32 | neuron << 1 | whether its sign is negative.
    int64_t n
    int64_t capacity
    int64_t* spike


cdef inline void take_out(Calendar* calendar, int32_t block, int population) noexcept nogil:
    cdef int32_t before = calendar.previous[block], after = calendar.next[block]
    if before >= 0:
        calendar.next[before] = after
    else:
        calendar.head[
            (calendar.due[block] & calendar.mask) * calendar.n_populations + population
        ] = after
    if after >= 0:
        calendar.previous[after] = before
    calendar.due[block] = 0


cdef inline void schedule(
    Calendar* calendar, int32_t block, int population, int64_t tick, int64_t due
) noexcept nogil:
    """Enter a block at tick `due`, in place of its earlier date."""
    cdef int64_t slot
    cdef int32_t first
    if due > tick + calendar.mask:
        due = tick + calendar.mask
    if calendar.due[block] == due:
        return
    if calendar.due[block]:
        take_out(calendar, block, population)
    slot = (due & calendar.mask) * calendar.n_populations + population
    first = calendar.head[slot]
    calendar.next[block] = first
    calendar.previous[block] = -1
    if first >= 0:
        calendar.previous[first] = block
    calendar.head[slot] = block
    calendar.waiting[due & calendar.mask] |= <uint64_t>1 << (population & 63)
    calendar.due[block] = due


cdef inline bint reserve(Bucket* bucket, int64_t spikes) noexcept nogil:
    """Make room for so many more; False, and as it was, where memory ran out."""
    cdef int64_t capacity
    cdef int64_t* larger
    if bucket.n + spikes > bucket.capacity:
        capacity = 2 * bucket.capacity + spikes + 64
        larger = <int64_t*>realloc(bucket.spike, capacity * sizeof(int64_t))
        if larger == NULL:
            return False
        bucket.spike, bucket.capacity = larger, capacity
    return True


cdef inline bint push(Bucket* bucket, int64_t spike) noexcept nogil:
    """Append a spike; False where memory ran out."""
    if not reserve(bucket, 1):
        return False
    bucket.spike[bucket.n] = spike
    bucket.n += 1
    return True


cdef inline int ascending(const void* a, const void* b) noexcept nogil:
    cdef int32_t left = (<const int32_t*>a)[0], right = (<const int32_t*>b)[0]
    return (left > right) - (left < right)


cdef inline void sort_blocks(int32_t* blocks, int64_t n) noexcept nogil:
    """Sort ascending; most lists are short."""
    cdef int64_t i, j
    cdef int32_t block
    if n > 32:
        qsort(blocks, n, sizeof(int32_t), &ascending)
        return
    for i in range(1, n):
        block = blocks[i]
        j = i - 1
        while j >= 0 and blocks[j] > block:
            blocks[j + 1] = blocks[j]
            j -= 1
        blocks[j + 1] = block
