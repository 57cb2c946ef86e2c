/* One precision of `cells.h`, which includes this file once for each. */

static inline real OF(potential)(const Cells *c, int64_t i, OF(now) now)
{
    return ((const real *)c->u)[i] + OF(RISE)(((const real *)c->current)[i], now);
}

/* Set n neurons to their initial potentials. */
static void OF(begin)(const Cells *c, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double ticks = c->ticks_per_step / (double)((const real *)c->current)[i];
        ((real *)c->u)[i] = ((const real *)c->v_init)[i];
        ((real *)c->limit)[i] = OF(LARGEST);
        c->allowed[i] = 1;
        c->inverse[i] = ((const real *)c->current)[i] > 0 && ticks < FAR ? (float)ticks : FAR;
    }
}

/* Add one spike's weights, which begin at `row`, along n runs (at most 64) of targets; tell, one
   bit a run, in which of them a neuron reached its limit. */
VARIANTS static uint64_t OF(arrive)(
    const Cells *c, int64_t base, const void *weights, int64_t row,
    const int32_t *__restrict start, const int32_t *__restrict weight,
    const int32_t *__restrict extent, int sign, int n)
{
    uint64_t reached = 0;
    for (int run = 0; run < n; run++) {
        real *__restrict target = (real *)c->u + base + start[run];
        const real *__restrict bound = (const real *)c->limit + base + start[run];
        const weight_t *__restrict psp = (const weight_t *)weights + row + weight[run];
        const int32_t end = extent[run];
        int any = 0;
        for (int32_t i = 0; i < end; i++) {
            real sum = target[i] + (real)sign * psp[i];
            target[i] = sum;
            any |= sum >= bound[i];
        }
        reached |= (uint64_t)(any != 0) << run;
    }
    return reached;
}

/* Add the weights first..end to the targets that are listed beside them. */
static void OF(add)(
    const Cells *c, int64_t base, const void *weights, const int32_t *target, int64_t first,
    int64_t end, int sign)
{
    for (int64_t s = first; s < end; s++)
        ((real *)c->u)[base + target[s]] += (real)sign * ((const weight_t *)weights)[s];
}

/* Tell whether one of n neurons reached its limit. */
INLINE int OF(has_reached)(const Cells *c, int64_t first, int64_t n)
{
    const real *__restrict u = (const real *)c->u + first;
    const real *__restrict limit = (const real *)c->limit + first;
    int reached = 0;
    for (int64_t i = 0; i < n; i++)
        reached |= u[i] >= limit[i];
    return reached;
}

/* List the neurons first..end that are at or over theta and not refractory; return how many. */
INLINE int64_t OF(list_over)(
    const Cells *c, int64_t first, int64_t end, int64_t tick, int32_t *__restrict found)
{
    const OF(now) now = OF(moment)(c->ramp, tick, c->ticks_per_step);
    const real *__restrict u = c->u, *__restrict current = c->current;
    const real *__restrict theta = c->theta;
    const int32_t *__restrict allowed = c->allowed, today = (int32_t)tick;
    int64_t n = 0, i = first;
    for (; i + LANES <= end; i += LANES) {
        uint8_t fires[LANES];
        uint64_t eight[LANES / 8];
        for (int lane = 0; lane < LANES; lane++)
            fires[lane] = (u[i + lane] + OF(RISE)(current[i + lane], now) >= theta[i + lane])
                          & (allowed[i + lane] <= today);
        memcpy(eight, fires, LANES);
        for (int half = 0; half < LANES / 8; half++)
            for (; eight[half]; eight[half] &= eight[half] - 1)
                found[n++] = (int32_t)i + 8 * half + lowest_bit(eight[half]) / 8;
    }
    for (; i < end; i++) {
        found[n] = (int32_t)i;
        n += (u[i] + OF(RISE)(current[i], now) >= theta[i]) & (allowed[i] <= today);
    }
    return n;
}

INLINE void OF(reset_one)(
    const Cells *c, int64_t i, int hard, double v_reset, int64_t tick, int64_t refractory)
{
    const OF(now) now = OF(moment)(c->ramp, tick, c->ticks_per_step);
    const int64_t allowed = tick + 1 + refractory;
    if (hard)
        ((real *)c->u)[i] = (real)v_reset - OF(RISE)(((const real *)c->current)[i], now);
    else
        ((real *)c->u)[i] -= ((const real *)c->theta)[i];
    c->allowed[i] = (int32_t)(allowed <= c->last ? allowed : c->last + 1);
}

