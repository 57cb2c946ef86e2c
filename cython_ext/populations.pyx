"""Populations: models, their parameters and the windows of max pools, laid out for the kernels."""

from libc.stdlib cimport calloc, free

from thresher.cython_ext.neurons cimport Population
from thresher.cython_ext.types cimport int32_t, int64_t, uint8_t
from thresher.cython_ext.wiring cimport address


cdef class Populations:
    """Hold what `neurons.h` calls a population, for each, and the counters of max pools.

    Parameters
    ----------
    model, levels : int32 (populations,)
        Models as `neurons.h` numbers them; the largest net count of a signed one.
    hard : uint8 (populations,)
    v_reset, tau : float64 (populations,)
    decays : list of arrays, one a population
        What is left of a distance to v_inf after 0, 1, ... ticks, in the run's precision; empty
        where the model has no leak.
    counter : int64 (projections,)
        The first counter of the sources of a window projection; -1 of another one.
    counters : int
    members, member : int64 (neurons + 1,), int32
        The counters of the sources in each neuron's window, neuron by neuron.
    """

    def __cinit__(
        self, const int32_t[::1] model, const int32_t[::1] levels, const uint8_t[::1] hard,
        const double[::1] v_reset, const double[::1] tau, list decays,
        const int64_t[::1] counter, int64_t counters, const int64_t[::1] members,
        const int32_t[::1] member,
    ):
        cdef int n = <int>model.shape[0], p
        self.arrays = [counter, members, member, *decays]
        self.of = <Population*>calloc(n, sizeof(Population))
        if not self.of:
            raise MemoryError
        for p in range(n):
            self.of[p].model, self.of[p].levels = model[p], levels[p]
            self.of[p].hard, self.of[p].v_reset, self.of[p].tau = hard[p], v_reset[p], tau[p]
            self.of[p].decay = address(decays[p])
            self.of[p].decays = decays[p].size
        self.counter = &counter[0] if counter.shape[0] else NULL
        self.counters = counters
        self.members = &members[0]
        self.member = &member[0] if member.shape[0] else NULL

    def __dealloc__(self):
        free(self.of)
