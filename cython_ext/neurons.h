/* The arithmetic of every neuron model, neuron by neuron, in every precision.

   `sim/neurons` says what each function computes; it stands here once, in `neurons_of.h`, for the
   type of the membranes and of the weights, and gives the same bits. `MODELS` holds the functions
   of one precision. */

#ifndef THRESHER_NEURONS_H
#define THRESHER_NEURONS_H

#include <math.h>

#include "precisions.h"

#define NO_TICK INT64_MAX
#define DOUBT (1.0 / 1048576) /* of what a date is computed from: four times float32's rounding */
#define SAID 1e-9              /* thresholds: `said` may be so much below a whole number of them */

enum Model { PLAIN, DIFFERENTIAL, GRADED, LEAKY, POOL };

/* How a graded neuron counts the units in its potential: towards minus infinity, towards zero, or
   by the largest power of two that `above` leaves. */
enum Rounding { DOWNWARDS, TOWARDS_ZERO, POWERS };

/* Arrays over all neurons; pointers to void lead to numbers of the run's precision. */
typedef struct {
    void *v;              /* if, graded: potential without the ramp; lif: potential at `since` */
    void *current;        /* per step; differential spikes and the end of the input change it */
    const void *theta;
    const void *above;    /* graded: fires upwards from here on */
    const void *below;    /* graded: fires downwards under this */
    const void *down;     /* graded: what a spike downwards gives back, a unit of its payload */
    const void *v_init;
    const void *ramp;     /* tick -> tick / ticks per step, rounded once; unused by integers */
    void *v_inf;          /* lif: where the constant current leads */
    float *inverse;       /* ticks in which the current brings one unit, of its sign; 0: never */
    int32_t *n;           /* graded, pool: net count that was sent */
    int32_t *largest;     /* pool: largest count that arrived */
    double *said;         /* differential: the value that is said, in thresholds */
    int64_t *since;       /* lif: tick of the last event */
    int32_t *allowed;     /* first tick at which the neuron may fire */
    int64_t ticks_per_step;
    int64_t end;          /* last tick of the input */
    int lockstep;
} Neurons;

/* What the neurons of a population have in common. */
typedef struct {
    int model;
    int hard;
    double v_reset;
    int rounding;         /* graded and differential: a Rounding, */
    int32_t cap;          /* the largest payload, */
    int32_t least, most;  /* and the bounds of the net count */
    double ceiling;       /* differential: the largest value that is said, in thresholds */
    int operates;         /* whether its potentials are sought by an operation, once a step */
    double tau;           /* lif: time constant of the leak, in steps */
    const void *decay;    /* lif: ticks -> what is left of a distance to v_inf */
    int64_t decays;
} Population;

/* What one spike brings: n runs of targets from `base` on, and weights from `row` on. */
typedef struct {
    int64_t base, row;
    const void *weights;
    const int32_t *start, *weight, *extent;
    int n, sign;
    int64_t sent;         /* differential: the step in which it was */
} Arrival;

typedef struct {
    void (*begin)(const Neurons *, const Population *, int64_t first, int64_t end);
    int (*sign)(const Neurons *, const Population *, int64_t i, int64_t tick);  /* payload */
    void (*reset)(const Neurons *, const Population *, int64_t i, int sign, int64_t tick);
    int64_t (*firing)(const Neurons *, const Population *, int64_t first, int64_t end,
                      int64_t tick, int32_t *found);
    int64_t (*due)(const Neurons *, const Population *, int64_t first, int64_t end, int64_t tick);
    int (*quiet)(const Neurons *, const Population *, int64_t first, int64_t end, int64_t tick,
                 int64_t until);
    void (*add_runs)(void *to, const Arrival *);
    void (*add_listed)(void *to, const Arrival *, const int32_t *target, int64_t n);
    void (*hold_runs)(const Neurons *, const Arrival *, int64_t first);
    void (*hold_listed)(const Neurons *, const Arrival *, int64_t first, const int32_t *target,
                        int64_t n);
    void (*settle_runs)(const Neurons *, const Population *, const Arrival *, int64_t tick);
    void (*settle_listed)(
        const Neurons *, const Population *, const Arrival *, const int32_t *target, int64_t n,
        int64_t tick);
    void (*open_step)(const Neurons *, const Population *, void *sum, int64_t first, int64_t end,
                      int64_t step);
    void (*end_input)(const Neurons *, const Population *, int64_t first, int64_t end);
    void (*close_step)(const Neurons *, const Population *, const void *sum, int64_t first,
                       int64_t end, int64_t step);
    void (*seek)(const Neurons *, int64_t first, int64_t end, const void *sought, int64_t steps);
    double (*value)(const Neurons *, const Population *, int64_t i, int64_t tick);
    void (*store)(const Neurons *, const Population *, int64_t i, int64_t tick, void *out,
                  int64_t at);
} Models;

#define BODY "neurons_of.h"
#include "each_precision.h"
#undef BODY

#define MODELS_OF(name)                                                                           \
    { begin_##name, sign_##name, reset_##name, firing_##name, due_##name, quiet_##name,           \
      add_runs_##name, add_listed_##name, hold_runs_##name, hold_listed_##name,                   \
      settle_runs_##name, settle_listed_##name, open_step_##name, end_input_##name,               \
      close_step_##name, seek_##name, value_##name, store_##name }

/* By precision: see `Precision` in precisions.h. */
static const Models MODELS[] = {
    MODELS_OF(float32), MODELS_OF(float64), MODELS_OF(int32), MODELS_OF(int64),
};

#endif
