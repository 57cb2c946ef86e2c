"""The arithmetic of the lockstep schedule, in C; `layers.h` says what each function does."""

from thresher.cython_ext.types cimport int32_t, int64_t, uint8_t


cdef extern from "layers.h" nogil:
    ctypedef struct Layers:
        void (*begin)(void*, const void*, int64_t) noexcept nogil
        void (*copy)(void*, const void*, int64_t, int64_t) noexcept nogil
        void (*spread)(
            void*, int64_t, const void*, int64_t, const int32_t*, const int32_t*, const int32_t*,
            int, int32_t) noexcept nogil
        void (*deliver)(
            void*, const void*, const int32_t*, int64_t, int64_t, int) noexcept nogil
        void (*fire)(
            void*, int64_t, const void*, const void*, int, double, uint8_t*, int64_t,
        ) noexcept nogil
        void (*integrate)(void*, int64_t, const void*, int64_t) noexcept nogil
        double (*value)(const void*, int64_t) noexcept nogil
        void (*store)(const void*, int64_t, void*, int64_t) noexcept nogil

    const Layers LAYERS[4]
