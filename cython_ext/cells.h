/* The arithmetic of the asynchronous schedule on neighbouring neurons, in every precision.

   What the engine needs of a neuron's potential stands here once, in `cells_of.h`, for the type
   of the membranes and of the weights; `ARITHMETIC` gives the functions of one precision. The loops work
   element by element, without contraction, so that every variant of them gives the same bits. */

#ifndef THRESHER_CELLS_H
#define THRESHER_CELLS_H

#include "precisions.h"

#define SLACK (1.0 / 1048576) /* of a date, for rounding: a fourth would do in float32 */

/* Arrays over neurons; pointers to void lead to numbers of the run's precision. */
typedef struct {
    void *u;                /* potential without the ramp */
    void *limit;            /* what u must reach for the neuron to fire before its block's date */
    const void *current;    /* per step */
    const void *theta;
    const void *v_init;
    const void *ramp;       /* tick -> tick / ticks per step, rounded once; unused by integers */
    float *inverse;         /* ticks that the ramp takes for one unit; FAR where it never rises */
    int32_t *allowed;       /* first tick at which the neuron may fire */
    int64_t ticks_per_step;
    int64_t last;           /* ticks of the run */
} Cells;

typedef struct {
    void (*begin)(const Cells *, int64_t n);
    uint64_t (*arrive)(const Cells *, int64_t base, const void *weights, int64_t row,
                       const int32_t *start, const int32_t *weight, const int32_t *extent,
                       int sign, int n);
    void (*add)(const Cells *, int64_t base, const void *weights, const int32_t *target,
                int64_t first, int64_t end, int sign);
    int64_t (*over)(const Cells *, int64_t first, int64_t end, int64_t tick, int32_t *found);
    void (*reset)(const Cells *, int64_t i, int hard, double v_reset, int64_t tick,
                  int64_t refractory);
    int (*survey)(const Cells *, int64_t first, int64_t end, int64_t tick, int64_t due);
    int64_t (*compare)(const Cells *, int64_t begin, int64_t end, int64_t first, int64_t stop,
                       int64_t tick, int64_t kept, int64_t due, int64_t refractory, int hard,
                       double v_reset, int32_t *found, int *state);
    double (*nearest)(const Cells *, int64_t first, int64_t end, int64_t tick);
    void (*await)(const Cells *, int64_t first, int64_t end, int32_t *due);
    int64_t (*train)(const Cells *, int64_t first, int64_t end, int64_t to, int64_t refractory,
                     int hard, double v_reset, int32_t *due, int32_t *when, int32_t *who);
    double (*value)(const Cells *, int64_t i, int64_t tick);
    double (*rise)(const Cells *, int64_t i);
    void (*store)(const Cells *, int64_t i, int64_t tick, void *out, int64_t at);
} Arithmetic;

enum { OVER = 1, REACHED = 2, KEPT = 4 };

#define BODY "cells_of.h"
#include "each_precision.h"
#undef BODY

#define ARITHMETIC_OF(name)                                                                       \
    { begin_##name, arrive_##name, add_##name, over_##name, reset_##name,                         \
      survey_##name, compare_##name, nearest_##name, await_##name, train_##name, value_##name,    \
      rise_##name, store_##name }

/* By precision: see `Precision` in precisions.h. */
static const Arithmetic ARITHMETIC[] = {
    ARITHMETIC_OF(float32), ARITHMETIC_OF(float64), ARITHMETIC_OF(int32), ARITHMETIC_OF(int64),
};

#endif
