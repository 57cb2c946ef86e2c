/* The inner loops of the kernels, for float and double.

   Each is compiled for several instruction sets; the one that the processor has is chosen when
   the module is loaded. They work element by element, without contraction, so that every
   variant gives the same bits. */

#ifndef THRESHER_LOOPS_H
#define THRESHER_LOOPS_H

#include <stdint.h>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define VARIANTS __attribute__((target_clones("avx512f", "avx2", "default"), unused))
#else
#define VARIANTS __attribute__((unused))
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernels read eight flags at a time and expect a little-endian processor"
#endif

/* The number of the lowest bit that is set; `bits` is not 0. */
static inline int lowest_bit(uint64_t bits) { return __builtin_ctzll(bits); }

#define LANES 16

/* Sixteen floats, eight doubles: one register of AVX-512, several of a smaller set. */
typedef float float_v __attribute__((vector_size(64), aligned(4), may_alias));
typedef double double_v __attribute__((vector_size(64), aligned(8), may_alias));
typedef int32_t float_mask __attribute__((vector_size(64)));
typedef int64_t double_mask __attribute__((vector_size(64)));
typedef int8_t float_flags __attribute__((vector_size(16), aligned(1), may_alias));
typedef int8_t double_flags __attribute__((vector_size(8), aligned(1), may_alias));

/* Add to `width` vectors of targets, kept in registers, the weights of every spike that reaches
   them. */
#define GATHER_CHUNK(real, width)                                                                 \
    for (; at + (width) * wide <= length; at += (width) * wide) {                                 \
        real##_v sum[width];                                                                      \
        for (int j = 0; j < (width); j++)                                                         \
            sum[j] = *(const real##_v *)(target + at + j * wide);                                 \
        for (int32_t e = first[o]; e < first[o + 1]; e++) {                                       \
            const real *kernel = weights + (int64_t)tap[e] * channels * length + at;              \
            for (int32_t k = begin[position[e]]; k < begin[position[e] + 1]; k++) {               \
                const real *row = kernel + (int64_t)channel[k] * length;                          \
                for (int j = 0; j < (width); j++)                                                 \
                    sum[j] += *(const real##_v *)(row + j * wide);                                \
            }                                                                                     \
        }                                                                                         \
        for (int j = 0; j < (width); j++)                                                         \
            *(real##_v *)(target + at + j * wide) = sum[j];                                       \
    }

#define DEFINE_LOOPS(real, name)                                                                  \
                                                                                                  \
/* Add sign * weights to n neighbouring neurons. */                                               \
VARIANTS static void add_run_##name(                                                              \
    real *__restrict u, const real *__restrict weights, real sign, int64_t n)                     \
{                                                                                                 \
    for (int64_t i = 0; i < n; i++)                                                               \
        u[i] += sign * weights[i];                                                                \
}                                                                                                 \
                                                                                                  \
/* Add one spike's weights along n runs (at most 64) of `length` targets each; tell, one bit a    \
   run, in which of them a neuron reached its limit. */                                           \
VARIANTS static uint64_t arrive_##name(                                                           \
    real *__restrict u, const real *__restrict limit, const real *__restrict weights,             \
    const int32_t *__restrict start, const int32_t *__restrict tap, int64_t per_tap,              \
    int64_t length, real sign, int n)                                                             \
{                                                                                                 \
    uint64_t reached = 0;                                                                         \
    for (int run = 0; run < n; run++) {                                                           \
        real *target = u + start[run];                                                            \
        const real *bound = limit + start[run], *row = weights + tap[run] * per_tap;              \
        int any = 0;                                                                              \
        for (int64_t i = 0; i < length; i++) {                                                    \
            target[i] += sign * row[i];                                                           \
            any |= target[i] >= bound[i];                                                         \
        }                                                                                         \
        reached |= (uint64_t)(any != 0) << run;                                                   \
    }                                                                                             \
    return reached;                                                                               \
}                                                                                                 \
                                                                                                  \
/* Tell whether one of n neurons reached its limit. */                                            \
VARIANTS static int any_reached_##name(                                                           \
    const real *__restrict u, const real *__restrict limit, int64_t n)                            \
{                                                                                                 \
    int reached = 0;                                                                              \
    for (int64_t i = 0; i < n; i++)                                                               \
        reached |= u[i] >= limit[i];                                                              \
    return reached;                                                                               \
}                                                                                                 \
                                                                                                  \
/* Tell whether a neuron is at or over theta now. */                                              \
VARIANTS static int any_over_##name(                                                              \
    const real *__restrict u, const real *__restrict current, real now,                           \
    const real *__restrict theta, int64_t n)                                                      \
{                                                                                                 \
    int over = 0;                                                                                 \
    for (int64_t i = 0; i < n; i++)                                                               \
        over |= u[i] + current[i] * now >= theta[i];                                              \
    return over;                                                                                  \
}                                                                                                 \
                                                                                                  \
/* The ticks until the first neuron crosses theta by its ramp and may fire; far where none does. \
   An estimate: in real arithmetic, rounded. */                                                   \