/* The u below which a neuron does not reach theta by its ramp between two ticks. */
INLINE real OF(limit_of)(real theta, real current, OF(now) now, OF(now) then, real steps)
{
    const real a = OF(RISE)(current, now), b = OF(RISE)(current, then);
    (void)steps;
    return theta - (a > b ? a : b) - OF(MARGIN)(theta, current, steps);
}

/* Set for each neuron the u below which it cannot fire before tick `due`: the largest number
   for those barred until then. Tell whether a neuron is over theta (OVER), whether one has
   reached its limit already (REACHED). */
INLINE int OF(look_over)(
    const Cells *c, int64_t first, int64_t end, int64_t tick, int64_t due)
{
    const OF(now) now = OF(moment)(c->ramp, tick, c->ticks_per_step);
    const OF(now) then = OF(moment)(c->ramp, due - 1, c->ticks_per_step);
    const real steps = (real)(c->last / c->ticks_per_step + 1);
    const real *__restrict u = c->u, *__restrict current = c->current;
    const real *__restrict theta = c->theta;
    const int32_t *__restrict allowed = c->allowed, until = (int32_t)due;
    real *__restrict limit = c->limit;
    int over = 0, reached = 0;
    for (int64_t i = first; i < end; i++) {
        real free = OF(limit_of)(theta[i], current[i], now, then, steps);
        limit[i] = allowed[i] >= until ? OF(LARGEST) : free;
        over |= u[i] + OF(RISE)(current[i], now) >= theta[i];
        reached |= u[i] >= limit[i];
    }
    return (over ? OVER : 0) | (reached ? REACHED : 0);
}

VARIANTS static int64_t OF(over)(
    const Cells *c, int64_t first, int64_t end, int64_t tick, int32_t *found)
{
    return OF(list_over)(c, first, end, tick, found);
}

VARIANTS static int OF(survey)(
    const Cells *c, int64_t first, int64_t end, int64_t tick, int64_t due)
{
    return OF(look_over)(c, first, end, tick, due);
}

static void OF(reset)(
    const Cells *c, int64_t i, int hard, double v_reset, int64_t tick, int64_t refractory)
{
    OF(reset_one)(c, i, hard, v_reset, tick, refractory);
}

/* Set the limit of one neuron, which fired, until `due`. */
INLINE void OF(bar)(const Cells *c, int64_t i, int64_t tick, int64_t due)
{
    const OF(now) now = OF(moment)(c->ramp, tick, c->ticks_per_step);
    const OF(now) then = OF(moment)(c->ramp, due - 1, c->ticks_per_step);
    const real steps = (real)(c->last / c->ticks_per_step + 1);
    const real theta = ((const real *)c->theta)[i], current = ((const real *)c->current)[i];
    ((real *)c->limit)[i] = c->allowed[i] >= due
                            ? OF(LARGEST) : OF(limit_of)(theta, current, now, then, steps);
}

/* Of the block begin..end, compare the neurons first..stop that arrivals touched. Where none
   reached its limit, return -1. Else reset those that fire, list them and return how many; where
   the limits of the others still hold until the block's date `kept`, `state` is KEPT, else the
   block has limits until `due`, and `state` is what `survey` tells. */
VARIANTS static int64_t OF(compare)(
    const Cells *c, int64_t begin, int64_t end, int64_t first, int64_t stop, int64_t tick,
    int64_t kept, int64_t due, int64_t refractory, int hard, double v_reset, int32_t *found,
    int *state)
{
    int64_t n;
    if (!OF(has_reached)(c, first, stop - first))
        return -1;
    n = OF(list_over)(c, first, stop, tick, found);
    for (int64_t k = 0; k < n; k++) {
        OF(reset_one)(c, found[k], hard, v_reset, tick, refractory);
        OF(bar)(c, found[k], tick, kept);
    }
    *state = KEPT;
    if (OF(has_reached)(c, first, stop - first))
        *state = OF(look_over)(c, begin, end, tick, due);
    return n;
}

/* Ticks before which neuron i does not fire by its ramp, and not while it is barred; FAR for never.
   A lower bound, estimated in rounded numbers. */
