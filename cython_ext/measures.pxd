"""What every kernel measures while it runs: the recorded spikes and the decision."""

from libc.math cimport exp, log
from libc.stdlib cimport free, realloc

from thresher.cython_ext.types cimport (
    Decision, Spikes, int8_t, int16_t, int32_t, int64_t,
)


cdef inline bint record(
    Spikes* spikes, int64_t tick, int population, int64_t neuron, int sign
) noexcept nogil:
    """Append one spike; False where memory ran out."""
    cdef int64_t capacity
    if spikes.n == spikes.capacity:
        capacity = 2 * spikes.capacity + 1024
        spikes.tick = <int64_t*>realloc(spikes.tick, capacity * sizeof(int64_t))
        spikes.population = <int16_t*>realloc(spikes.population, capacity * sizeof(int16_t))
        spikes.neuron = <int32_t*>realloc(spikes.neuron, capacity * sizeof(int32_t))
        spikes.sign = <int8_t*>realloc(spikes.sign, capacity * sizeof(int8_t))
        if not (spikes.tick and spikes.population and spikes.neuron and spikes.sign):
            return False
        spikes.capacity = capacity
    spikes.tick[spikes.n] = tick
    spikes.population[spikes.n] = <int16_t>population
    spikes.neuron[spikes.n] = <int32_t>neuron
    spikes.sign[spikes.n] = <int8_t>sign
    spikes.n += 1
    return True


cdef inline void free_spikes(Spikes* spikes) noexcept nogil:
    free(spikes.tick)
    free(spikes.population)
    free(spikes.neuron)
    free(spikes.sign)


cdef inline void saw_evidence(Decision* decision, int64_t tick) noexcept nogil:
    """Note that a spike reached (or left) the output."""
    if decision.first_evidence < 0 and tick > decision.start:
        decision.first_evidence = tick


cdef inline Decision undecided(
    int64_t ticks_per_step, int64_t start, double confidence, int64_t evidence
) noexcept nogil:
    """Return the decision at the start of a run; `evidence` as the engines take it.

    A margin c of the softmax needs a lead of log((1 + c) / (1 - c)); 36 rounds to all of it.
    """
    cdef double decisive = 36.0
    if confidence < 1:
        decisive = min(decisive, log((1 + confidence) / (1 - confidence)) * (1 - 1e-9))
    return Decision(ticks_per_step, start, confidence, decisive, -1, evidence, -1, -1)


cdef inline void decide(
    Decision* decision, int64_t tick, const double* values, const double* weight,
    const double* scale, int n
) noexcept nogil:
    """Take the output's values, counted from `start`, after everything at a tick.

    values * weight / scale are logits times the time passed. Ties go to the lower class.
    """
    cdef int i, best = 0
    if decision.first_evidence < 0 or tick < decision.first_evidence:
        return
    for i in range(1, n):
        if values[i] > values[best]:
            best = i
    if best != decision.chosen:
        decision.chosen = best
        decision.settled = tick
    if decision.confident < 0 and (
        margin(decision, tick, values, weight, scale, n) >= decision.confidence
    ):
        decision.confident = tick


cdef inline double margin(
    Decision* decision, int64_t tick, const double* values, const double* weight,
    const double* scale, int n
) noexcept nogil:
    """Return the softmax of the best class less that of the next; -1 where it cannot suffice."""
    cdef double time = <double>(tick - decision.start) / decision.ticks_per_step
    cdef double top = -1e308, next_ = -1e308, total = 0.0, second = 0.0, raised
    cdef int i, best = 0
    for i in range(n):
        raised = values[i] * weight[i] / scale[i] / time
        if raised > top:
            next_ = top
            top = raised
            best = i
        elif raised > next_:
            next_ = raised
    if top - next_ < decision.decisive:
        return -1.0
    for i in range(n):
        raised = exp(values[i] * weight[i] / scale[i] / time - top)
        total += raised
        if i != best and raised > second:
            second = raised
    return (1.0 - second) / total
