"""When the neurons of a block may fire by their ramps."""

from libc.math cimport floor

from thresher.cython_ext.async_run cimport Run
from thresher.cython_ext.types cimport int64_t


cdef inline int64_t crossing(const Run* run, int64_t first, int64_t end) noexcept nogil:
    """Return a tick before which no neuron of first..end fires by its ramp; last + 1 for never."""
    cdef double ahead = run.on.nearest(&run.cells, first, end, run.tick)
    if ahead > run.last - run.tick:
        return run.last + 1
    return run.tick + max(1, <int64_t>floor(ahead))