INLINE OF(estimate) OF(ahead)(
    const Cells *c, int64_t i, OF(now) now, real steps, OF(estimate) tick, int32_t today)
{
    const real u = ((const real *)c->u)[i], current = ((const real *)c->current)[i];
    const real theta = ((const real *)c->theta)[i];
    OF(estimate) ahead = OF(AHEAD)(theta, u, current, now, c->inverse[i], steps, tick);
    OF(estimate) barred = (OF(estimate))(c->allowed[i] - today);
    (void)steps;
    (void)tick;
    ahead = current > 0 ? ahead : FAR;
    ahead = u + OF(RISE)(current, now) >= theta ? 0 : ahead;
    return ahead > barred ? ahead : barred;
}

/* The least of these of first..end. */
VARIANTS static double OF(nearest)(
    const Cells *c, int64_t first, int64_t end, int64_t tick)
{
    const OF(now) now = OF(moment)(c->ramp, tick, c->ticks_per_step);
    const real steps = (real)(c->last / c->ticks_per_step + 1);
    OF(estimate) soonest[LANES], best = FAR;
    int64_t i = first;
    for (int lane = 0; lane < LANES; lane++)
        soonest[lane] = FAR;
    for (; i + LANES <= end; i += LANES)
        for (int lane = 0; lane < LANES; lane++) {
            OF(estimate) ahead = OF(ahead)(c, i + lane, now, steps, tick, (int32_t)tick);
            soonest[lane] = ahead < soonest[lane] ? ahead : soonest[lane];
        }
    for (; i < end; i++) {
        OF(estimate) ahead = OF(ahead)(c, i, now, steps, tick, (int32_t)tick);
        best = ahead < best ? ahead : best;
    }
    for (int lane = 0; lane < LANES; lane++)
        best = soonest[lane] < best ? soonest[lane] : best;
    return best;
}

/* The first tick from `earliest` on at which neuron i is at or over theta by its ramp alone, found
   from an estimate; the run's last tick + 1 for never. A ramp that rises never falls back. */
static inline int64_t OF(next_of_ramp)(const Cells *c, int64_t i, int64_t earliest)
{
    const real theta = ((const real *)c->theta)[i], u = ((const real *)c->u)[i];
    const real current = ((const real *)c->current)[i];
    const int64_t per_step = c->ticks_per_step, least = earliest + 1;
    double ahead;
    int64_t guess;
    if (earliest > c->last)
        return earliest;
    if (u + OF(RISE)(current, OF(moment)(c->ramp, earliest, per_step)) >= theta)
        return earliest;
    if (!(current > 0))
        return c->last + 1;
    ahead = (double)(theta - u) * c->inverse[i];
    guess = ahead < c->last ? (int64_t)ahead : c->last;
    guess = guess < least ? least : guess;
    while (guess > least
           && u + OF(RISE)(current, OF(moment)(c->ramp, guess - 1, per_step)) >= theta)
        guess--;
    while (guess <= c->last
           && !(u + OF(RISE)(current, OF(moment)(c->ramp, guess, per_step)) >= theta))
        guess++;
    return guess;
}

/* Note the first spikes of neurons first..end, which only their ramps drive. */
static void OF(await)(const Cells *c, int64_t first, int64_t end, int32_t *due)
{
    for (int64_t i = first; i < end; i++)
        due[i - first] = (int32_t)OF(next_of_ramp)(c, i, 1);
}

/* Fire them up to the tick `to`; list who fired, and when, neuron by neuron. Return how many. */
static int64_t OF(train)(
    const Cells *c, int64_t first, int64_t end, int64_t to, int64_t refractory, int hard,
    double v_reset, int32_t *due, int32_t *when, int32_t *who)
{
    int64_t n = 0;
    for (int64_t i = first; i < end; i++)
        while (due[i - first] <= to) {
            when[n] = due[i - first];
            who[n++] = (int32_t)(i - first);
            OF(reset_one)(c, i, hard, v_reset, due[i - first], refractory);
            due[i - first] = (int32_t)OF(next_of_ramp)(c, i, c->allowed[i]);
        }
    return n;
}

static double OF(value)(const Cells *c, int64_t i, int64_t tick)
{
    return (double)OF(potential)(c, i, OF(moment)(c->ramp, tick, c->ticks_per_step));
}

/* What the ramp adds in a step. */
static double OF(rise)(const Cells *c, int64_t i) { return ((const real *)c->current)[i]; }

static void OF(store)(const Cells *c, int64_t i, int64_t tick, void *out, int64_t at)
{
    ((real *)out)[at] = OF(potential)(c, i, OF(moment)(c->ramp, tick, c->ticks_per_step));
}
