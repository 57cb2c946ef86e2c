/* One precision of `neurons.h`, which includes this file once for each. */

#define AT(array, i) (((real *)(array))[i])
#define READ(array, i) (((const real *)(array))[i])

/* Relax towards v_inf for so many ticks. */
static inline real OF(relaxed)(const Population *p, real v, real v_inf, int64_t ticks)
{
    if (ticks <= 0)
        return v;
    return v_inf + (v - v_inf) * READ(p->decay, ticks < p->decays ? ticks : p->decays - 1);
}

/* The potential of a leaky neuron: towards v_inf until the input ends, then towards 0. */
static inline real OF(leaky)(const Neurons *c, const Population *p, int64_t i, int64_t tick)
{
    const int64_t end = c->end, since = c->since[i];
    const int64_t driven = (tick < end ? tick : end) - (since < end ? since : end);
    const int64_t free = (tick > end ? tick : end) - (since > end ? since : end);
    return OF(relaxed)(p, OF(relaxed)(p, AT(c->v, i), AT(c->v_inf, i), driven), 0, free);
}

static inline real OF(charge)(const Neurons *c, int64_t i, int64_t tick)
{
    const int64_t flowed = tick < c->end ? tick : c->end;
    return OF(RISE)(READ(c->current, i), OF(moment)(c->ramp, flowed, c->ticks_per_step));
}

static inline real OF(potential)(const Neurons *c, const Population *p, int64_t i, int64_t tick)
{
    if (p->model == POOL)
        return (real)c->largest[i];
    if (p->model == LEAKY)
        return OF(leaky)(c, p, i, tick);
    return c->lockstep ? AT(c->v, i) : AT(c->v, i) + OF(charge)(c, i, tick);
}

/* Set the neurons first..end to their initial potentials. */
static void OF(begin)(const Neurons *c, const Population *p, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++) {
        const double current = (double)READ(c->current, i);
        const double ticks = (double)c->ticks_per_step / current;
        AT(c->v, i) = READ(c->v_init, i);
        c->inverse[i] = current > 0 && ticks < FAR ? (float)ticks
            : current < 0 && ticks > -FAR ? (float)ticks : 0;
        c->allowed[i] = 1;
        c->since[i] = 0;
        c->n[i] = c->largest[i] = 0;
        c->said[i] = 0;
        if (p->model == LEAKY)
            AT(c->v_inf, i) = (real)(current * p->tau);
    }
}

/* The payload of a spike for a potential v > 0: at least 1, at most the cap and what room there is. */
static inline int OF(payload)(
    const Population *p, real v, real unit, real above, int upwards, int64_t room)
{
    int32_t size = 1;
    real times;
    if (room > p->cap)
        room = p->cap;
    if (p->rounding == POWERS) {
        while (2 * size <= room && v >= above * (real)(2 * size))
            size *= 2;
        return size;
    }
    times = upwards ? OF(CEILED)(v, unit) : OF(FLOORED)(v, unit);
    if (times >= (real)room)
        return (int)room;
    return times < 1 ? 1 : (int)times;
}

static inline int OF(graded)(const Neurons *c, const Population *p, int64_t i, real v)
{
    const real above = READ(c->above, i);
    const int64_t n = c->n[i];
    if (v >= above && n < p->most)
        return OF(payload)(p, v, READ(c->theta, i), above, 0, p->most - n);
    if (v < READ(c->below, i) && n > p->least)
        return -OF(payload)(
            p, -v, READ(c->down, i), above, p->rounding == DOWNWARDS, n - p->least);
    return 0;
}

/* The same of a neuron that says a value: it stays from 0 to the ceiling. */
static inline int OF(differential)(
    const Neurons *c, const Population *p, int64_t i, real v, int64_t step)
{
    const real above = READ(c->above, i), theta = READ(c->theta, i);
    const double said = (double)step * c->said[i];
    const double up = floor((double)step * p->ceiling - said + SAID), down = floor(said + SAID);
    if (v >= above && up >= 1)
        return OF(payload)(p, v, theta, above, 0, up < p->cap ? (int64_t)up : p->cap);
    if (v < READ(c->below, i) && down >= 1)
        return -OF(payload)(p, -v, theta, above, 0, down < p->cap ? (int64_t)down : p->cap);
    return 0;
}

