"""The arithmetic of the asynchronous schedule, in C; `cells.h` says what each function does."""

from thresher.cython_ext.types cimport int32_t, int64_t, uint64_t


cdef extern from "cells.h" nogil:
    const int OVER
    const int REACHED
    const int KEPT

    ctypedef struct Cells:
        void* u
        void* limit
        const void* current
        const void* theta
        const void* v_init
        const void* ramp
        float* inverse
        int32_t* allowed
        int64_t ticks_per_step
        int64_t last

    ctypedef struct Arithmetic:
        void (*begin)(const Cells*, int64_t) noexcept nogil
        uint64_t (*arrive)(
            const Cells*, int64_t, const void*, int64_t, const int32_t*, const int32_t*,
            const int32_t*, int, int) noexcept nogil
        void (*add)(
            const Cells*, int64_t, const void*, const int32_t*, int64_t, int64_t, int,
        ) noexcept nogil
        int64_t (*over)(const Cells*, int64_t, int64_t, int64_t, int32_t*) noexcept nogil
        void (*reset)(const Cells*, int64_t, int, double, int64_t, int64_t) noexcept nogil
        int (*survey)(const Cells*, int64_t, int64_t, int64_t, int64_t) noexcept nogil
        int64_t (*compare)(
            const Cells*, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t,
            int, double, int32_t*, int*) noexcept nogil
        double (*nearest)(const Cells*, int64_t, int64_t, int64_t) noexcept nogil
        void (*await_ "await")(const Cells*, int64_t, int64_t, int32_t*) noexcept nogil
        int64_t (*train)(
            const Cells*, int64_t, int64_t, int64_t, int64_t, int, double, int32_t*, int32_t*,
            int32_t*) noexcept nogil
        double (*value)(const Cells*, int64_t, int64_t) noexcept nogil
        double (*rise)(const Cells*, int64_t) noexcept nogil
        void (*store)(const Cells*, int64_t, int64_t, void*, int64_t) noexcept nogil

    const Arithmetic ARITHMETIC[4]
