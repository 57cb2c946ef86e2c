"""When the neurons of a block may fire by their ramps."""

from libc.math cimport floor

from thresher.cython_ext.async_run cimport Run
from thresher.cython_ext.cells cimport SLACK
from thresher.cython_ext.types cimport int32_t, int64_t


cdef inline int64_t crossing(
    const Run* run, int32_t block, int64_t first, int64_t end
) noexcept nogil:
    """Return a tick before which no neuron of a block fires by its ramp; last + 1 for never."""
    cdef double ahead = run.on.nearest(&run.cells, first, end, run.tick)
    ahead = ahead * (1.0 - SLACK) - run.slack[block]
    if ahead < 2.0:
        return exactly(run, first, end)
    if ahead > run.last - run.tick:
        return run.last + 1
    return run.tick + <int64_t>floor(ahead)


cdef inline int64_t exactly(const Run* run, int64_t first, int64_t end) noexcept nogil:
    """Return the first tick after this at which a neuron of first..end fires by its ramp."""
    cdef int64_t best = run.last + 1, i
    for i in range(first, end):
        best = run.on.first_over(
            &run.cells, i, max(<int64_t>run.cells.allowed[i], run.tick + 1), best
        )
    return best