/* The payload with which a neuron would fire at a tick; 0: it would not. */
static inline int OF(sign)(const Neurons *c, const Population *p, int64_t i, int64_t tick)
{
    if (p->model == POOL)
        return c->largest[i] - c->n[i];
    if (p->model == DIFFERENTIAL)
        return OF(differential)(c, p, i, OF(potential)(c, p, i, tick), tick);
    if (p->model == GRADED)
        return OF(graded)(c, p, i, OF(potential)(c, p, i, tick));
    return OF(potential)(c, p, i, tick) >= READ(c->theta, i);
}

static inline void OF(reset)(const Neurons *c, const Population *p, int64_t i, int sign, int64_t tick)
{
    const real theta = READ(c->theta, i);
    if (p->model == LEAKY) {
        AT(c->v, i) = p->hard ? (real)p->v_reset : OF(leaky)(c, p, i, tick) - theta;
        c->since[i] = tick;
    } else if (p->model == POOL) {
        c->n[i] += sign;
    } else if (p->hard) {
        AT(c->v, i) = (real)p->v_reset - (c->lockstep ? 0 : OF(charge)(c, i, tick));
    } else {
        AT(c->v, i) -= (real)sign * (sign < 0 ? READ(c->down, i) : theta);
        c->n[i] += sign;
    }
    if (p->model == DIFFERENTIAL) {
        c->said[i] += (double)sign / (double)tick;
        AT(c->current, i) -= (real)sign * theta / (real)tick;
    }
}

/* Tell whether a neuron without a leak, plain or graded, is to fire at a potential. */
INLINE int OF(is_over)(const Neurons *c, const Population *p, int64_t i, real v, int graded)
{
    if (!graded)
        return v >= READ(c->theta, i);
    return ((v >= READ(c->above, i)) & (c->n[i] < p->most))
           | ((v < READ(c->below, i)) & (c->n[i] > p->least));
}

INLINE int64_t OF(list_over)(
    const Neurons *c, const Population *p, int64_t first, int64_t end, int64_t tick,
    int32_t *__restrict found, int graded, int ramps)
{
    const OF(now) now = ramps
        ? OF(moment)(c->ramp, tick < c->end ? tick : c->end, c->ticks_per_step)
        : (OF(now)){0};
    const real *__restrict v = c->v, *__restrict current = c->current;
    const int32_t *__restrict allowed = c->allowed, today = (int32_t)tick;
    int64_t n = 0, i = first;
    for (; i + LANES <= end; i += LANES) {
        uint8_t fires[LANES];
        uint64_t eight[LANES / 8];
        for (int lane = 0; lane < LANES; lane++) {
            const int64_t j = i + lane;
            const real potential = ramps ? v[j] + OF(RISE)(current[j], now) : v[j];
            fires[lane] = OF(is_over)(c, p, j, potential, graded) & (allowed[j] <= today);
        }
        memcpy(eight, fires, LANES);
        for (int half = 0; half < LANES / 8; half++)
            for (; eight[half]; eight[half] &= eight[half] - 1)
                found[n++] = (int32_t)i + 8 * half + lowest_bit(eight[half]) / 8;
    }
    for (; i < end; i++) {
        const real potential = ramps ? v[i] + OF(RISE)(current[i], now) : v[i];
        found[n] = (int32_t)i;
        n += OF(is_over)(c, p, i, potential, graded) & (allowed[i] <= today);
    }
    return n;
}

/* List the neurons first..end that are to fire at a tick and are not refractory; max pools and
   operators never are. Return how many; `found` has room for one more. */
