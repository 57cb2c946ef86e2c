"""The network as the kernels see it."""

from thresher.cython_ext.types cimport Projection, Spikes, int32_t, int64_t, uint8_t


cdef class Wiring:
    cdef readonly int n_populations
    cdef readonly int64_t n_neurons
    cdef readonly int precision   # of the membranes: a Precision of precisions.h
    cdef int width               # bytes of a potential
    cdef double grain            # what the rounding of a ramp may hide of a potential
    cdef list arrays             # keeps alive what the pointers lead to
    cdef const int64_t* offsets  # population -> first neuron; one more at the end
    cdef const uint8_t* fires    # population -> whether it fires (the readout does not)
    cdef const uint8_t* driven   # population -> whether an encoder drives it
    cdef const uint8_t* hard     # population -> hard reset
    cdef const double* v_reset   # population -> potential after a hard reset
    cdef const int32_t* block    # population -> neurons of a block, which share a prediction
    cdef int32_t* block_of       # neuron -> block, counted in its population
    cdef const void* theta       # neuron -> threshold
    cdef const void* v_init      # neuron -> initial potential
    cdef const double* weight    # class -> what a unit of the output's values stands for,
    cdef const double* scale     # times this
    cdef int n_projections
    cdef Projection* projections
    cdef int32_t* out_first      # population -> first entry of out_list; one more at the end
    cdef int32_t* out_list       # projections by source
    cdef int32_t* in_first       # population -> first entry of in_list; one more at the end
    cdef int32_t* in_list        # projections by target
    cdef int64_t longest_delay
    cdef int64_t largest         # neurons of the largest population
    cdef int32_t largest_block
    cdef int32_t most_positions  # positions of the projection that has most

    cdef const void* _pointer(self, values) except? NULL
    cdef const int32_t* _integers(self, const int32_t[::1] values) except? NULL
    cdef int _add_runs(self, Projection* projection, list synapses) except -1
    cdef int _add_sparse(self, Projection* projection, list synapses) except -1
    cdef void _index(self)


cdef const void* address(array) except? NULL
cdef tuple spike_columns(Spikes* spikes)
