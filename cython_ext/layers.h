/* The arithmetic of the lockstep schedule on whole populations, in every precision.

   `LAYERS` gives the functions of one precision. The loops add in the order of their arguments
   and without contraction, so that every variant of them gives the same bits. */

#ifndef THRESHER_LAYERS_H
#define THRESHER_LAYERS_H

#include "gather.h"

typedef int32_t mask_float32 __attribute__((vector_size(64)));
typedef int64_t mask_float64 __attribute__((vector_size(64)));
typedef mask_float32 mask_int32;
typedef mask_float64 mask_int64;
typedef int8_t flags_float32 __attribute__((vector_size(16), aligned(1), may_alias));
typedef int8_t flags_float64 __attribute__((vector_size(8), aligned(1), may_alias));
typedef flags_float32 flags_int32;
typedef flags_float64 flags_int64;

typedef struct {
    void (*begin)(void *v, const void *v_init, int64_t n);
    void (*copy)(void *input, const void *current, int64_t offset, int64_t n);
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

#define BODY "layers_of.h"
#include "each_precision.h"
#undef BODY

#define LAYERS_OF(name)                                                                           \
    { begin_##name, copy_##name, spread_##name, deliver_##name, fire_##name, integrate_##name,    \
      value_##name, store_##name }

/* By precision: see `Precision` in precisions.h. */
static const Layers LAYERS[] = {
    LAYERS_OF(float32), LAYERS_OF(float64), LAYERS_OF(int32), LAYERS_OF(int64),
};

#endif