VARIANTS static int64_t OF(firing)(
    const Neurons *c, const Population *p, int64_t first, int64_t end, int64_t tick,
    int32_t *found)
{
    int64_t n = 0;
    if (p->model == GRADED)
        return c->lockstep ? OF(list_over)(c, p, first, end, tick, found, 1, 0)
            : OF(list_over)(c, p, first, end, tick, found, 1, 1);
    if (p->model == PLAIN)
        return c->lockstep ? OF(list_over)(c, p, first, end, tick, found, 0, 0)
            : OF(list_over)(c, p, first, end, tick, found, 0, 1);
    for (int64_t i = first; i < end; i++) {
        found[n] = (int32_t)i;
        n += c->allowed[i] <= tick && OF(sign)(c, p, i, tick) != 0;
    }
    return n;
}

/* A tick after `tick` before which nothing but an arrival makes a leaky neuron fire; or NO_TICK. */
static int64_t OF(leaky_due)(const Neurons *c, const Population *p, int64_t i, int64_t tick)
{
    const int64_t next = tick + 1 > c->allowed[i] ? tick + 1 : c->allowed[i];
    const double theta = (double)READ(c->theta, i), v = (double)AT(c->v, i);
    const double v_inf = (double)AT(c->v_inf, i), off = DOUBT * (fabs(v) + fabs(v_inf));
    const double tau = p->tau * (double)c->ticks_per_step;
    double at;
    if (OF(sign)(c, p, i, next))
        return next;
    if (next >= c->end || v_inf < theta || v >= v_inf)
        return NO_TICK;
    at = (double)c->since[i] + tau * log((v_inf - v) / (v_inf - theta + off));
    at = floor(at - DOUBT * (tau + (double)c->end)) - 2;
    if (at > (double)c->end)
        return NO_TICK;
    return at > (double)(next + 1) ? (int64_t)at : next + 1;
}

/* Ticks before which a neuron without a leak, plain or graded, does not fire unless something
   arrives; FAR for never. A lower bound, estimated in rounded numbers. `then` is the next tick,
   `flowed` the ticks for which the input did up to now, of `all` in the end. */
INLINE OF(estimate) OF(ahead)(
    const Neurons *c, const Population *p, int64_t i, OF(now) then, OF(estimate) flowed,
    OF(estimate) all, int32_t today, int graded)
{
    const real v = READ(c->v, i), current = READ(c->current, i), theta = READ(c->theta, i);
    const real above = graded ? READ(c->above, i) : theta;
    const real below = graded ? READ(c->below, i) : theta;
    const int fires = OF(is_over)(c, p, i, v + OF(RISE)(current, then), graded);
    const OF(estimate) inverse = c->inverse[i], barred = (OF(estimate))(c->allowed[i] - today);
    const OF(estimate) bound = (OF(estimate))(inverse < 0 ? below : above);
    const OF(estimate) way = bound - (OF(estimate))v;
    const OF(estimate) size = SIZE((OF(estimate))v) + SIZE(bound) + (OF(estimate))theta;
    const int up = !graded | (c->n[i] < p->most), down = graded & (c->n[i] > p->least);
    const int opens = (up & (inverse > 0)) | (down & (inverse < 0));
    OF(estimate) ahead
        = way * inverse - flowed - 2 - (OF(estimate))DOUBT * (size * SIZE(inverse) + all);
    ahead = ahead > 2 ? ahead : 2;
    ahead = opens & (ahead <= all - flowed) ? ahead : FAR;
    ahead = fires ? 1 : ahead;
    return ahead > barred ? ahead : barred;
}

/* A tick before which none of neighbours without a leak fires; see `due`. */
INLINE int64_t OF(ramp_due)(
    const Neurons *c, const Population *p, int64_t first, int64_t end, int64_t tick, int graded)
{
    const int64_t from = tick < c->end ? tick : c->end, to = tick < c->end ? tick + 1 : c->end;
    const OF(now) then = OF(moment)(c->ramp, to, c->ticks_per_step);
    const OF(estimate) flowed = (OF(estimate))from, all = (OF(estimate))c->end;
    OF(estimate) soonest[LANES], best = FAR;
    int64_t i = first;
    for (int lane = 0; lane < LANES; lane++)
        soonest[lane] = FAR;
    for (; i + LANES <= end; i += LANES)
        for (int lane = 0; lane < LANES; lane++) {
            OF(estimate) ahead
                = OF(ahead)(c, p, i + lane, then, flowed, all, (int32_t)tick, graded);
            soonest[lane] = ahead < soonest[lane] ? ahead : soonest[lane];
        }
    for (; i < end; i++) {
        OF(estimate) ahead = OF(ahead)(c, p, i, then, flowed, all, (int32_t)tick, graded);
        best = ahead < best ? ahead : best;
    }
    for (int lane = 0; lane < LANES; lane++)
        best = soonest[lane] < best ? soonest[lane] : best;
    return best < FAR ? tick + (int64_t)best : NO_TICK;
}

