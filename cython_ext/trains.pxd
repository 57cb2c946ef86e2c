"""Spike trains of populations that only their constant currents drive, made ahead of the run.

Nothing that happens later can change them. They are made in windows of ticks, so that memory is
bounded, and sorted by tick; within a tick the neurons ascend.
"""

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from thresher.cython_ext.cells cimport Arithmetic, Cells
from thresher.cython_ext.types cimport int32_t, int64_t, uint64_t

cdef enum:
    ROOM = 1 << 20  # spikes of a window, unless every neuron may fire once and they are more


cdef struct Train:
    int64_t first             # neurons first..end of the run
    int64_t end
    int32_t* due              # neuron -> tick of its next spike
    int32_t* spike            # the window's neurons, in order
    int64_t* begin            # tick less the window's first -> first spike; one more at the end
    int32_t* when             # as they are made: tick
    int32_t* who              # and neuron


cdef inline int64_t window_of(int64_t neurons, int64_t refractory, int64_t most) noexcept nogil:
    """Return the ticks of a window in which `neurons` fit their spikes into the room."""
    cdef int64_t each = max(ROOM // max(neurons, 1), 1)
    return most if each > most // (refractory + 1) else each * (refractory + 1)


cdef inline bint open_train(
    Train* train, const Arithmetic* on, const Cells* cells, int64_t first, int64_t end,
    int64_t window, int64_t refractory,
) noexcept nogil:
    """Note the first spike of each neuron; False where memory ran out."""
    cdef int64_t most = (end - first) * ((window - 1) // (refractory + 1) + 1)
    train.first, train.end = first, end
    train.due = <int32_t*>malloc((end - first) * sizeof(int32_t))
    train.spike = <int32_t*>malloc(most * sizeof(int32_t))
    train.when = <int32_t*>malloc(most * sizeof(int32_t))
    train.who = <int32_t*>malloc(most * sizeof(int32_t))
    train.begin = <int64_t*>calloc(window + 2, sizeof(int64_t))
    if not (train.due and train.spike and train.when and train.who and train.begin):
        return False
    on.await_(cells, first, end, train.due)
    return True


cdef inline void close_train(Train* train) noexcept nogil:
    free(train.due)
    free(train.spike)
    free(train.when)
    free(train.who)
    free(train.begin)


cdef inline void advance(
    Train* train, const Arithmetic* on, const Cells* cells, int64_t tick, int64_t ticks,
    int64_t refractory, bint hard, double v_reset,
) noexcept nogil:
    """Make the spikes of `ticks` ticks from `tick` on, and count them out by tick."""
    cdef int64_t n, i
    cdef int64_t* begin = train.begin
    n = on.train(
        cells, train.first, train.end, tick + ticks - 1, refractory, hard, v_reset, train.due,
        train.when, train.who,
    )
    memset(begin, 0, (ticks + 2) * sizeof(int64_t))
    for i in range(n):
        begin[train.when[i] - tick + 2] += 1
    for i in range(ticks):
        begin[i + 2] += begin[i + 1]
    for i in range(n):
        train.spike[begin[train.when[i] - tick + 1]] = train.who[i]
        begin[train.when[i] - tick + 1] += 1
