"""When the neurons of a block may fire by their ramps, and the limits that hold until then."""

from libc.math cimport floor

from thresher.cython_ext.async_run cimport Neurons, Run
from thresher.cython_ext.loops cimport (
    any_reached_double, any_reached_float, nearest_double, nearest_float, set_limits_double,
    set_limits_float,
)
from thresher.cython_ext.types cimport int32_t, int64_t, real

cdef extern from *:
    """
    #define FAR 1e30              /* stands for a ramp that never rises */
    #define SLACK (1.0 / 1048576) /* of a date, for rounding: a fourth would do in float32 */
    """
    const double FAR
    const double SLACK


cdef inline int limit(
    Run* run, Neurons* neurons, int64_t first, int64_t end, int64_t due, real* current,
    const real* ramp,
) noexcept nogil:
    """Set the limits that hold until `due`; tell whether a neuron has reached its own already."""
    if real is float:
        return set_limits_float(
            &(<real*>neurons.limit)[first], &(<real*>neurons.u)[first], &current[first],
            &(<const real*>neurons.theta)[first], &neurons.allowed[first], ramp[run.tick],
            ramp[due - 1], <int32_t>due, SLACK, ramp[run.last], FAR, end - first,
        )
    else:
        return set_limits_double(
            &(<real*>neurons.limit)[first], &(<real*>neurons.u)[first], &current[first],
            &(<const real*>neurons.theta)[first], &neurons.allowed[first], ramp[run.tick],
            ramp[due - 1], <int32_t>due, SLACK, ramp[run.last], FAR, end - first,
        )


cdef inline int64_t crossing(
    Run* run, Neurons* neurons, int32_t block, int64_t first, int64_t end, real* current,
    const real* ramp,
) noexcept nogil:
    """Return a tick before which no neuron of a block fires by its ramp; last + 1 for never."""
    cdef double ahead
    if real is float:
        ahead = nearest_float(
            &(<real*>neurons.u)[first], &current[first], &(<real*>neurons.inverse)[first],
            &(<const real*>neurons.theta)[first], &neurons.allowed[first], ramp[run.tick],
            <int32_t>run.tick, FAR, end - first,
        )
    else:
        ahead = nearest_double(
            &(<real*>neurons.u)[first], &current[first], &(<real*>neurons.inverse)[first],
            &(<const real*>neurons.theta)[first], &neurons.allowed[first], ramp[run.tick],
            <int32_t>run.tick, FAR, end - first,
        )
    ahead = ahead * (1.0 - SLACK) - neurons.slack[block]
    if ahead < 2.0:
        return exactly(neurons, first, end, current, ramp, run.tick, run.last)
    if ahead > run.last - run.tick:
        return run.last + 1
    return run.tick + <int64_t>floor(ahead)


cdef inline int64_t exactly(
    Neurons* neurons, int64_t first, int64_t end, real* current, const real* ramp, int64_t tick,
    int64_t last,
) noexcept nogil:
    """Return the first tick after `tick` at which a neuron of first..end fires by its ramp."""
    cdef real* u = <real*>neurons.u
    cdef const real* theta = <const real*>neurons.theta
    cdef int64_t best = last + 1, i, low, high, middle
    for i in range(first, end):
        low = max(<int64_t>neurons.allowed[i], tick + 1)
        if low >= best:
            continue
        if u[i] + current[i] * ramp[low] >= theta[i]:
            best = low
            continue
        if not current[i] > 0:
            continue
        high = best  # a rising ramp never falls in k: bisect
        low += 1
        while low < high:
            middle = (low + high) // 2
            if u[i] + current[i] * ramp[middle] >= theta[i]:
                high = middle
            else:
                low = middle + 1
        best = high
    return best


cdef inline int any_reached(const real* u, const real* limit, int64_t n) noexcept nogil:
    if real is float:
        return any_reached_float(u, limit, n)
    else:
        return any_reached_double(u, limit, n)