/* A tick after `tick` before which nothing but an arrival makes one of the neurons first..end fire;
   or NO_TICK. */
VARIANTS static int64_t OF(due)(
    const Neurons *c, const Population *p, int64_t first, int64_t end, int64_t tick)
{
    int64_t soonest = NO_TICK;
    if (p->model == GRADED)
        return OF(ramp_due)(c, p, first, end, tick, 1);
    if (p->model == PLAIN)
        return OF(ramp_due)(c, p, first, end, tick, 0);
    if (p->model == LEAKY)
        for (int64_t i = first; i < end; i++) {
            const int64_t due = OF(leaky_due)(c, p, i, tick);
            soonest = due < soonest ? due : soonest;
        }
    return soonest;
}

INLINE int OF(is_over_at_either)(
    const Neurons *c, const Population *p, int64_t i, OF(now) now, OF(now) then, int graded)
{
    const real v = READ(c->v, i), current = READ(c->current, i);
    return OF(is_over)(c, p, i, v + OF(RISE)(current, now), graded)
           | OF(is_over)(c, p, i, v + OF(RISE)(current, then), graded);
}

/* Tell whether none of the neurons first..end, which a spike has just reached, can fire from `tick`
   up to `until` unless more arrives: a potential lies between those at both ticks until then. */
VARIANTS static int OF(quiet)(
    const Neurons *c, const Population *p, int64_t first, int64_t end, int64_t tick, int64_t until)
{
    const OF(now) now = OF(moment)(c->ramp, tick < c->end ? tick : c->end, c->ticks_per_step);
    const OF(now) then = OF(moment)(c->ramp, until < c->end ? until : c->end, c->ticks_per_step);
    const real *__restrict v = c->v, *__restrict theta = c->theta;
    const int32_t *__restrict allowed = c->allowed;
    const int32_t last = until < INT32_MAX ? (int32_t)until : INT32_MAX;
    int fires = 0;
    if (p->model == GRADED) {
        for (int64_t i = first; i < end; i++)
            fires |= OF(is_over_at_either)(c, p, i, now, then, 1) & (allowed[i] <= last);
    } else if (p->model == PLAIN) {
        for (int64_t i = first; i < end; i++)
            fires |= OF(is_over_at_either)(c, p, i, now, then, 0) & (allowed[i] <= last);
    } else if (p->model == LEAKY && until <= c->end) {
        const real left = READ(p->decay, until - tick < p->decays ? until - tick : p->decays - 1);
        const real *__restrict v_inf = c->v_inf;
        for (int64_t i = first; i < end; i++)
            fires |= ((v[i] >= theta[i]) | (v_inf[i] + (v[i] - v_inf[i]) * left >= theta[i]))
                   & (allowed[i] <= last);
    } else {
        return 0;
    }
    return !fires;
}

/* Add a spike's weights along its runs of targets. */
VARIANTS static void OF(add_runs)(void *to, const Arrival *a)
{
    for (int run = 0; run < a->n; run++) {
        real *__restrict target = (real *)to + a->base + a->start[run];
        const weight_t *__restrict psp = (const weight_t *)a->weights + a->row + a->weight[run];
        for (int32_t i = 0; i < a->extent[run]; i++)
            target[i] += (real)a->sign * psp[i];
    }
}

/* Add a spike's weights to n targets that are listed beside them. */
static void OF(add_listed)(void *to, const Arrival *a, const int32_t *target, int64_t n)
{
    const weight_t *psp = (const weight_t *)a->weights + a->row;
    for (int64_t s = 0; s < n; s++)
        ((real *)to)[a->base + target[s]] += (real)a->sign * psp[s];
}

