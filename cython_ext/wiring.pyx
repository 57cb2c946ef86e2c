"""Wiring: a network's arrays, laid out once for the kernels."""

import numpy as np

from libc.stdlib cimport calloc, free

from thresher.cython_ext.types cimport (
    FLOAT32, FLOAT64, INT32, INT64, RUNS, SPARSE, Projection, Spikes, int8_t, int16_t, int32_t,
    int64_t, uint8_t,
)

cdef dict PRECISIONS = {"float32": FLOAT32, "float64": FLOAT64, "int32": INT32, "int64": INT64}


cdef class Wiring:
    """Hold pointers into a network's arrays, which must be contiguous and of one precision.

    Parameters
    ----------
    offsets : int64 (populations + 1,)
    fires, driven, hard : uint8 (populations,)
    v_reset : float64 (populations,)
    block : int32 (populations,)
    theta, v_init : float32, float64, int32 or int64 (neurons,)
        Weights are of the same type, or int16 where membranes are integers.
    weight, scale : float64 (classes,)
        weight / scale turns the output's values (potentials, or spike counts) into logits.
    projections : list
        (source, target, delay, position, channel, runs, start, weight, extent, reach, weights,
        groups, reads, read_position, read_tap) of shared weights (the last three: what reaches
        each output, empty for groups), or (source, target, delay, indptr, indices, weights) of
        synapses one by one; `types.pxd` says what they are.
    """

    def __cinit__(
        self, const int64_t[::1] offsets, const uint8_t[::1] fires, const uint8_t[::1] driven,
        const uint8_t[::1] hard, const double[::1] v_reset, const int32_t[::1] block,
        theta, v_init, weight, scale, list projections,
    ):
        self.arrays = [offsets, fires, driven, hard, v_reset, block, theta, v_init]
        self.n_populations = <int>fires.shape[0]
        self.n_neurons = offsets[self.n_populations]
        self.largest = max(
            offsets[i + 1] - offsets[i] for i in range(self.n_populations)
        )
        self.precision = PRECISIONS[theta.dtype.name]
        self.width = theta.dtype.itemsize
        self.grain = 2.0 if theta.dtype.kind == "i" else 0.0
        self.largest_block = max(block)
        self.offsets = &offsets[0]
        self.fires = &fires[0]
        self.driven = &driven[0]
        self.hard = &hard[0]
        self.v_reset = &v_reset[0]
        self.block = &block[0]
        self.theta = self._pointer(theta)
        self.v_init = self._pointer(v_init)
        self.weight = <const double*>self._pointer(weight)
        self.scale = <const double*>self._pointer(scale)
        self.n_projections = <int>len(projections)
        self.projections = <Projection*>calloc(self.n_projections + 1, sizeof(Projection))
        self.out_first = <int32_t*>calloc(self.n_populations + 1, sizeof(int32_t))
        self.out_list = <int32_t*>calloc(self.n_projections + 1, sizeof(int32_t))
        self.in_first = <int32_t*>calloc(self.n_populations + 1, sizeof(int32_t))
        self.in_list = <int32_t*>calloc(self.n_projections + 1, sizeof(int32_t))
        self.block_of = <int32_t*>calloc(self.n_neurons + 1, sizeof(int32_t))
        if not (
            self.block_of and self.projections and self.out_first and self.out_list
            and self.in_first and self.in_list
        ):
            raise MemoryError
        for number, (source, target, delay, *synapses) in enumerate(projections):
            self.projections[number].source = source
            self.projections[number].target = target
            self.projections[number].delay = delay
            self.longest_delay = max(self.longest_delay, <int64_t>delay)
            if len(synapses) > 3:  # shared weights
                self._add_runs(&self.projections[number], synapses)
            else:
                self._add_sparse(&self.projections[number], synapses)
        self._index()

    def __dealloc__(self):
        free(self.block_of)
        free(self.projections)
        free(self.out_first)
        free(self.out_list)
        free(self.in_first)
        free(self.in_list)

    cdef const void* _pointer(self, values) except? NULL:
        self.arrays.append(values)
        return address(values)

    cdef const int32_t* _integers(self, const int32_t[::1] values) except? NULL:
        self.arrays.append(values)
        return &values[0] if values.shape[0] else NULL

    cdef int _add_runs(self, Projection* projection, list synapses) except -1:
        position, channel, runs, start, weight, extent, reach, weights, groups, *reads = synapses
        projection.kind = RUNS
        projection.position = self._integers(position)
        projection.channel = self._integers(channel)
        projection.runs = self._integers(runs)
        projection.start = self._integers(start)
        projection.weight = self._integers(weight)
        projection.extent = self._integers(extent)
        projection.reach = self._integers(reach)
        projection.positions = reach.shape[0]
        self.most_positions = max(self.most_positions, projection.positions)
        projection.outputs = reads[0].shape[0] - 1
        projection.reads = self._integers(reads[0])
        projection.read_position = self._integers(reads[1])
        projection.read_tap = self._integers(reads[2])
        projection.weights = self._pointer(weights)
        projection.taps = weights.shape[1]
        projection.length = weights.shape[2]
        projection.per_group = weights.shape[0] // groups
        return 0

    cdef int _add_sparse(self, Projection* projection, list synapses) except -1:
        indices, weights = synapses[1:]
        cdef const int64_t[::1] indptr = synapses[0]
        self.arrays.append(indptr)
        projection.kind = SPARSE
        projection.indptr = &indptr[0]
        projection.indices = self._integers(indices)
        projection.weights = self._pointer(weights)
        return 0

    cdef void _index(self):
        cdef int population, number, outgoing = 0, incoming = 0
        cdef int64_t neuron
        for population in range(self.n_populations):
            for neuron in range(self.offsets[population], self.offsets[population + 1]):
                self.block_of[neuron] = <int32_t>(
                    (neuron - self.offsets[population]) // self.block[population]
                )
            self.out_first[population] = outgoing
            self.in_first[population] = incoming
            for number in range(self.n_projections):
                if self.projections[number].source == population:
                    self.out_list[outgoing] = number
                    outgoing += 1
                if self.projections[number].target == population:
                    self.in_list[incoming] = number
                    incoming += 1
        self.out_first[self.n_populations] = outgoing
        self.in_first[self.n_populations] = incoming


cdef const void* address(array) except? NULL:
    """Return where a contiguous array begins; NULL where it is empty."""
    cdef const uint8_t[::1] raw
    if not array.flags.c_contiguous:
        raise ValueError("the kernels need contiguous arrays")
    if not array.size:
        return NULL
    raw = array.reshape(-1).view(np.uint8)
    return &raw[0]


cdef tuple spike_columns(Spikes* spikes):
    """Copy the recorded spikes out: ticks, populations, neurons, signs."""
    if not spikes.n:
        return (
            np.zeros(0, np.int64), np.zeros(0, np.int16), np.zeros(0, np.int32),
            np.zeros(0, np.int8),
        )
    return (
        np.array(<int64_t[:spikes.n]>spikes.tick), np.array(<int16_t[:spikes.n]>spikes.population),
        np.array(<int32_t[:spikes.n]>spikes.neuron), np.array(<int8_t[:spikes.n]>spikes.sign),
    )
