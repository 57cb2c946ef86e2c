"""What a run of any neuron models keeps, in both schedules, and its memory."""

from libc.stdlib cimport calloc, free, malloc

from thresher.cython_ext.measures cimport decide, free_spikes, record, saw_evidence
from thresher.cython_ext.neurons cimport MODELS, Models, Neurons
from thresher.cython_ext.populations cimport Populations
from thresher.cython_ext.types cimport (
    Decision, Projection, Spikes, int8_t, int32_t, int64_t, uint8_t,
)
from thresher.cython_ext.wiring cimport Wiring


cdef struct Core:
    int64_t tick
    int64_t end               # last tick of the input
    int64_t last              # last tick of the run
    int64_t last_event        # tick of the last arrival or spike
    Neurons neurons
    const Models* on          # what to do with them, in the run's precision
    int32_t* arrived          # counter of a window's source -> its net count so far
    void* total               # what an operand has gathered
    void* sought              # what an operation makes of it
    void* errors              # list of what operations raised
    double* values            # two per class: value, value at t_start
    const uint8_t* kept       # population -> whether its spikes are recorded
    int64_t* counts           # population -> spikes
    int64_t operations
    int64_t events
    int64_t pending           # spikes on their way
    bint beyond               # whether one would arrive after the run
    int64_t peak
    bint failed               # memory ran out
    Spikes spikes
    Decision decision


cdef inline int64_t packed(int64_t number, int64_t neuron, int sign) noexcept nogil:
    """Write a spike as one number: what it is numbered by, its neuron (32 bits), payload (8)."""
    return (number << 40) | (neuron << 8) | (sign & 0xff)


cdef inline int64_t number_of(int64_t spike) noexcept nogil:
    return spike >> 40


cdef inline int32_t neuron_of(int64_t spike) noexcept nogil:
    return <int32_t>(spike >> 8)


cdef inline int sign_of(int64_t spike) noexcept nogil:
    return <int8_t>spike


cdef inline void allocate(Wiring wiring, Populations populations, Core* core) noexcept nogil:
    cdef int64_t n = wiring.n_neurons, output = n - wiring.offsets[wiring.n_populations - 1]
    cdef int p
    core.neurons.v = malloc(n * wiring.width)
    core.neurons.v_inf = malloc(n * wiring.width)
    core.neurons.inverse = <float*>malloc(n * sizeof(float))
    core.neurons.n = <int32_t*>malloc(n * sizeof(int32_t))
    core.neurons.largest = <int32_t*>malloc(n * sizeof(int32_t))
    core.neurons.said = <double*>malloc(n * sizeof(double))
    core.neurons.since = <int64_t*>malloc(n * sizeof(int64_t))
    core.neurons.allowed = <int32_t*>malloc(n * sizeof(int32_t))
    core.arrived = <int32_t*>calloc(populations.counters + 1, sizeof(int32_t))
    core.total = malloc(wiring.largest * wiring.width)
    core.sought = malloc(wiring.largest * wiring.width)
    core.values = <double*>calloc(2 * output, sizeof(double))
    if not (
        core.neurons.v and core.neurons.v_inf and core.neurons.inverse and core.neurons.n
        and core.neurons.largest and core.neurons.said and core.neurons.since
        and core.neurons.allowed and core.arrived and core.total and core.sought and core.values
    ):
        core.failed = True
        return
    core.neurons.theta, core.neurons.v_init = wiring.theta, wiring.v_init
    core.neurons.above, core.neurons.below = populations.above, populations.below
    core.neurons.down = populations.down
    core.neurons.end, core.neurons.ticks_per_step = core.end, core.decision.ticks_per_step
    core.on = &MODELS[wiring.precision]
    for p in range(wiring.n_populations):
        core.on.begin(
            &core.neurons, &populations.of[p], wiring.offsets[p], wiring.offsets[p + 1]
        )


cdef inline void release(Core* core) noexcept nogil:
    free(core.neurons.v)
    free(core.neurons.v_inf)
    free(core.neurons.inverse)
    free(core.neurons.n)
    free(core.neurons.largest)
    free(core.neurons.said)
    free(core.neurons.since)
    free(core.neurons.allowed)
    free(core.arrived)
    free(core.total)
    free(core.sought)
    free(core.values)
    free_spikes(&core.spikes)


