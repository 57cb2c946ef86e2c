"""How the targets of shared weights collect a step's spikes, in C; see `gather.h`."""

from thresher.cython_ext.types cimport int8_t, int32_t, int64_t


cdef extern from "gather.h" nogil:
    ctypedef struct Gather:
        const void* weights
        int64_t taps
        int64_t length
        int32_t outputs
        const int32_t* reads
        const int32_t* read_position
        const int32_t* read_tap
        const int32_t* begin
        const int32_t* channel
        const int8_t* payload

    ctypedef void (*Gathering)(void*, const Gather*) noexcept nogil

    const Gathering GATHER[4]
