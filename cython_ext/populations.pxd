"""Populations: what every neuron model needs besides the wiring."""

from thresher.cython_ext.neurons cimport Population
from thresher.cython_ext.types cimport int32_t, int64_t


cdef class Populations:
    cdef list arrays                # keeps alive what the pointers lead to
    cdef Population* of             # population -> its model and parameters
    cdef list operations            # population -> what it seeks of its operand; None: nothing
    cdef bint any_operates
    cdef object dtype               # of the run's precision
    cdef const void* above          # neuron -> where it fires upwards, of graded models
    cdef const void* below          # and downwards
    cdef const void* down           # what a spike downwards gives back
    cdef const int64_t* counter     # projection -> first counter of its sources; -1: no window
    cdef int64_t counters
    cdef const int64_t* members     # neuron -> first source of its window; one more at the end
    cdef const int32_t* member      # source of a window -> its counter
    cdef int operate(
        self, int p, void* total, int64_t n_total, void* sought, int64_t n, int64_t steps
    ) except -1