cdef inline void count_spike(
    Wiring wiring, Core* core, int p, int32_t neuron, int sign
) noexcept nogil:
    """Count a spike, and record it where it is to be kept."""
    core.counts[p] += 1
    core.last_event = core.tick
    if core.kept[p] and not record(&core.spikes, core.tick, p, neuron, sign):
        core.failed = True
    if p == wiring.n_populations - 1:
        core.values[neuron] += sign
        saw_evidence(&core.decision, core.tick)


cdef inline void count_in_windows(
    Wiring wiring, Populations populations, Core* core, int32_t number, int32_t neuron, int sign
) noexcept nogil:
    """Let the max pools that read a source know its net count."""
    cdef Projection* projection = &wiring.projections[number]
    cdef int32_t* n = &core.arrived[populations.counter[number] + neuron]
    cdef int64_t synapse, window, k
    cdef int32_t largest
    n[0] += sign
    for synapse in range(projection.indptr[neuron], projection.indptr[neuron + 1]):
        window = wiring.offsets[projection.target] + projection.indices[synapse]
        largest = core.neurons.largest[window]
        if n[0] > largest:
            core.neurons.largest[window] = n[0]
        elif sign < 0 and n[0] - sign == largest:
            largest = 0
            for k in range(populations.members[window], populations.members[window + 1]):
                largest = max(largest, core.arrived[populations.member[k]])
            core.neurons.largest[window] = largest


cdef inline void operate(Wiring wiring, Populations populations, Core* core, int p) noexcept nogil:
    """Set an operator's potentials at the end of a step, from those of its operand."""
    cdef int64_t first = wiring.offsets[p - 1], end = wiring.offsets[p], i
    cdef int64_t n = wiring.offsets[p + 1] - end
    cdef int64_t steps = core.tick // core.decision.ticks_per_step
    core.events += 1
    for i in range(first, end):
        core.on.store(
            &core.neurons, &populations.of[p - 1], i, core.tick, core.total, i - first
        )
    with gil:
        try:
            populations.operate(p, core.total, end - first, core.sought, n, steps)
        except BaseException as error:
            (<list>core.errors).append(error)
            core.failed = True
            return
    core.on.seek(&core.neurons, end, end + n, core.sought, steps)


cdef inline void observe(Wiring wiring, Populations populations, Core* core) noexcept nogil:
    """Let the decision see the output after this tick; time stops where the input ends."""
    cdef int output = wiring.n_populations - 1, i
    cdef int64_t offset = wiring.offsets[output], late = max(core.tick - core.end, 0)
    cdef int n = <int>(wiring.n_neurons - offset)
    cdef double* base = core.values + n
    if not wiring.fires[output]:
        for i in range(n):
            core.values[i] = core.on.value(
                &core.neurons, &populations.of[output], offset + i, core.tick
            )
    if core.tick == core.decision.start:
        for i in range(n):
            base[i] = core.values[i]
    for i in range(n):
        core.values[i] -= base[i]
    core.decision.start += late
    decide(&core.decision, core.tick, core.values, wiring.weight, wiring.scale, n)
    core.decision.start -= late
    for i in range(n):
        core.values[i] += base[i]


cdef inline void store(
    Wiring wiring, Populations populations, Core* core, int64_t neuron, void* out, int64_t at
) noexcept nogil:
    """Write a neuron's potential, whichever population it is of."""
    cdef int p = 0
    while wiring.offsets[p + 1] <= neuron:
        p += 1
    core.on.store(&core.neurons, &populations.of[p], neuron, core.tick, out, at)


cdef inline bint is_waiting(
    Wiring wiring, Populations populations, Core* core, bint rests
) noexcept nogil:
    """Tell whether a neuron is to fire at the next tick at which it may, if nothing arrives."""
    cdef int64_t i, at
    cdef int p
    for p in range(wiring.n_populations):
        if not wiring.fires[p] or wiring.driven[p]:
            continue
        for i in range(wiring.offsets[p], wiring.offsets[p + 1]):
            at = max(core.tick + 1, <int64_t>core.neurons.allowed[i]) if rests else core.tick
            if core.on.sign(&core.neurons, &populations.of[p], i, at):
                return True
    return False
