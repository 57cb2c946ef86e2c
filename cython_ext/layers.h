/* The arithmetic of the lockstep schedule on whole populations, in every precision.

   `LAYERS` gives the functions of one precision. The loops add in the order of their arguments
   and without contraction, so that every variant of them gives the same bits. */

#ifndef THRESHER_LAYERS_H
#define THRESHER_LAYERS_H

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

typedef int32_t mask_float32 __attribute__((vector_size(64)));
typedef int64_t mask_float64 __attribute__((vector_size(64)));
typedef mask_float32 mask_int32;
typedef mask_float64 mask_int64;
typedef int8_t flags_float32 __attribute__((vector_size(16), aligned(1), may_alias));
typedef int8_t flags_float64 __attribute__((vector_size(8), aligned(1), may_alias));
typedef flags_float32 flags_int32;
typedef flags_float64 flags_int64;

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
} Gather;

typedef struct {
    void (*begin)(void *v, const void *v_init, int64_t n);
    void (*copy)(void *input, const void *current, int64_t offset, int64_t n);
    void (*gather)(void *input, const Gather *);
    void (*spread)(void *input, int64_t base, const void *weights, int64_t row,
                   const int32_t *start, const int32_t *weight, const int32_t *extent, int sign,
                   int32_t n);
    void (*deliver)(void *input, const void *weights, const int32_t *target, int64_t first,
                    int64_t end, int sign);
    void (*fire)(void *v, int64_t offset, const void *input, const void *theta, int hard,
                 double v_reset, uint8_t *fired, int64_t n);
    void (*integrate)(void *v, int64_t offset, const void *input, int64_t n);
    double (*value)(const void *v, int64_t i);
    void (*store)(const void *v, int64_t i, void *out, int64_t at);
} Layers;

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
                    sum[j] += READ(vector, row + j * PER(vector));                                \
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
#define READ(vector, p) PASTE(READ, vector)(p)

#define BODY "layers_of.h"
#include "each_precision.h"
#undef BODY

#define LAYERS_OF(name)                                                                           \
    { begin_##name, copy_##name, gather_##name, spread_##name, deliver_##name, fire_##name,       \
      integrate_##name, value_##name, store_##name }

/* By precision: see `Precision` in precisions.h. */
static const Layers LAYERS[] = {
    LAYERS_OF(float32), LAYERS_OF(float64), LAYERS_OF(int32), LAYERS_OF(int64),
};

#endif
