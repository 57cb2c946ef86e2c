"""Types that the kernels share."""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint64_t

cdef extern from "precisions.h" nogil:
    const int FLOAT32
    const int FLOAT64
    const int INT32
    const int INT64
    int lowest_bit(uint64_t) noexcept

cdef enum Kind:
    RUNS = 0    # shared weights, runs of neighbouring targets (conv, dense)
    SPARSE = 1  # synapses one by one (identity, sparse)

cdef struct Projection:
    int32_t source          # population
    int32_t target          # population
    int64_t delay           # ticks
    int32_t kind            # a Kind
    const void* weights     # runs: (channels, taps, length); sparse: (synapses,)
    # runs
    const int32_t* position # source neuron -> where it enters the kernel, -1: it reaches nothing
    const int32_t* channel  # source neuron -> the channel by which it enters
    const int32_t* runs     # position -> first run; one more at the end
    const int32_t* start    # run -> first target, for group 0
    const int32_t* weight   # run -> first weight, in its channel's
    const int32_t* extent   # run -> targets
    const int32_t* reach    # position -> targets of all its runs
    int32_t positions       # positions of the rows
    int32_t outputs         # positions of the targets where groups are one, else 0
    const int32_t* reads    # output -> first of what reaches it; one more at the end
    const int32_t* read_position  # ascending
    const int32_t* read_tap
    int32_t taps
    int32_t length          # targets of a tap
    int32_t per_group       # input channels of a group
    # sparse
    const int64_t* indptr   # source neuron -> first synapse; one more at the end
    const int32_t* indices  # synapse -> target

cdef struct Spikes:
    # A growing list of spikes in the order of emission.
    int64_t n
    int64_t capacity
    int64_t* tick
    int16_t* population
    int32_t* neuron
    int8_t* sign

cdef struct Decision:
    # What the readout says, and since when; times in ticks, -1: did not come.
    int64_t ticks_per_step
    int64_t start           # decisions count from after this tick
    double confidence       # margin of the softmax to wait for
    double decisive         # lead of the best logit below which the margin cannot be that
    int64_t chosen          # class, -1 before the first evidence
    int64_t first_evidence
    int64_t settled
    int64_t confident
