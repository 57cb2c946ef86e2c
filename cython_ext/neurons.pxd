"""The arithmetic of every neuron model, in C; `neurons.h` says what each function does."""

from thresher.cython_ext.types cimport int32_t, int64_t


cdef extern from "neurons.h" nogil:
    const int64_t NO_TICK
    const int PLAIN
    const int DIFFERENTIAL
    const int GRADED
    const int LEAKY
    const int POOL

    ctypedef struct Neurons:
        void* v
        void* current
        const void* theta
        const void* above
        const void* below
        const void* down
        const void* v_init
        const void* ramp
        void* v_inf
        float* inverse
        int32_t* n
        int32_t* largest
        double* said
        int64_t* since
        int32_t* allowed
        int64_t ticks_per_step
        int64_t end
        int lockstep

    ctypedef struct Population:
        int model
        int hard
        double v_reset
        int rounding
        int32_t cap
        int32_t least
        int32_t most
        double ceiling
        int operates
        double tau
        const void* decay
        int64_t decays

    ctypedef struct Arrival:
        int64_t base
        int64_t row
        const void* weights
        const int32_t* start
        const int32_t* weight
        const int32_t* extent
        int n
        int sign
        int64_t sent

    ctypedef struct Models:
        void (*begin)(const Neurons*, const Population*, int64_t, int64_t) noexcept nogil
        int (*sign)(const Neurons*, const Population*, int64_t, int64_t) noexcept nogil
        void (*reset)(const Neurons*, const Population*, int64_t, int, int64_t) noexcept nogil
        int64_t (*firing)(
            const Neurons*, const Population*, int64_t, int64_t, int64_t, int32_t*) noexcept nogil
        int64_t (*due)(
            const Neurons*, const Population*, int64_t, int64_t, int64_t) noexcept nogil
        int (*quiet)(
            const Neurons*, const Population*, int64_t, int64_t, int64_t, int64_t) noexcept nogil
        void (*add_runs)(void*, const Arrival*) noexcept nogil
        void (*add_listed)(void*, const Arrival*, const int32_t*, int64_t) noexcept nogil
        void (*hold_runs)(const Neurons*, const Arrival*, int64_t) noexcept nogil
        void (*hold_listed)(
            const Neurons*, const Arrival*, int64_t, const int32_t*, int64_t) noexcept nogil
        void (*settle_runs)(
            const Neurons*, const Population*, const Arrival*, int64_t) noexcept nogil
        void (*settle_listed)(
            const Neurons*, const Population*, const Arrival*, const int32_t*, int64_t, int64_t,
        ) noexcept nogil
        void (*open_step)(
            const Neurons*, const Population*, void*, int64_t, int64_t, int64_t) noexcept nogil
        void (*end_input)(const Neurons*, const Population*, int64_t, int64_t) noexcept nogil
        void (*close_step)(
            const Neurons*, const Population*, const void*, int64_t, int64_t, int64_t,
        ) noexcept nogil
        void (*seek)(const Neurons*, int64_t, int64_t, const void*, int64_t) noexcept nogil
        double (*value)(const Neurons*, const Population*, int64_t, int64_t) noexcept nogil
        void (*store)(
            const Neurons*, const Population*, int64_t, int64_t, void*, int64_t) noexcept nogil

    const Models MODELS[4]
