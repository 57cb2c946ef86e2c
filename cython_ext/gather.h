/* What the spikes of a step bring to every target that shares weights, in every precision.

   `GATHER` gives the function of one precision. It adds in a set order and without contraction, so
   that every variant of it gives the same bits. */

#ifndef THRESHER_GATHER_H
#define THRESHER_GATHER_H

#include "precisions.h"

/* Registers of AVX-512, several of a smaller set; then half and a quarter of one. */
typedef float vector_float32 __attribute__((vector_size(64), aligned(4), may_alias));
typedef double vector_float64 __attribute__((vector_size(64), aligned(8), may_alias));
typedef int32_t vector_int32 __attribute__((vector_size(64), aligned(4), may_alias));
typedef int64_t vector_int64 __attribute__((vector_size(64), aligned(8), may_alias));
typedef float half_float32 __attribute__((vector_size(32), aligned(4), may_alias));
typedef double half_float64 __attribute__((vector_size(32), aligned(8), may_alias));
typedef int32_t half_int32 __attribute__((vector_size(32), aligned(4), may_alias));
typedef int64_t half_int64 __attribute__((vector_size(32), aligned(8), may_alias));
typedef float quarter_float32 __attribute__((vector_size(16), aligned(4), may_alias));
typedef double quarter_float64 __attribute__((vector_size(16), aligned(8), may_alias));
typedef int32_t quarter_int32 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int64_t quarter_int64 __attribute__((vector_size(16), aligned(8), may_alias));
typedef int16_t short_16 __attribute__((vector_size(32), aligned(2), may_alias));
typedef int16_t short_8 __attribute__((vector_size(16), aligned(2), may_alias));
typedef int16_t short_4 __attribute__((vector_size(8), aligned(2), may_alias));
typedef int16_t short_2 __attribute__((vector_size(4), aligned(2), may_alias));

/* Read weights as numbers of the membranes' type. */
#define READ_vector_float32(p) (*(const vector_float32 *)(p))
#define READ_half_float32(p) (*(const half_float32 *)(p))
#define READ_quarter_float32(p) (*(const quarter_float32 *)(p))
#define READ_vector_float64(p) (*(const vector_float64 *)(p))
#define READ_half_float64(p) (*(const half_float64 *)(p))
#define READ_quarter_float64(p) (*(const quarter_float64 *)(p))
#define READ_vector_int32(p) __builtin_convertvector(*(const short_16 *)(p), vector_int32)
#define READ_half_int32(p) __builtin_convertvector(*(const short_8 *)(p), half_int32)
#define READ_quarter_int32(p) __builtin_convertvector(*(const short_4 *)(p), quarter_int32)
#define READ_vector_int64(p) __builtin_convertvector(*(const short_8 *)(p), vector_int64)
#define READ_half_int64(p) __builtin_convertvector(*(const short_4 *)(p), half_int64)
#define READ_quarter_int64(p) __builtin_convertvector(*(const short_2 *)(p), quarter_int64)

/* What reaches each output position of a projection with shared weights; see `Projection`. */
typedef struct {
    const void *weights;
    int64_t taps, length;
    int32_t outputs;
    const int32_t *reads, *read_position, *read_tap;
    const int32_t *begin;       /* position -> first of the spikes that enter there */
    const int32_t *channel;     /* entering spike -> its channel */
    const int8_t *payload;      /* entering spike -> its payload; NULL: every one is 1 */
} Gather;

/* Add to `width` vectors of targets, kept in registers, the weights of every spike that reaches
   them. */
#define GATHER_CHUNK(vector, width)                                                               \
    for (; at + (width) * PER(vector) <= length; at += (width) * PER(vector)) {                   \
        vector sum[width];                                                                        \
        for (int j = 0; j < (width); j++)                                                         \
            sum[j] = ((const vector *)(target + at))[j];                                          \
        for (int32_t e = g->reads[o]; e < g->reads[o + 1]; e++) {                                 \
            const weight_t *kernel = weights + g->read_tap[e] * length + at;                      \
            const int32_t *from = g->begin + g->read_position[e];                                 \
            for (int32_t k = from[0]; k < from[1]; k++) {                                         \
                const weight_t *row = kernel + g->channel[k] * per_channel;                       \
                for (int j = 0; j < (width); j++)                                                 \
                    sum[j] += (real)(graded ? g->payload[k] : 1)                                  \
                        * WEIGHTS(vector, row + j * PER(vector));                                 \
            }                                                                                     \
        }                                                                                         \
        for (int j = 0; j < (width); j++)                                                         \
            ((vector *)(target + at))[j] = sum[j];                                                \
    }
#ifdef THRESHER_DEBUG /* vectors are not guarded against overflow: one target at a time */
#undef GATHER_CHUNK
#define GATHER_CHUNK(vector, width)
#endif
#define PER(vector) ((int64_t)(sizeof(vector) / sizeof(real)))
#define WEIGHTS(vector, p) PASTE(READ, vector)(p)

#define BODY "gather_of.h"
#include "each_precision.h"
#undef BODY
#undef PER
#undef WEIGHTS
#undef GATHER_CHUNK

/* By precision: see `Precision` in precisions.h. */
static void (*const GATHER[])(void *input, const Gather *) = {
    gather_float32, gather_float64, gather_int32, gather_int64,
};

#endif