VARIANTS static real nearest_##name(                                                              \
    const real *__restrict u, const real *__restrict current, const real *__restrict inverse,     \
    const real *__restrict theta, const int32_t *__restrict allowed, real now, int32_t tick,      \
    real far, int64_t n)                                                                          \
{                                                                                                 \
    real soonest[LANES], best = far;                                                              \
    int64_t i = 0;                                                                                \
    for (int lane = 0; lane < LANES; lane++)                                                      \
        soonest[lane] = far;                                                                      \
    for (; i + LANES <= n; i += LANES)                                                            \
        for (int lane = 0; lane < LANES; lane++) {                                                \
            real ahead = (theta[i + lane] - (u[i + lane] + current[i + lane] * now))              \
                         * inverse[i + lane];                                                     \
            real barred = (real)(allowed[i + lane] - tick);                                       \
            ahead = ahead > barred ? ahead : barred;                                              \
            soonest[lane] = ahead < soonest[lane] ? ahead : soonest[lane];                        \
        }                                                                                         \
    for (; i < n; i++) {                                                                          \
        real ahead = (theta[i] - (u[i] + current[i] * now)) * inverse[i];                         \
        real barred = (real)(allowed[i] - tick);                                                  \
        ahead = ahead > barred ? ahead : barred;                                                  \
        best = ahead < best ? ahead : best;                                                       \
    }                                                                                             \
    for (int lane = 0; lane < LANES; lane++)                                                      \
        best = soonest[lane] < best ? soonest[lane] : best;                                       \
    return best;                                                                                  \
}                                                                                                 \
                                                                                                  \
/* Set for each neuron the u below which it cannot fire before tick `due`: far for those barred   \
   until then. `now` and `then` are the ramps at this tick and at the last before `due`. Tell     \
   whether a neuron has reached its limit already. */                                             \
VARIANTS static int set_limits_##name(                                                            \
    real *__restrict limit, const real *__restrict u, const real *__restrict current,             \
    const real *__restrict theta, const int32_t *__restrict allowed, real now, real then,         \
    int32_t due, real slack, real end, real far, int64_t n)                                       \
{                                                                                                 \
    int reached = 0;                                                                              \
    for (int64_t i = 0; i < n; i++) {                                                             \
        real a = current[i] * now, b = current[i] * then;                                         \
        real size = current[i] < 0 ? -current[i] : current[i];                                    \
        real free = theta[i] - (a > b ? a : b) - slack * (theta[i] + size * end);                 \
        limit[i] = allowed[i] >= due ? far : free;                                                \
        reached |= u[i] >= limit[i];                                                              \
    }                                                                                             \
    return reached;                                                                               \
}

#define DEFINE_LOOPS_OF_LOCKSTEP(real, name)                                                      \
                                                                                                  \
/* Add a step's input, compare with theta, reset softly; note in `fired` who fired. */            \
VARIANTS static void fire_soft_##name(                                                            \
    real *__restrict v, const real *__restrict input, const real *__restrict theta,               \
    uint8_t *__restrict fired, int64_t n)                                                         \
{                                                                                                 \
    const int64_t wide = 64 / sizeof(real);                                                       \
    int64_t i = 0;                                                                                \
    for (; i + wide <= n; i += wide) {                                                            \
        real##_v potential = *(real##_v *)(v + i) + *(const real##_v *)(input + i);               \
        real##_v reach = *(const real##_v *)(theta + i);                                          \
        real##_mask over = potential >= reach;                                                    \
        *(real##_flags *)(fired + i) = -__builtin_convertvector(over, real##_flags);              \
        *(real##_v *)(v + i) = potential - (real##_v)((real##_mask)reach & over);                 \
    }                                                                                             \
    for (; i < n; i++) {                                                                          \
        real potential = v[i] + input[i];                                                         \
        fired[i] = potential >= theta[i];                                                         \
        v[i] = fired[i] ? potential - theta[i] : potential;                                       \
    }                                                                                             \
}                                                                                                 \
                                                                                                  \
/* The same with hard reset. */                                                                   \
VARIANTS static void fire_hard_##name(                                                            \
    real *__restrict v, const real *__restrict input, const real *__restrict theta,               \
    real v_reset, uint8_t *__restrict fired, int64_t n)                                           \
{                                                                                                 \
    for (int64_t i = 0; i < n; i++) {                                                             \
        real potential = v[i] + input[i];                                                         \
        fired[i] = potential >= theta[i];                                                         \
        v[i] = fired[i] ? v_reset : potential;                                                    \
    }                                                                                             \
}                                                                                                 \
                                                                                                  \
/* Add to every target the weights of the spikes that reach it, in order of input position, then  \
   of emission. Output position o reads entries first[o]..first[o + 1] of (position, tap); the    \
   spikes of a position are its channels, channel[begin[p]]..channel[begin[p + 1]]. */            \
VARIANTS static void gather_##name(                                                               \
    real *__restrict input, const real *__restrict weights, int32_t channels, int32_t length,     \
    int32_t outputs, const int32_t *__restrict first, const int32_t *__restrict position,         \
    const int32_t *__restrict tap, const int32_t *__restrict begin,                               \
    const int32_t *__restrict channel)                                                            \
{                                                                                                 \
    const int wide = 64 / sizeof(real);                                                           \
    for (int32_t o = 0; o < outputs; o++) {                                                       \
        real *target = input + (int64_t)o * length;                                               \
        int32_t at = 0;                                                                           \
        GATHER_CHUNK(real, 4)                                                                     \
        GATHER_CHUNK(real, 2)                                                                     \
        GATHER_CHUNK(real, 1)                                                                     \
        if (at == length)                                                                         \
            continue;                                                                             \
        for (int32_t e = first[o]; e < first[o + 1]; e++) {                                       \
            const real *kernel = weights + (int64_t)tap[e] * channels * length;                   \
            for (int32_t k = begin[position[e]]; k < begin[position[e] + 1]; k++)                 \
                for (int32_t i = at; i < length; i++)                                             \
                    target[i] += kernel[(int64_t)channel[k] * length + i];                        \
        }                                                                                         \
    }                                                                                             \
}

DEFINE_LOOPS_OF_LOCKSTEP(float, float)
DEFINE_LOOPS_OF_LOCKSTEP(double, double)
DEFINE_LOOPS(float, float)
DEFINE_LOOPS(double, double)

#endif
