/* One precision of `layers.h`, which includes this file once for each. */

static void OF(begin)(void *v, const void *v_init, int64_t n)
{
    memcpy(v, v_init, n * sizeof(real));
}

static void OF(copy)(void *input, const void *current, int64_t offset, int64_t n)
{
    memcpy(input, (const real *)current + offset, n * sizeof(real));
}

/* Add one spike's weights, which begin at `row`, along n runs of targets. */
VARIANTS static void OF(spread)(
    void *input, int64_t base, const void *weights, int64_t row, const int32_t *start,
    const int32_t *weight, const int32_t *extent, int sign, int32_t n)
{
    for (int32_t run = 0; run < n; run++) {
        real *__restrict target = (real *)input + base + start[run];
        const weight_t *__restrict psp = (const weight_t *)weights + row + weight[run];
        for (int32_t i = 0; i < extent[run]; i++)
            target[i] += (real)sign * psp[i];
    }
}

/* Add the weights first..end to the targets that are listed beside them. */
static void OF(deliver)(
    void *input, const void *weights, const int32_t *target, int64_t first, int64_t end,
    int sign)
{
    for (int64_t s = first; s < end; s++)
        ((real *)input)[target[s]] += (real)sign * ((const weight_t *)weights)[s];
}

/* Add a step's input, compare with theta, reset; note in `fired` who fired. */
VARIANTS static void OF(fire)(
    void *v, int64_t offset, const void *input, const void *theta, int hard, double v_reset,
    uint8_t *__restrict fired, int64_t n)
{
    real *__restrict potentials = (real *)v + offset;
    const real *__restrict inputs = input, *__restrict thetas = (const real *)theta + offset;
    const int64_t wide = 64 / sizeof(real);
    int64_t i = 0;
    for (; !hard && i + wide <= n; i += wide) {
        OF(vector) potential = *(OF(vector) *)(potentials + i) + *(const OF(vector) *)(inputs + i);
        OF(vector) reach = *(const OF(vector) *)(thetas + i);
        OF(mask) over = potential >= reach;
        *(OF(flags) *)(fired + i) = -__builtin_convertvector(over, OF(flags));
        *(OF(vector) *)(potentials + i) = potential - (OF(vector))((OF(mask))reach & over);
    }
    for (; i < n; i++) {
        real potential = potentials[i] + inputs[i];
        fired[i] = potential >= thetas[i];
        potentials[i] = !fired[i] ? potential : hard ? (real)v_reset : potential - thetas[i];
    }
}

static void OF(integrate)(void *v, int64_t offset, const void *input, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ((real *)v)[offset + i] += ((const real *)input)[i];
}

static double OF(value)(const void *v, int64_t i) { return (double)((const real *)v)[i]; }

static void OF(store)(const void *v, int64_t i, void *out, int64_t at)
{
    ((real *)out)[at] = ((const real *)v)[i];
}