/* Add what a differential spike goes on bringing to the currents of a population whose neurons
   begin at `first`, for the steps that follow. */
VARIANTS static void OF(hold_runs)(const Neurons *c, const Arrival *a, int64_t first)
{
    const real share = (real)a->sign / (real)a->sent;
    for (int run = 0; run < a->n; run++) {
        real *__restrict target = (real *)c->current + first + a->base + a->start[run];
        const weight_t *__restrict psp = (const weight_t *)a->weights + a->row + a->weight[run];
        for (int32_t i = 0; i < a->extent[run]; i++)
            target[i] += share * psp[i];
    }
}

static void OF(hold_listed)(
    const Neurons *c, const Arrival *a, int64_t first, const int32_t *target, int64_t n)
{
    const real share = (real)a->sign / (real)a->sent;
    const weight_t *psp = (const weight_t *)a->weights + a->row;
    for (int64_t s = 0; s < n; s++)
        AT(c->current, first + a->base + target[s]) += share * psp[s];
}

/* Put what the current brought into the potentials of neurons without a leak, where the input is
   over and the run goes on; see `Integrator` in sim/neurons. */
static void OF(end_input)(const Neurons *c, const Population *p, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++) {
        AT(c->v, i) = OF(potential)(c, p, i, c->end);
        AT(c->current, i) = 0;
        c->inverse[i] = 0;
    }
}

static inline void OF(settle)(const Neurons *c, const Population *p, int64_t i, int64_t tick)
{
    AT(c->v, i) = OF(leaky)(c, p, i, tick);
    c->since[i] = tick;
}

/* Bring the leaky neurons that a spike reaches up to its tick. */
static void OF(settle_runs)(
    const Neurons *c, const Population *p, const Arrival *a, int64_t tick)
{
    for (int run = 0; run < a->n; run++)
        for (int32_t i = 0; i < a->extent[run]; i++)
            OF(settle)(c, p, a->base + a->start[run] + i, tick);
}

static void OF(settle_listed)(
    const Neurons *c, const Population *p, const Arrival *a, const int32_t *target, int64_t n,
    int64_t tick)
{
    for (int64_t s = 0; s < n; s++)
        OF(settle)(c, p, a->base + target[s], tick);
}

/* Begin the sum of a lockstep step with what its constant current brings. */
static void OF(open_step)(
    const Neurons *c, const Population *p, void *sum, int64_t first, int64_t end, int64_t step)
{
    if (p->model == LEAKY || step > c->end)
        memset(sum, 0, (size_t)(end - first) * sizeof(real));
    else
        memcpy(sum, (const real *)c->current + first, (size_t)(end - first) * sizeof(real));
}

/* Add the sum of a step to the potentials; leaky ones have relaxed by then. */
static void OF(close_step)(
    const Neurons *c, const Population *p, const void *sum, int64_t first, int64_t end,
    int64_t step)
{
    for (int64_t i = first; i < end; i++) {
        if (p->model == LEAKY)
            OF(settle)(c, p, i, step);
        AT(c->v, i) += READ(sum, i - first);
    }
}

/* Set the potentials of an operator to what its net counts leave of what is sought. */
static void OF(seek)(const Neurons *c, int64_t first, int64_t end, const void *sought, int64_t steps)
{
    for (int64_t i = first; i < end; i++) {
        AT(c->v, i) = (READ(sought, i - first) + READ(c->v_init, i))
            - READ(c->theta, i) * (real)c->n[i];
        if (c->lockstep)
            AT(c->v, i) += READ(c->current, i) * (real)steps;
    }
}

static double OF(value)(const Neurons *c, const Population *p, int64_t i, int64_t tick)
{
    return (double)OF(potential)(c, p, i, tick);
}

static void OF(store)(
    const Neurons *c, const Population *p, int64_t i, int64_t tick, void *out, int64_t at)
{
    ((real *)out)[at] = OF(potential)(c, p, i, tick);
}

#undef AT
#undef READ
