/* The precisions of the kernels: types of membranes and weights, ramps, bounds of rounding.

   A ramp adds current * (tick / R) to a potential: in floating point with tick / R rounded once,
   in integers floor(current * tick / R). */

#ifndef THRESHER_PRECISIONS_H
#define THRESHER_PRECISIONS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define VARIANTS __attribute__((target_clones("avx512f", "avx2", "default"), unused))
#else
#define VARIANTS __attribute__((unused))
#endif

#define INLINE static inline __attribute__((always_inline))

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernels read eight flags at a time and expect a little-endian processor"
#endif

/* float32 and float64 have weights of their own type; int32 and int64 membranes have int16. */
enum Precision { FLOAT32, FLOAT64, INT32, INT64 };

/* Names of one precision, in a file that is included once for each with its NAME. */
#define PASTE_(name, suffix) name##_##suffix
#define PASTE(name, suffix) PASTE_(name, suffix)
#define OF(name) PASTE(name, NAME)

#define LANES 16

/* The number of the lowest bit that is set; `bits` is not 0. */
static inline int lowest_bit(uint64_t bits) { return __builtin_ctzll(bits); }

/* A tick as the ramp takes it. */
typedef float now_float32;
typedef double now_float64;
typedef struct { int64_t tick, per_step; int shift; } now_int32;
typedef now_int32 now_int64;

static inline float moment_float32(const void *ramp, int64_t tick, int64_t per_step)
{
    (void)per_step;
    return ((const float *)ramp)[tick];
}

static inline double moment_float64(const void *ramp, int64_t tick, int64_t per_step)
{
    (void)per_step;
    return ((const double *)ramp)[tick];
}

static inline now_int32 moment_int32(const void *ramp, int64_t tick, int64_t per_step)
{
    (void)ramp;
    return (now_int32){
        tick, per_step, per_step & (per_step - 1) ? -1 : __builtin_ctzll((uint64_t)per_step)
    };
}

#define moment_int64 moment_int32

/* floor(current * tick / R), which rounds towards minus infinity where C's division does not. */
static inline int64_t rise_of(int64_t current, now_int32 now)
{
    int64_t product = current * now.tick, quotient;
    if (now.shift >= 0)
        return product >> now.shift;
    quotient = product / now.per_step;
    return quotient - (product % now.per_step < 0);
}

#define RISE_float32(current, now) ((current) * (now))
#define RISE_float64(current, now) ((current) * (now))
#define RISE_int32(current, now) ((int32_t)rise_of(current, now))
#define RISE_int64(current, now) rise_of(current, now)

/* How often a unit goes into a potential, both above 0: whole numbers towards 0, and away from it. */
#define FLOORED_float32(v, unit) floorf((v) / (unit))
#define FLOORED_float64(v, unit) floor((v) / (unit))
#define FLOORED_int32(v, unit) ((v) / (unit))
#define FLOORED_int64(v, unit) ((v) / (unit))
#define CEILED_float32(v, unit) ceilf((v) / (unit))
#define CEILED_float64(v, unit) ceil((v) / (unit))
#define CEILED_int32(v, unit) ((v) / (unit) + ((v) % (unit) != 0))
#define CEILED_int64(v, unit) ((v) / (unit) + ((v) % (unit) != 0))

/* Never reached by a potential. */
#define LARGEST_float32 1e30f
#define LARGEST_float64 1e30
#define LARGEST_int32 INT32_MAX
#define LARGEST_int64 INT64_MAX

/* By how much a limit stays below what it stands for, so that rounding cannot pass it. */
#define SIZE(x) ((x) < 0 ? -(x) : (x))
#define MARGIN_float32(theta, current, steps)                                                     \
    ((float)SLACK * ((theta) + SIZE(current) * (steps)))
#define MARGIN_float64(theta, current, steps) (SLACK * ((theta) + SIZE(current) * (steps)))
#define MARGIN_int32(theta, current, steps) 0
#define MARGIN_int64(theta, current, steps) 0

/* The ticks from `tick` on in which a ramp cannot reach theta; rounding is kept from passing it. */
#define AHEAD_float32(theta, u, current, now, inverse, steps, tick)                               \
    (((theta) - ((u) + (current) * (now)) - MARGIN_float32(theta, current, steps)) * (inverse)    \
     * (float)(1 - SLACK) - 1)
#define AHEAD_float64(theta, u, current, now, inverse, steps, tick)                               \
    (((theta) - ((u) + (current) * (now)) - MARGIN_float64(theta, current, steps)) * (inverse)    \
     * (1 - SLACK) - 1)
#define AHEAD_int32(theta, u, current, now, inverse, steps, tick)                                 \
    ((double)((theta) - (u)) * (inverse) * (1 - SLACK) - 1 - (tick))
#define AHEAD_int64 AHEAD_int32

/* Dates are estimated in floating point, in ticks; FAR stands for never. */
#define FAR 1e30f
typedef float estimate_float32;
typedef double estimate_float64;
typedef double estimate_int32;
typedef double estimate_int64;

#endif
