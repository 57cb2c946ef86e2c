"""How long the decision cannot change where nothing arrives at the output."""

from thresher.cython_ext.types cimport Decision, int64_t

cdef enum:
    UNTOLD = 1000000000000  # ticks: longer than any run


cdef inline double absolute(double x) noexcept nogil:
    return x if x >= 0 else -x


cdef inline int64_t quiet_ticks(
    const Decision* decision, int64_t tick, const double* values, const double* base,
    const double* rise, double scale, double steps, double grain, int n,
) noexcept nogil:
    """Return for how many ticks after `tick` neither the class nor `confident` can change.

    `values` are the potentials less `base`, in units of 1 / `scale`; `rise` is what each gains per
    step, `steps` the length of the run, `grain` what the rounding of a ramp may hide. A lower bound:
    0 is always right.
    """
    cdef double per_tick = decision.ticks_per_step, time, lead, gain, error, ahead
    cdef double decisive = decision.decisive * scale
    cdef double least = UNTOLD, nearest = 1e308, nearest_gain = 0.0, nearest_error = 0.0
    cdef int i, best = <int>decision.chosen
    if decision.first_evidence < 0:
        return UNTOLD
    if tick < decision.first_evidence or tick < decision.start:
        return 0
    for i in range(n):
        if i == best:
            continue
        lead = values[best] - values[i]
        gain = (rise[best] - rise[i]) / per_tick
        error = grain + 1e-6 * (
            absolute(values[best]) + absolute(base[best]) + absolute(values[i]) + absolute(base[i])
            + 2 * steps * (absolute(rise[best]) + absolute(rise[i]))
        )
        if lead <= error:
            return 0
        if gain < 0:
            least = min(least, (lead - error) / -gain)
        if lead < nearest:
            nearest, nearest_gain, nearest_error = lead, gain, error
    if decision.confident < 0 and n > 1:
        time = (tick - decision.start) / per_tick
        lead = decisive * time - nearest - nearest_error
        gain = nearest_gain - decisive / per_tick
        if lead <= 0:
            return 0
        if gain > 0:
            least = min(least, lead / gain)
    ahead = least * (1 - 1e-9) - 1
    return <int64_t>ahead if ahead > 0 else 0
