/* The inner loops of the kernels, for float and double.

   Each is compiled for several instruction sets; the one that the processor has is chosen when
   the module is loaded. They work element by element, without contraction, so that every
   variant gives the same bits. */

#ifndef THRESHER_LOOPS_H
#define THRESHER_LOOPS_H

#include <stdint.h>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define VARIANTS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define VARIANTS
#endif

#define LANES 16

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
/* The same; tell whether one of them reached its limit. */                                       \
VARIANTS static int add_and_watch_##name(                                                         \
    real *__restrict u, const real *__restrict weights, real sign, const real *__restrict limit,  \
    int64_t n)                                                                                    \
{                                                                                                 \
    int reached = 0;                                                                              \
    for (int64_t i = 0; i < n; i++) {                                                             \
        u[i] += sign * weights[i];                                                                \
        reached |= u[i] >= limit[i];                                                              \
    }                                                                                             \
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
   until then. `now` and `then` are the ramps at this tick and at the last before `due`. */       \
VARIANTS static void set_limits_##name(                                                           \
    real *__restrict limit, const real *__restrict current, const real *__restrict theta,         \
    const int32_t *__restrict allowed, real now, real then, int32_t due, real slack, real end,    \
    real far, int64_t n)                                                                          \
{                                                                                                 \
    for (int64_t i = 0; i < n; i++) {                                                             \
        real a = current[i] * now, b = current[i] * then;                                         \
        real size = current[i] < 0 ? -current[i] : current[i];                                    \
        real free = theta[i] - (a > b ? a : b) - slack * (theta[i] + size * end);                 \
        limit[i] = allowed[i] >= due ? far : free;                                                \
    }                                                                                             \
}

DEFINE_LOOPS(float, float)
DEFINE_LOOPS(double, double)

#endif
