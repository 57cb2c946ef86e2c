"""Populations: models, their parameters and the windows of max pools, laid out for the kernels."""

import numpy as np

from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from thresher.cython_ext.neurons cimport Population
from thresher.cython_ext.types cimport int32_t, int64_t, uint8_t
from thresher.cython_ext.wiring cimport address


cdef class Populations:
    """Hold what `neurons.h` calls a population, for each, and the counters of max pools.

    Parameters
    ----------
    model : int32 (populations,)
        As `neurons.h` numbers them.
    rule : int32 (populations, 4)
        Of a graded model: rounding as `neurons.h` numbers it, cap, least and most.
    ceiling : float64 (populations,)
        Of a differential model: the largest value that it says, in thresholds.
    above, below, down : arrays (neurons,) in the run's precision
        Of graded models: where they fire upwards and downwards, and what the latter gives back.
    hard : uint8 (populations,)
    v_reset, tau : float64 (populations,)
    decays : list of arrays, one a population
        What is left of a distance to v_inf after 0, 1, ... ticks, in the run's precision; empty
        where the model has no leak.
    operations : list, one a population
        What a population seeks, from the potentials of the one before it (the operand) and the
        number of steps: arrays (neurons,) in the run's precision. None where it seeks nothing.
    counter : int64 (projections,)
        The first counter of the sources of a window projection; -1 of another one.
    counters : int
    members, member : int64 (neurons + 1,), int32
        The counters of the sources in each neuron's window, neuron by neuron.
    """

    def __cinit__(
        self, const int32_t[::1] model, const int32_t[:, ::1] rule,
        const double[::1] ceiling, above, below, down,
        const uint8_t[::1] hard, const double[::1] v_reset, const double[::1] tau, list decays,
        list operations, const int64_t[::1] counter, int64_t counters, const int64_t[::1] members,
        const int32_t[::1] member,
    ):
        cdef int n = <int>model.shape[0], p
        self.arrays = [counter, members, member, above, below, down, *decays]
        self.operations, self.dtype = operations, above.dtype
        self.above, self.below, self.down = address(above), address(below), address(down)
        self.of = <Population*>calloc(n, sizeof(Population))
        if not self.of:
            raise MemoryError
        for p in range(n):
            self.of[p].model = model[p]
            self.of[p].rounding, self.of[p].cap = rule[p, 0], rule[p, 1]
            self.of[p].least, self.of[p].most = rule[p, 2], rule[p, 3]
            self.of[p].ceiling = ceiling[p]
            self.of[p].hard, self.of[p].v_reset, self.of[p].tau = hard[p], v_reset[p], tau[p]
            self.of[p].decay = address(decays[p])
            self.of[p].decays = decays[p].size
            self.of[p].operates = operations[p] is not None
            self.any_operates |= self.of[p].operates
        self.counter = &counter[0] if counter.shape[0] else NULL
        self.counters = counters
        self.members = &members[0]
        self.member = &member[0] if member.shape[0] else NULL

    cdef int operate(
        self, int p, void* total, int64_t n_total, void* sought, int64_t n, int64_t steps
    ) except -1:
        """Seek what a population's operation makes of its operand's potentials."""
        cdef int64_t width = self.dtype.itemsize
        gathered = np.frombuffer(<uint8_t[:n_total * width]>total, self.dtype).copy()
        found = np.ascontiguousarray(self.operations[p](gathered, steps), self.dtype)
        if found.size != n:
            raise ValueError(f"an operation gives {found.size} values for {n} neurons")
        memcpy(sought, address(found), n * width)
        return 0

    def __dealloc__(self):
        free(self.of)
